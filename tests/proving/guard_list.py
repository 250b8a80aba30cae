"""The guards of an order's life: where each stands, how it is taken away, and which tests must then fail."""

from dataclasses import dataclass
from typing import Final

from okx_mcp.trading.outcome import PROVES, Code

__all__ = ["GUARDS", "Edit", "Guard"]


@dataclass(frozen=True, slots=True)
class Edit:
    """One replacement in a file of okx_mcp/. `guarded` stands there exactly once."""

    file: str
    guarded: str
    without: str


@dataclass(frozen=True, slots=True)
class Guard:
    """One guard. `caught_by` are tests, as pytest names them, of which at least one fails without it."""

    name: str
    edits: tuple[Edit, ...]
    caught_by: tuple[str, ...]


def _guard(name: str, file: str, guarded: str, without: str, *caught_by: str) -> Guard:
    return _guards(name, (Edit(file, guarded, without),), *caught_by)


def _guards(name: str, edits: tuple[Edit, ...], *caught_by: str) -> Guard:
    """One that stands in several places, all of which are taken away."""
    return Guard(name, edits, tuple(f"tests/{test}" for test in caught_by))


_DESK: Final = "trading/desk.py"
_JOURNAL: Final = "trading/journal.py"
_USE: Final = "trading/journal_use.py"
_FILE: Final = "trading/journal_file.py"
_TICKETS: Final = "trading/tickets.py"
_RISK: Final = "trading/risk.py"
_LIMITS: Final = "trading/limits.py"
_HALT: Final = "trading/halt.py"
_AUDIT: Final = "trading/audit.py"
_ORDERS: Final = "trading/orders.py"
_STATES: Final = "trading/order_state.py"
_INTENTS: Final = "trading/intents.py"
_RECONCILE: Final = "trading/reconcile.py"
_SETTLE: Final = "trading/settling.py"
_CANCEL: Final = "trading/cancelling.py"
_CANCEL_ALL: Final = "trading/cancel_all.py"
_CANCEL_BY_ID: Final = "trading/cancel_by_id.py"
_RECORDED: Final = "trading/recorded_orders.py"
_LOOKUPS: Final = "trading/lookups.py"
_OUTCOME: Final = "trading/outcome.py"
_REST: Final = "okx/rest.py"
_CLIENT: Final = "okx/client.py"
_ASKING: Final = "tools/asking.py"
_MODES: Final = "trading/modes.py"
_PRICES: Final = "trading/price_rules.py"
_LARGEST: Final = "trading/largest_order.py"
_WAITING: Final = "trading/triggers.py"
_BUYING_POWER: Final = "trading/buying_power.py"
_OTHER_LOOKUPS: Final = "trading/other_lookups.py"
_EXPOSURE: Final = "trading/exposure.py"
_WORTH: Final = "trading/account_worth.py"
_OPEN_ORDERS: Final = "trading/open_orders.py"
_APPROVING: Final = "trading/approving.py"
_POLICY: Final = "trading/policy.py"
_QUESTIONS: Final = "trading/questions.py"
_SOCKET: Final = "approval_socket.py"
_BOOKS: Final = "okx/stream/books.py"
_CONNECTION: Final = "okx/stream/connection.py"
_FEEDS: Final = "okx/stream/feeds.py"
_SESSION: Final = "okx/stream/session.py"
_WEBSOCKET: Final = "okx/stream/socket.py"
_STREAMED: Final = "okx/stream/orders.py"
_HOLDINGS: Final = "okx/stream/holdings.py"
_PUSHED: Final = "trading/pushed.py"
_PUSHED_ACCOUNT: Final = "trading/pushed_account.py"

_IN_BOOKS: Final = "okx/stream/test_books.py::"
_IN_SESSIONS: Final = "okx/stream/test_sessions.py::"
_OVER_SOCKETS: Final = "okx/stream/test_over_sockets.py::"
_TOLD: Final = "okx/stream/test_orders.py::"
_PRICES_TOLD: Final = "trading/test_pushed.py::"
_ACCOUNT_TOLD: Final = "trading/test_pushed_account.py::"
_AROUND: Final = "trading/test_ways_around_limits.py::"
_AMENDING: Final = "trading/test_amending.py::"
_OF_TRIGGERS: Final = "trading/test_amending_triggers.py::"
_CANCELLING: Final = "trading/test_cancelling.py::"
_COMMITTING: Final = "trading/test_committing.py::"
_DISK: Final = "trading/test_journal_disk.py::"
_HALTING: Final = "trading/test_halt.py::"
_KEYS: Final = "trading/test_keys.py::"
_IN_CHAIN: Final = "trading/test_audit.py::"
_SEVERAL: Final = "trading/test_cancelling_several.py::"
_ALL_OF: Final = "trading/test_cancelling_all_of.py::"
_CANCEL_TIMER: Final = "trading/test_cancel_all_after.py::"
_IN_LIMITS: Final = "trading/test_limits.py::"
_SIZES: Final = "trading/test_contract_sizes.py::"
_IN_LARGEST: Final = "trading/test_largest_order.py::"
_IN_BUYING_POWER: Final = "trading/test_buying_power.py::"
_HOSTILE: Final = "trading/test_found_by_a_hostile_reader.py::"
_SETTLING: Final = "trading/test_settling.py::"
_CLIENT_ANSWERS: Final = "okx/test_client_answers.py::"
_MARKET: Final = "trading/test_market_orders.py::"
_TRIGGERS: Final = "trading/test_trigger_orders.py::"
_POSITIONS: Final = "trading/test_positions_and_modes.py::"
_ACCOUNT: Final = "trading/test_leverage_and_transfers.py::"
_FAULTS: Final = "trading/test_faults_at_place.py::"
_GATE: Final = "trading/test_last_gate.py::"
_IN_JOURNAL: Final = "trading/test_journal.py::"
_OUTCOMES: Final = "trading/test_outcome.py::"
_PROPOSING: Final = "trading/test_proposing.py::"
_RESTORED: Final = "trading/test_restored_journal.py::"
_SENDING: Final = "okx/test_client_sending.py::"
_ASKING_AGAIN: Final = "okx/test_client_asking_again.py::"
_IN_POLICY: Final = "trading/test_policy.py::"
_IN_QUESTIONS: Final = "trading/test_questions.py::"
_IN_SOCKET: Final = "trading/test_approval_socket.py::"
_IN_TERMINAL: Final = "whole/test_terminal_approval.py::"
_CHANNELS: Final = "whole/test_approval_channels.py::"
_OVER_STDIO: Final = "whole/test_orders_over_stdio.py::"
_CLIENT_READING: Final = "okx/test_client_reading.py::"
_IN_QUERY: Final = "okx/test_query.py::"

_EACH_KIND: Final = "*(lambda kind=kind: exchange."
_EACH_CONDITION: Final = "test_each_condition_alone_keeps_a_policy_from_approving"
_NOT_KNOWN: Final = "test_what_is_not_known_is_never_approved"
_NEVER_ARRIVED: Final = f"{_FAULTS}test_an_order_that_never_arrived_has_no_effect_only_once_it_cannot_arrive_any_more"
_FOUND: Final = f"{_FAULTS}test_an_order_that_arrived_is_found_whatever_became_of_the_answer"
_AT_LIMIT: Final = f"{_IN_LIMITS}test_at_the_limit_it_passes_and_one_step_beyond_it_is_refused_with_rule_and_figures"
_TORN_DOWN: Final = f"{_COMMITTING}test_a_commit_that_is_torn_down_by_force_records_what_is_known"
_OWN_ROW: Final = f"{_CLIENT_ANSWERS}test_an_answer_that_does_not_tell_of_this_very_order_proves_nothing"
_BROKEN_CHANGE: Final = f"{_AMENDING}test_whatever_breaks_a_change_is_known_in_the_end"

_AS_SHOWN: Final = "if view is not None and view.is_open and view.figures == ticket.order.figures:"
_BEGINS: Final = (
    "        async with self._file.transaction() as db:\n            found = _find(db, approval.ticket_id, account)\n"
)
_LOCKED: Final = "\n            if _tables(db) != _own_tables():"
_DECIDED: Final = "                yield db\n                "
_SHOWN: Final = (
    "is_made = view.price == ticket.price and (view.size == ticket.own_size or _was_cut_short(view, ticket))"
)

_ONE_APPROVAL: Final = (
    _guard(
        "an approval is used once",
        _JOURNAL,
        "if found.state is OrderState.PROPOSED and now_ms < found.ticket.expires_ms:",
        "if now_ms < found.ticket.expires_ms:",
        f"{_IN_JOURNAL}test_an_approval_is_used_once_over_two_journals_on_one_file",
        f"{_COMMITTING}test_committing_again_returns_the_record_and_sends_nothing",
    ),
    _guards(
        "it is used in one transaction",
        (
            Edit(_FILE, f'db.execute("BEGIN IMMEDIATE"){_LOCKED}', f'db.execute("SELECT 1"){_LOCKED}'),
            Edit(_FILE, f'{_DECIDED}db.execute("COMMIT")', f'{_DECIDED}db.execute("SELECT 1")'),
        ),
        f"{_IN_JOURNAL}test_a_journal_that_another_writes_can_be_read_and_not_written",
        f"{_GATE}test_a_decision_waits_for_the_lock_before_it_reads",
    ),
    _guard(
        "that takes the lock before it reads",
        _FILE,
        f'db.execute("BEGIN IMMEDIATE"){_LOCKED}',
        f'db.execute("BEGIN DEFERRED"){_LOCKED}',
        f"{_GATE}test_a_decision_waits_for_the_lock_before_it_reads",
    ),
    _guard(
        "a refusal ends its transaction",
        _FILE,
        'if db.in_transaction:\n                    db.execute("ROLLBACK")',
        "if db.in_transaction:\n                    pass",
        f"{_IN_JOURNAL}test_a_ticket_blocked_by_an_unsettled_order_can_be_used_once_that_is_settled",
    ),
    _guard(
        "an expired ticket is not used",
        _JOURNAL,
        "if found.state is OrderState.PROPOSED and now_ms < found.ticket.expires_ms:",
        "if found.state is OrderState.PROPOSED:",
        f"{_COMMITTING}test_an_expired_ticket_is_never_sent",
    ),
    _guard(
        "that it expired is written down",
        _JOURNAL,
        "                found = _moved(found, OrderState.EXPIRED, now_ms)\n"
        "                _record(db, found)\n"
        "        return Begun",
        "                found = _moved(found, OrderState.EXPIRED, now_ms)\n        return Begun",
        f"{_IN_JOURNAL}test_an_expired_ticket_is_refused_and_stays_refused_when_the_clock_goes_back",
    ),
    _guard(
        "a declined ticket is not used",
        _JOURNAL,
        "now_ms, reason=why, declined_by_person=by_person)\n                _record(db, found)\n",
        "now_ms, reason=why, declined_by_person=by_person)\n",
        f"{_IN_JOURNAL}test_a_declined_ticket_is_refused",
    ),
    _guard(
        "not even where that could not be written",
        _DESK,
        "if approval.ticket_id in self._declined:",
        "if False:",
        f"{_COMMITTING}test_a_ticket_whose_decline_could_not_be_written_is_never_sent_either",
    ),
    _guard(
        "a used ticket is not declined",
        _JOURNAL,
        "            if found.state is OrderState.PROPOSED:\n"
        "                found = _moved(found, OrderState.DECLINED,",
        "            if True:\n                found = _moved(found, OrderState.DECLINED,",
        f"{_IN_JOURNAL}test_a_ticket_that_was_used_cannot_be_declined_any_more",
    ),
    _guard(
        "an approval through another channel does not count",
        _JOURNAL,
        "if not approval.channel.is_good_for(found.ticket.channel):",
        "if False:",
        f"{_COMMITTING}test_an_approval_through_another_channel_does_not_count",
    ),
    _guard(
        "live orders are approved by a person",
        "trading/approval_rules.py",
        "return _HUMAN if environment is Environment.LIVE else _HUMAN | {Channel.HOST}",
        "return _HUMAN | {Channel.HOST}",
        f"{_PROPOSING}test_live_orders_are_not_proposed_for_a_cards_word",
    ),
    _guard(
        "an account's tickets are its own",
        _JOURNAL,
        'query = f"SELECT receipt FROM tickets WHERE {OF_ACCOUNT} AND id = ?"',
        'query = f"SELECT receipt FROM tickets WHERE ?1 != 0 AND id = ?"',
        f"{_IN_JOURNAL}test_a_ticket_of_another_account_does_not_exist",
    ),
    _guard(
        "a ticket that an old copy revived is not sent again by the process that sent it",
        _DESK,
        "if ticket.id in self._begun:",
        "if False:",
        f"{_RESTORED}test_a_ticket_revived_under_a_running_server_is_not_sent_again_even_while_the_order_is_under_way",
    ),
    _guard(
        "a ticket is sent only by the process that proposed it",
        _DESK,
        "        self._approving.check_accepts(approval.channel)\n",
        "        self._approving.check_accepts(approval.channel)\n"
        "        self._own.setdefault(approval.ticket_id, self.ticket(approval.ticket_id).ticket)\n",
        f"{_RESTORED}test_a_ticket_is_sent_by_the_process_that_proposed_it_and_by_no_other",
        f"{_RESTORED}test_a_ticket_revived_by_an_old_copy_is_not_sent_again_however_often_the_exchange_denies_it",
    ),
    _guard(
        "the journal is read again after a ticket of another process was asked about",
        _DESK,
        "        recorded = self._journal.result(ticket_id, self.account)\n",
        "        recorded = None\n",
        f"{_RESTORED}test_a_ticket_that_its_own_process_sends_while_another_asks_about_it_is_not_called_unsent",
    ),
    _guard(
        "an order's line is repeated to the letter",
        _ASKING,
        "if line != ticket.line:",
        "if False:",
        f"{_OVER_STDIO}test_without_elicitation_a_ticket_waits_and_its_exact_line_sends_one_order",
    ),
    _guard(
        "only a ticked box is an approval",
        _ASKING,
        'and answer.action == "accept" and (answer.content or {}).get("place") is True:',
        'and answer.action == "accept":',
        f"{_OVER_STDIO}test_an_order_that_was_not_approved_is_never_sent_and_no_weaker_channel_opens",
    ),
)

_AS_APPROVED: Final = (
    _guard(
        "the digest that was approved is compared",
        _JOURNAL,
        "if approval.digest != found.ticket.digest or not found.ticket.sends_what_it_shows:",
        "if not found.ticket.sends_what_it_shows:",
        f"{_COMMITTING}test_an_approval_of_another_body_does_not_count",
    ),
    _guard(
        "the stored body is what was shown",
        _JOURNAL,
        "if approval.digest != found.ticket.digest or not found.ticket.sends_what_it_shows:",
        "if approval.digest != found.ticket.digest:",
        f"{_GATE}test_a_ticket_whose_body_is_not_what_its_figures_say_is_not_sent",
    ),
    _guard(
        "the stored ticket is the one that was made",
        _JOURNAL,
        "if shown is not None and found.ticket != shown:",
        "if False:",
        f"{_RESTORED}test_a_record_that_differs_from_the_ticket_that_was_shown_is_not_sent",
    ),
    _guards(
        "it is compared once nobody else can write",
        (
            Edit(
                _JOURNAL,
                _BEGINS,
                "        before = self.receipt(approval.ticket_id, account)\n"
                "        if shown is not None and before is not None and before.ticket != shown:\n"
                '            raise NotApproved("The recorded ticket differs from the one that was shown.")\n'
                f"{_BEGINS}",
            ),
            Edit(_JOURNAL, "if shown is not None and found.ticket != shown:", "if False:"),
        ),
        f"{_GATE}test_what_was_shown_is_compared_once_nobody_else_can_write",
    ),
    _guard(
        "a record of a change without its order is none",
        _ORDERS,
        "if isinstance(self.intent, Amendment) and self.order is None:",
        "if False:",
        "trading/test_orders.py::test_a_ticket_for_a_change_is_not_made_without_the_order_that_would_change",
    ),
    _guard(
        "the record is compared again just before it is sent",
        _JOURNAL,
        "if found.ticket != receipt.ticket:",
        "if False:",
        f"{_GATE}test_a_record_that_was_changed_after_the_approval_was_used_is_not_sent",
    ),
    _guard(
        "the bytes on the wire are compared with what was approved",
        _DESK,
        "if body_digest(json.loads(content)) != ticket.digest:",
        "if False:",
        f"{_GATE}test_bytes_that_differ_from_what_was_approved_do_not_leave",
    ),
)

_WRITTEN_FIRST: Final = (
    _guard(
        "SENT is written",
        _DESK,
        "sent = await self._journal.sending(intent, exp_time_ms, self._now_ms())",
        "sent = replace(intent, state=OrderState.SENT, exp_time_ms=exp_time_ms)",
        f"{_GATE}test_sent_is_on_the_disk_when_the_order_arrives",
    ),
    _guard(
        "SENT is written before the socket write",
        _REST,
        '            request.extensions["trace"] = '
        "_at_the_first_byte(await before_send(exp_time_ms, request.content))\n"
        "        answer = await self._send(asked, request, connections)\n",
        "            answer = await self._send(asked, request, connections)\n"
        "            await before_send(exp_time_ms, request.content)\n"
        "        else:\n"
        "            answer = await self._send(asked, request, connections)\n",
        f"{_SENDING}test_what_before_send_raises_stops_the_request",
        f"{_GATE}test_sent_is_on_the_disk_when_the_order_arrives",
    ),
    _guard(
        "INTENT and SENT are durable",
        _FILE,
        "{'FULL' if synced else 'NORMAL'}",
        "NORMAL",
        f"{_DISK}test_a_loss_of_power_takes_back_nothing_that_was_written_before",
    ),
    _guard(
        "an outcome that the exchange was not asked about is durable",
        _JOURNAL,
        "self._file.transaction(synced=is_ours)",
        "self._file.transaction(synced=False)",
        f"{_DISK}test_a_loss_of_power_takes_back_nothing_that_was_written_before",
    ),
    _guard(
        "only an INTENT is sent",
        _JOURNAL,
        "if found.state is not OrderState.INTENT:",
        "if False:",
        f"{_IN_JOURNAL}test_an_order_is_sent_for_one_intent_once",
    ),
    _guard(
        "a ticket that expired while it waited for its turn is not sent",
        _JOURNAL,
        "if now_ms >= found.ticket.expires_ms:",
        "if False:",
        f"{_IN_JOURNAL}test_nothing_is_sent_for_a_ticket_that_expired_while_it_waited_for_its_turn",
    ),
    _guard(
        "a journal that fails before the send stops it",
        _DESK,
        "        except Refusal as refusal:\n            return await record(",
        "        except NotApproved as refusal:\n            return await record(",
        f"{_COMMITTING}test_a_journal_that_fails_at_sent_means_that_nothing_is_sent",
    ),
    _guard(
        "a journal that fails after the send changes nothing that is said",
        _RECONCILE,
        "except (JournalUnavailable, NotApproved):",
        "except NotApproved:",
        f"{_COMMITTING}test_a_journal_that_fails_after_the_order_was_accepted_does_not_change_what_is_reported",
    ),
    _guard(
        "a journal that was deleted under way changes nothing that is said",
        _RECONCILE,
        "except (JournalUnavailable, NotApproved):",
        "except JournalUnavailable:",
        f"{_DISK}test_a_journal_that_is_deleted_while_an_order_is_under_way_does_not_change_what_is_said",
        f"{_HOSTILE}test_an_acknowledgement_is_not_lost_where_the_journal_lost_the_ticket_meanwhile",
    ),
    _guard(
        "a journal that was deleted or replaced is noticed",
        _FILE,
        "if not is_same:",
        "if False:",
        f"{_DISK}test_a_journal_that_was_deleted_under_the_desk_sends_nothing",
    ),
    _guard(
        "what a failed sync may have lost is written anew",
        _FILE,
        "if self._may_have_lost:",
        "if False:",
        f"{_DISK}test_what_a_failed_sync_let_go_of_is_not_counted_on",
    ),
    _guard(
        "what is signed goes over a connection of its own",
        _REST,
        'self._of_one_use = pool(0, {"Connection": "close"})',
        "self._of_one_use = pool(20, {})",
        "okx/test_left_over_answers.py::test_a_refusal_that_comes_twice_is_not_taken_for_the_answer_to_an_order",
    ),
    _guard(
        "a damaged journal is a journal that cannot be used",
        _FILE,
        "except (sqlite3.Error, OSError, UnicodeError) as error:",
        "except sqlite3.OperationalError as error:",
        f"{_IN_JOURNAL}test_a_journal_that_cannot_be_used_says_so",
    ),
)

_ONE_SEND: Final = (
    _guard(
        "a POST is sent once",
        _REST,
        "        answer = await self._request(\n"
        "            asked, body=body, valid_ms=valid_ms, before_send=before_send, deadline_s=deadline_s\n"
        "        )\n",
        "        try:\n"
        "            answer = await self._request(\n"
        "                asked, body=body, valid_ms=valid_ms, before_send=before_send, deadline_s=deadline_s\n"
        "            )\n"
        "        except OkxError:\n"
        "            answer = await self._request(asked, body=body, valid_ms=valid_ms, deadline_s=deadline_s)\n",
        f"{_ASKING_AGAIN}test_an_order_is_sent_once_whatever_comes_of_it",
    ),
    _guard(
        "a request is sent once",
        _REST,
        "        answer = await self._send(asked, request, connections)\n"
        "        if answer.speaks_in_rows:\n"
        "            return answer\n"
        "        error",
        "        answer = await self._send(asked, request, connections)\n"
        "        if answer.speaks_in_rows:\n"
        "            return answer\n"
        "        answer = await self._send(asked, request, connections)\n        error",
        f"{_ASKING_AGAIN}test_an_order_is_sent_once_whatever_comes_of_it",
    ),
    _guard(
        "the HTTP library tries no connection twice",
        _REST,
        "transport=transport,\n                verify",
        "transport=transport or httpx2.AsyncHTTPTransport(retries=3),\n                verify",
        f"{_SENDING}test_a_connection_that_is_refused_is_not_tried_again",
    ),
    _guard(
        "a redirect is not followed",
        _REST,
        "follow_redirects=False",
        "follow_redirects=True",
        f"{_SENDING}test_a_redirect_is_an_error_and_nobody_goes_there",
    ),
    _guard(
        "expTime is sent",
        _REST,
        'request.headers["expTime"] = str(exp_time_ms)',
        "pass",
        f"{_SENDING}test_an_order_says_until_when_it_is_valid_on_the_exchanges_clock",
        f"{_FAULTS}test_an_order_that_arrives_after_it_was_said_to_have_no_effect_is_refused_by_the_exchange",
    ),
    _guard(
        "the desk asks for it",
        _DESK,
        "placed = await exchange.place_order(ticket.body, valid_ms=ORDER_VALID_MS, before_send",
        "placed = await exchange.place_order(ticket.body, before_send",
        f"{_FAULTS}test_an_order_that_arrives_after_it_was_said_to_have_no_effect_is_refused_by_the_exchange",
    ),
    _guard(
        "it is counted on the exchange's clock",
        _REST,
        "        now_ms = self.exchange_clock.now_ms()\n",
        "        now_ms = self._clock.wall_ms()\n",
        f"{_SENDING}test_an_order_says_until_when_it_is_valid_on_the_exchanges_clock",
    ),
    _guard(
        "nothing that adds risk is sent without OKX's time",
        _REST,
        "if asked.takes_exp_time:",
        "if False:",
        f"{_ASKING_AGAIN}test_a_write_before_which_the_clock_cannot_be_measured_is_known_not_to_have_been_sent",
    ),
    _guard(
        "a cancel is sent without it",
        _REST,
        "if asked.takes_exp_time:",
        'if asked.method == "POST":',
        f"{_HOSTILE}test_a_cancel_is_sent_though_the_time_cannot_be_asked",
    ),
    _guard(
        "and does not lose its turn because the time was long in coming",
        _REST,
        "        if body is not None:  # a cancel does",
        "        if False:  # a cancel does",
        f"{_ASKING_AGAIN}test_a_cancel_is_sent_however_long_okxs_time_is_in_coming",
    ),
    _guard(
        "who waits for a measurement of the time shares it",
        _REST,
        "            if self._measuring is not None:\n",
        "            if False:\n",
        f"{_SENDING}test_who_comes_while_the_time_is_asked_for_waits_for_that_answer",
    ),
    _guard(
        "and its failure",
        _REST,
        "        if self.error is not None:\n            raise self.error\n",
        "",
        f"{_HOSTILE}test_a_cancel_does_not_wait_behind_others_that_ask_for_the_time",
    ),
    _guard(
        "a cancelled call does not stop a commit halfway",
        _DESK,
        "with anyio.CancelScope(shield=True):\n                begun, broken =",
        "with anyio.CancelScope(shield=False):\n                begun, broken =",
        f"{_COMMITTING}test_a_commit_whose_caller_is_cancelled_still_sends_and_records",
    ),
    _guard(
        "a cancelled call does not stop a cancel halfway",
        _CANCEL,
        "with anyio.CancelScope(shield=True):\n            try:",
        "with anyio.CancelScope(shield=False):\n            try:",
        f"{_CANCELLING}test_a_cancel_whose_caller_is_cancelled_is_sent_all_the_same",
    ),
    _guard(
        "a commit that is torn down is recorded",
        _DESK,
        "        except BaseException:\n",
        "        except GeneratorExit:\n",
        _TORN_DOWN,
    ),
    _guard(
        "what was torn down after SENT is unknown",
        _DESK,
        "return receipt.state is not OrderState.INTENT",
        "return False",
        _TORN_DOWN,
    ),
    _guard(
        "what failed before SENT was not sent",
        _DESK,
        "return receipt.state is not OrderState.INTENT",
        "return True",
        _TORN_DOWN,
    ),
)

_BESIDE_AN_OPEN_END: Final = (
    _guard(
        "an UNKNOWN order holds back new ones",
        _JOURNAL,
        "                _refuse_beside_unsettled(db, found.ticket, now_ms)\n",
        "",
        f"{_IN_JOURNAL}test_an_unsettled_order_blocks_new_ones_and_is_named",
    ),
    _guard(
        "it holds back those that wait for their turn too",
        _JOURNAL,
        "            _refuse_beside_unsettled(db, receipt.ticket, now_ms)\n",
        "",
        f"{_IN_JOURNAL}test_an_order_that_waits_for_its_turn_is_held_back_when_another_ones_outcome_is_lost",
    ),
    _guard(
        "it holds back nothing of another account",
        "trading/journal_records.py",
        'query = f"SELECT receipt FROM tickets WHERE {OF_ACCOUNT} AND state IN ({marks}) AND changed_ms >= ?"',
        'query = f"SELECT receipt FROM tickets WHERE (account <> ?1 OR state IN ({marks})) AND changed_ms >= ?"',
        f"{_IN_JOURNAL}test_an_unsettled_order_of_another_account_blocks_nothing",
    ),
    _guard(
        "a SENT order that nobody waits for is unsettled",
        _JOURNAL,
        "if receipt.state is OrderState.UNKNOWN or is_abandoned(receipt, now_ms)]",
        "if receipt.state is OrderState.UNKNOWN]",
        f"{_IN_JOURNAL}test_a_send_that_nobody_waits_for_any_more_is_unsettled",
    ),
    _guard(
        "a clock that was set back hides no such order",
        _JOURNAL,
        "return abs(now_ms - receipt.at_ms) > _ABANDONED_AFTER_MS",
        "return now_ms - receipt.at_ms > _ABANDONED_AFTER_MS",
        f"{_IN_JOURNAL}test_a_send_that_nobody_waits_for_any_more_is_unsettled",
    ),
    _guard(
        "reading goes on beside an UNKNOWN order",
        _DESK,
        "        receipt = self.recorded(any_id, inst_id)\n        if receipt is not None:\n            return",
        "        receipt = self.recorded(any_id, inst_id)\n"
        "        if self.unsettled():\n"
        '            raise UnsettledOrder("wait")\n'
        "        if receipt is not None:\n            return",
        f"{_FAULTS}test_while_one_order_is_unknown_others_can_be_read_and_cancelled",
    ),
    _guard(
        "a market order on margin has no unit that OKX reads as the other",
        _MODES,
        "    if unit is not safe:",
        "    if False:",
        f"{_MARKET}test_where_okx_could_read_the_size_in_the_other_unit_nothing_is_sent",
    ),
    _guard(
        "reduce-only counts only where OKX keeps to it",
        _MODES,
        "return kind != InstType.OPTION and mode in (AcctLv.FUTURES, AcctLv.MULTI_CURRENCY)",
        "return True",
        f"{_POSITIONS}test_where_okx_does_not_keep_to_reduce_only_it_is_not_promised",
        f"{_POSITIONS}test_options_are_not_reduced_by_a_word_that_okx_ignores",
    ),
    _guard(
        "a side that opens is not reducing",
        _ORDERS,
        "return self.terms.pos_side in (None, closes)",
        "return True",
        f"{_POSITIONS}test_a_ticket_whose_side_opens_is_not_reducing_whatever_its_terms_say",
    ),
    _guard(
        "a closing order that OKX does not hold to it needs its position as it is sent",
        _DESK,
        "return await self._reason_against_closing(ticket)",
        "return None",
        f"{_POSITIONS}test_where_okx_keeps_no_order_from_opening_a_closing_one_needs_its_position_at_the_last_moment",
    ),
    _guard(
        "one side makes no room for the other where both are held",
        _EXPOSURE,
        "return -position.size if is_closed_first else _ZERO",
        "return -position.size",
        f"{_POSITIONS}test_in_long_and_short_mode_one_side_makes_no_room_for_the_other",
    ),
    _guard(
        "a larger order on contracts is held against the leverage",
        _TICKETS,
        "Wanted(takes, _leverage_of(instrument, terms), counts=not terms.reduces, opens=opens)",
        "Wanted(takes, None, counts=not terms.reduces, opens=opens)",
        f"{_POSITIONS}test_leverage_is_asked_for_where_a_change_makes_an_order_larger",
    ),
    _guard(
        "no transfer moves the loss of the day",
        _LIMITS,
        "    elif limits.day_loss_usd is not None:",
        "    elif False:",
        f"{_ACCOUNT}test_no_transfer_hides_a_loss_from_the_days_limit_or_looks_like_one",
    ),
    _guard(
        "a stop that is not there is told",
        _ORDERS,
        "None if wanted.stop_loss == shown.stop_loss else wanted.stop_loss",
        "None",
        f"{_MARKET}test_an_order_whose_stop_okx_does_not_show_is_told_as_unprotected",
    ),
    _guard(
        "nothing is said to be gone that may still arrive",
        _CANCEL_ALL,
        "                if not views:\n                    raise UnsettledOrder(_MAY_STILL_ARRIVE)\n",
        "",
        f"{_TRIGGERS}test_while_a_trigger_order_may_still_arrive_nobody_says_that_nothing_is_open",
    ),
    _guard(
        "a triggered order is cancelled by whatever id it is named",
        _CANCEL,
        "cls(receipt.ticket.id,",
        "cls(any_id,",
        f"{_TRIGGERS}test_a_cancel_that_comes_just_after_the_trigger_cancels_the_order_that_it_became",
    ),
    _guard(
        "cancelling goes on beside an UNKNOWN order",
        _DESK,
        "        return await self._cancel_by_id.one(",
        "        if self.unsettled():\n"
        '            raise UnsettledOrder("wait")\n'
        "        return await self._cancel_by_id.one(",
        f"{_FAULTS}test_while_one_order_is_unknown_others_can_be_read_and_cancelled",
    ),
    _guard(
        "cancelling goes on beside a journal that somebody writes to",
        _RECONCILE,
        "except (JournalUnavailable, NotApproved):",
        "except NotApproved:",
        f"{_CANCELLING}test_a_journal_that_another_process_writes_to_does_not_hold_up_a_cancel",
    ),
    _guard(
        "cancelling goes on without a journal",
        _RECORDED,
        "            if inst_id is None:\n                raise JournalUnavailable(",
        "            if True:\n                raise JournalUnavailable(",
        f"{_CANCELLING}test_a_damaged_journal_does_not_stop_a_cancel",
    ),
    _guard(
        "what an earlier process left open is asked for before the first order",
        _DESK,
        "if not shown.reduces and await within(_SETTLE_AT_START_WITHIN_S, self._settling.at_start) is None:",
        "if False:",
        f"{_FAULTS}test_what_an_earlier_process_left_unknown_is_asked_for_before_the_first_order",
    ),
    _guard(
        "that is not waited for for ever",
        _DESK,
        "if not shown.reduces and await within(_SETTLE_AT_START_WITHIN_S, self._settling.at_start) is None:",
        "if not await self._settling.at_start():",
        f"{_SETTLING}test_a_first_order_does_not_wait_for_ever_for_what_was_left_open_and_is_not_sent",
    ),
    _guard(
        "open ends are settled side by side",
        _SETTLE,
        "await all_of(*(partial(self._settled_if_possible, receipt) for receipt in open_ends))",
        "[await self._settled_if_possible(receipt) for receipt in open_ends]",
        f"{_HOSTILE}test_the_first_commit_after_a_restart_comes_back_whatever_was_left_open",
    ),
    _guard(
        "one that cannot be settled stands in no other one's way",
        _SETTLE,
        "        except (Refusal, OkxError):\n            return receipt\n",
        "        except (Refusal, OkxError):\n            raise\n",
        f"{_SETTLING}test_an_open_end_that_cannot_be_settled_stands_in_no_other_ones_way",
    ),
    _guard(
        "what a commit leaves open is asked for until it is known",
        _SETTLE,
        "            self._left_open.set()\n",
        "            pass\n",
        f"{_GATE}test_what_a_commit_leaves_open_is_asked_for_until_it_is_known",
    ),
    _guard(
        "an INTENT at work is not given up",
        _JOURNAL,
        "            if found.state is OrderState.INTENT and is_abandoned(found, now_ms):\n",
        "            if found.state is OrderState.INTENT:\n",
        f"{_IN_JOURNAL}test_an_intent_that_may_be_at_work_is_not_given_up",
    ),
    _guard(
        "an INTENT is asked for before it is given up",
        _RECONCILE,
        "if receipt.state is OrderState.INTENT and is_abandoned(receipt, self.now_ms()):",
        "if False:",
        f"{_RESTORED}test_an_intent_in_an_old_copy_is_asked_for_before_it_is_given_up",
    ),
    _guard(
        "an INTENT that was given up is never sent",
        _JOURNAL,
        "                found = _moved(found, OrderState.NOT_SENT, now_ms, reason=reason)\n"
        "                _record(db, found)\n",
        "                found = _moved(found, OrderState.NOT_SENT, now_ms, reason=reason)\n",
        f"{_IN_JOURNAL}test_an_abandoned_intent_was_not_sent_and_can_never_be",
    ),
    _guard(
        "what this process is at is left to it",
        _SETTLE,
        "if each.ticket.id not in self._under_way",
        "if each.ticket.id",
        f"{_GATE}test_an_order_that_is_under_way_is_not_asked_for_by_somebody_else",
    ),
    _guard(
        "orders of others are never adopted",
        _RECORDED,
        'return receipt is not None and receipt.state.order_sent != "no"',
        "return cl_ord_id is not None",
        f"{_FAULTS}test_open_orders_of_others_are_told_apart_from_our_own",
    ),
    _guard(
        "an order that a journal calls unsent is not taken for its own",
        _RECORDED,
        'return receipt is not None and receipt.state.order_sent != "no"',
        "return receipt is not None",
        f"{_FAULTS}test_open_orders_of_others_are_told_apart_from_our_own",
    ),
    _guard(
        "what the journal calls unsent is asked for where a copy may have been put back",
        _DESK,
        'if receipt.state.order_sent != "no" or self._is_unused(receipt) or is_change:',
        "if True:",
        f"{_RESTORED}test_a_ticket_that_an_old_copy_calls_expired_is_told_as_the_exchange_has_it",
    ),
    _guard(
        "and cancelled at the exchange",
        _CANCEL_BY_ID,
        "receipt.state.was_never_used and (receipt.ticket.order or self._is_unused(receipt)):",
        "receipt.state.was_never_used:",
        f"{_RESTORED}test_an_order_that_an_old_copy_calls_unsent_is_cancelled_at_the_exchange",
    ),
    _guard(
        "our journal's instrument goes before the model's",
        _RECORDED,
        "    if receipt is not None and isinstance(receipt.ticket, Ticket):\n",
        "    if receipt is not None and isinstance(receipt.ticket, Ticket) and inst_id is None:\n",
        f"{_HOSTILE}test_an_order_of_ours_is_cancelled_whatever_instrument_the_model_names",
    ),
    _guard(
        "one denial after a broken cancel is not believed",
        _CANCEL,
        "if failure.code not in _NOTHING_TO_CANCEL:",
        "if False:",
        f"{_HOSTILE}test_one_denial_after_a_broken_cancel_does_not_make_a_live_order_vanish",
    ),
    _guard(
        "an accepted cancel is waited for",
        _CANCEL,
        "for pause_s in _CANCEL_SHOWS_AFTER_S:",
        "for pause_s in _CANCEL_SHOWS_AFTER_S[:0]:",
        f"{_CANCELLING}test_an_accepted_cancel_is_waited_for_until_the_order_shows_it",
    ),
    _guard(
        "what does not show it is not told as live",
        _CANCEL,
        "        if not view.state.is_final:\n            return CancelResult",
        "        if False:\n            return CancelResult",
        f"{_CANCELLING}test_an_order_that_does_not_show_its_accepted_cancel_is_not_called_live",
        f"{_CANCELLING}test_a_cancel_that_did_not_work_says_so_and_the_order_stays_known_as_live",
    ),
    _guard(
        "an order that is not there yet is not said to be gone",
        _CANCEL,
        'if named.receipt is not None and named.receipt.state.order_sent == "unknown":',
        "if False:",
        f"{_FAULTS}test_an_order_that_is_not_there_yet_is_not_said_to_be_gone",
    ),
    _guard(
        "a word that proves less does not go over what is known",
        _JOURNAL,
        "if not receipt.state.supersedes(found.state) and not _is_what_became_of(found, receipt):",
        "if False:",
        f"{_IN_JOURNAL}test_a_late_word_that_proves_less_does_not_take_back_what_is_known",
    ),
    _guard(
        "the exchange's word goes over a conclusion from its silence",
        _STATES,
        "**dict.fromkeys((*_NEVER_SENT - {OrderState.PROPOSED}, OrderState.NO_EFFECT), 4),",
        "**dict.fromkeys((*_NEVER_SENT - {OrderState.PROPOSED}, OrderState.NO_EFFECT), 9),",
        f"{_IN_JOURNAL}test_the_exchanges_word_goes_over_a_conclusion_from_its_silence",
    ),
)

_PROVEN: Final = (
    *(
        _guard(
            f"{row.evidence.code} proves nothing",
            _OUTCOME,
            f'Row(Code("{row.evidence.code}"), Outcome.UNKNOWN,',
            f'Row(Code("{row.evidence.code}"), Outcome.REJECTED,',
            f"{_OUTCOMES}test_the_table_is_this_one",
        )
        for row in PROVES
        if isinstance(row.evidence, Code)
    ),
    _guard(
        "the table is what is concluded",
        _OUTCOME,
        "if error.answered.code in _BY_CODE:",
        "if False:",
        f"{_OUTCOMES}test_every_row_of_the_table_is_what_is_concluded",
    ),
    _guard(
        "a server's fault proves nothing",
        _OUTCOME,
        "if (error.answered.http_status or 200) >= 500:",
        "if False:",
        _NEVER_ARRIVED,
    ),
    _guard(
        "an answer that cannot be read proves nothing",
        _OUTCOME,
        "    if not isinstance(error, Refused):\n        return Outcome.UNKNOWN\n",
        "    if not isinstance(error, Refused):\n        return Outcome.REJECTED\n",
        _FOUND,
    ),
    _guard(
        "a code that nobody knows proves nothing",
        _OUTCOME,
        "and explained.again in _REFUSES else Outcome.UNKNOWN",
        "and explained.again in _REFUSES else Outcome.REJECTED",
        _NEVER_ARRIVED,
    ),
    _guard(
        "a code that answers another request proves nothing",
        _OUTCOME,
        "if error.answered.code.startswith(_FOREIGN_TO[about]):",
        "if False:",
        f"{_OUTCOMES}test_the_answer_to_another_request_proves_nothing",
    ),
    _guard(
        "a broken connection is not a connection that never was",
        _REST,
        "except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:",
        "except (httpx2.NetworkError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:",
        _FOUND,
    ),
    _guard(
        "an answer that does not come in time is not a refusal",
        _REST,
        "except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:",
        "except (httpx2.ConnectError, httpx2.TimeoutException) as error:",
        _FOUND,
    ),
    _guard(
        "the answer's row is about our order",
        _CLIENT,
        "        if body.get(name) and named != body[name]:\n",
        "        if False:\n",
        _OWN_ROW,
        _FOUND,
    ),
    _guard("the answer has no more than one row", _REST, "if len(rows) != 1:", "if not rows:", _OWN_ROW),
    _guard(
        "an answer without a row is no answer",
        _CLIENT,
        "    ack = only(acks, asked, answered)\n",
        "    if not acks:\n"
        "        raise order_refusal(asked, replace(answered, code='51000'))\n"
        "    ack = only(acks, asked, answered)\n",
        _OWN_ROW,
    ),
    _guard(
        "a row without sCode is no answer",
        _CLIENT,
        "    if ack.s_code is None:\n",
        "    if False:\n",
        _OWN_ROW,
        _FOUND,
    ),
    _guard(
        "a row that says no is believed under code 0",
        _CLIENT,
        '    if ack.s_code != "0":\n',
        '    if ack.s_code != "0" and answered.code != "0":\n',
        f"{_FAULTS}test_what_proves_that_nothing_was_placed_is_said_at_once_and_blocks_nothing",
    ),
    _guard(
        "an acknowledged change is the one that was sent",
        _CLIENT,
        'if body.get("reqId") and ack.req_id != body["reqId"]:',
        "if False:",
        f"{_AMENDING}test_whatever_breaks_a_change_is_known_in_the_end",
    ),
)

_NOT_FOUND: Final = (
    _guard(
        "two rounds of denial are needed",
        _RECONCILE,
        "_DENIALS: Final = 2",
        "_DENIALS: Final = 1",
        f"{_GATE}test_one_denial_is_not_enough",
    ),
    _guard(
        "a denial counts only once the order cannot arrive any more",
        _RECONCILE,
        "or self.now_ms() <= exp_time_ms + uncertainty_ms:",
        "or self.now_ms() <= 0:",
        f"{_GATE}test_no_denial_counts_before_the_margin_is_past",
    ),
    _guard(
        "the clock's uncertainty is waited for",
        _RECONCILE,
        "or self.now_ms() <= exp_time_ms + uncertainty_ms:",
        "or self.now_ms() <= exp_time_ms:",
        f"{_GATE}test_no_denial_counts_before_the_clocks_uncertainty_is_past",
    ),
    _guard(
        "the exchange has a margin to show an order",
        _RECONCILE,
        "return now_s - silence.since_s > _MARGIN_S",
        "return now_s > silence.since_s",
        f"{_GATE}test_no_denial_counts_before_the_margin_is_past",
    ),
    _guard(
        "no clock of the exchange's shortens the margin",
        _RECONCILE,
        "return now_s - silence.since_s > _MARGIN_S",
        "return self.now_ms() > exp_time_ms + uncertainty_ms + _MARGIN_S * 1000",
        f"{_FAULTS}test_an_exchanges_clock_that_jumps_ahead_does_not_shorten_the_wait_for_an_order_that_shows_late",
    ),
    _guard(
        "the lists are asked in each round",
        _RECONCILE,
        "        if sight is None and is_over:\n",
        "        if False:\n",
        f"{_FAULTS}test_a_denied_order_is_not_without_effect_while_a_list_cannot_be_read",
    ),
    *(
        _guard(
            f"{name} is one of them",
            _LOOKUPS,
            f"        {call},\n",
            "",
            f"{_GATE}test_each_list_alone_shows_an_order_that_is_denied",
        )
        for name, call in (
            ("the list of open orders", "lambda: exchange.open_orders(inst_id)"),
            ("the history", f"{_EACH_KIND}order_history(kind, inst_id, begin=begin) for kind in kinds)"),
            ("the archive", f"{_EACH_KIND}order_archive(kind, inst_id, begin=begin) for kind in kinds)"),
        )
    ),
    _guard(
        "the histories are read from the ticket on",
        _LOOKUPS,
        "begin = ticket.created_ms - _BEFORE_THE_TICKET_MS",
        "begin = None",
        f"{_FAULTS}test_the_histories_are_read_from_the_ticket_on",
    ),
    _guard(
        "the fills are asked in each round",
        _RECONCILE,
        "return sight, not await lookup.left_fills()",
        "return sight, True",
        f"{_FAULTS}test_a_denied_order_is_not_without_effect_while_there_are_fills_of_it",
    ),
    *(
        _guard(
            f"{name} are among them",
            _LOOKUPS,
            f"            {call},\n",
            "",
            f"{_GATE}test_each_record_of_fills_alone_keeps_a_denied_order_from_being_without_effect",
        )
        for name, call in (
            ("the latest fills", "lambda: exchange.fills(inst_id=inst_id)"),
            ("older fills", f"{_EACH_KIND}fills_history(kind, inst_id=inst_id) for kind in _kinds(self._ticket))"),
        )
    ),
    _guard(
        "a round that shows it makes the denials before it void",
        _RECONCILE,
        "        if not is_denied:\n            silence.denied = 0\n",
        "        if not is_denied:\n            pass\n",
        f"{_GATE}test_denials_before_and_after_a_round_that_did_not_deny_are_not_two",
    ),
    _guard(
        "denials are counted a second apart",
        _RECONCILE,
        "elif now_s - silence.denied_at_s >= _ASK_EVERY_S:",
        "else:",
        f"{_SETTLING}test_two_who_are_denied_at_one_moment_have_heard_one_denial",
    ),
    _guard(
        "and kept between calls",
        _RECONCILE,
        "silence = self._silences.setdefault(receipt.ticket.id, _Silence())",
        "silence = _Silence()",
        f"{_HOSTILE}test_an_unknown_order_is_settled_over_a_slow_wire",
    ),
    _guard(
        "an order whose expiry is not recorded is over one day",
        _RECONCILE,
        "if uncertainty_ms is None or self.now_ms()",
        "if uncertainty_ms is None or receipt.exp_time_ms is None or self.now_ms()",
        f"{_HOSTILE}test_an_unknown_order_without_its_end_is_settled_all_the_same",
    ),
    _guard(
        "after the longest there is, and not before",
        _RECONCILE,
        "exp_time_ms = receipt.at_ms + _LONGEST_VALID_MS if receipt.exp_time_ms is None else receipt.exp_time_ms",
        "exp_time_ms = receipt.exp_time_ms or receipt.at_ms",
        f"{_SETTLING}test_an_order_without_its_end_is_not_given_up_before_the_longest_there_is",
    ),
    _guard(
        "settling ends by this machine's time",
        _RECONCILE,
        "known = await within(_SETTLE_WITHIN_S, lambda: self._asked_until_known(receipt))",
        "known = await self._asked_until_known(receipt)",
        f"{_SETTLING}test_a_commit_whose_question_hangs_comes_back",
    ),
    _guard(
        "and by its own clock",
        _RECONCILE,
        "give_up_s = self._clock.monotonic_s() + _SETTLE_WITHIN_S",
        "give_up_s = self._clock.monotonic_s() + 10 * _SETTLE_WITHIN_S",
        f"{_HOSTILE}test_a_commit_over_a_slow_wire_comes_back",
    ),
    _guard(
        "so does reading again",
        _RECONCILE,
        "seen = await within(_SETTLE_WITHIN_S, lambda: self._seen_now(receipt))",
        "seen = await self._seen_now(receipt)",
        f"{_SETTLING}test_a_check_whose_question_hangs_comes_back_and_tells_nothing_from_memory",
    ),
    _guard(
        "a strange row of a list voids only itself",
        _CLIENT,
        'self._rest.read(model, path, params, at_least=("instId", "ordId", "clOrdId"))',
        "self._rest.read(model, path, params)",
        f"{_CLIENT_ANSWERS}test_a_row_of_a_list_that_cannot_be_read_keeps_its_ids",
        f"{_HOSTILE}test_an_unknown_order_is_settled_beside_a_strange_order_of_somebody_else",
    ),
    _guards(
        "unless it lacks an id",
        (
            Edit(_REST, " or not all(isinstance(row.get(name), str) for name in at_least):", ":"),
            Edit(_REST, "{name: row[name] for name in at_least}", "{name: row.get(name) for name in at_least}"),
        ),
        f"{_CLIENT_ANSWERS}test_a_row_of_a_list_that_cannot_be_read_and_lacks_an_id_voids_the_answer",
    ),
    _guard(
        "a question that failed makes the denials before it void",
        _RECONCILE,
        "            except OkxError:\n                silence.denied = 0\n",
        "            except OkxError:\n                pass\n",
        f"{_GATE}test_denials_before_and_after_a_question_that_failed_are_not_two",
    ),
    _guard(
        "an order that was read is the one that was asked for",
        _LOOKUPS,
        "if order is not None and not (is_one and any_id in (order.ord_id, order.cl_ord_id)):",
        "if order is not None and not is_one:",
        f"{_FAULTS}test_an_answer_about_another_order_settles_nothing",
    ),
    _guard(
        "a row that says nothing of an order is not taken for it",
        _LOOKUPS,
        "if order is not None and not (is_one and any_id in (order.ord_id, order.cl_ord_id)):",
        "if order is not None and any_id not in (order.ord_id, order.cl_ord_id):",
        f"{_CANCELLING}test_a_row_without_a_state_is_not_taken_for_an_order_that_is_asked_for",
    ),
    _guard(
        "an order of the other side is not the one that was placed",
        _LOOKUPS,
        "if order is not None and (order.inst_id, order.side) != (inst_id, ticket.side):",
        "if False:",
        f"{_GATE}test_a_row_that_is_not_the_orders_own_settles_nothing",
    ),
    _guard(
        "what is not known when the time for asking is over is UNKNOWN",
        _RECONCILE,
        "if known is None and receipt.state is OrderState.SENT:",
        "if False:",
        f"{_GATE}test_what_a_dead_process_sent_and_nobody_can_be_asked_about_is_unknown",
    ),
    _guard(
        "an order that cannot be read again is not told from memory",
        _RECONCILE,
        '        raise Unknown(f"{READ_ORDER}: order {receipt.ticket.id}, last seen',
        '        return receipt\n        raise Unknown(f"{READ_ORDER}: order {receipt.ticket.id}, last seen',
        f"{_GATE}test_an_order_that_was_live_and_is_denied_is_not_told_from_memory",
    ),
    _guard(
        "an order asked for hours later is not said to have never rested",
        _LOOKUPS,
        "if now_ms > (receipt.exp_time_ms or 0) + _FORGETS_AFTER_MS:",
        "if False:",
        f"{_FAULTS}test_an_order_asked_for_hours_later_is_not_said_to_have_never_rested",
    ),
)

_CHANGES: Final = (
    _guard(
        "a buy that OKX could count in the quote currency is not sent",
        _WAITING,
        "if order.ord_type is not AlgoOrdType.CONDITIONAL:",
        "if False:",
        f"{_TRIGGERS}test_a_buy_at_market_that_okx_could_count_in_dollars_is_not_sent",
    ),
    _guard(
        "of what waits only a conditional buy says tgtCcy",
        _INTENTS,
        "return _target(quantity, in_quote=False) if is_conditional_buy else {}",
        "return _target(quantity, in_quote=False)",
        f"{_TRIGGERS}test_of_what_waits_only_a_conditional_buy_at_market_says_what_it_counts",
    ),
    *(
        _guard(name, file, guarded, without, f"{_OF_TRIGGERS}{test}")
        for name, file, guarded, without, test in (
            (
                "what it waits for is compared before it is changed",
                _DESK,
                "view.figures == ticket.order.figures",
                "(view.size, view.price) == (ticket.order.size, ticket.order.price)",
                "test_an_order_that_another_hand_moved_meanwhile_is_not_changed",
            ),
            (
                "a change of a trigger is made when the order shows it",
                _OTHER_LOOKUPS,
                "OrderState.AMENDED if view.trigger == self._ticket.trigger else None",
                "OrderState.AMENDED",
                "test_an_acknowledged_change_that_no_order_shows_is_not_said_to_be_done",
            ),
            (
                "every price of what waits goes out",
                _INTENTS,
                "for name, value in becomes.exits.fields().items()",
                "for name, value in Exits(self.take_profit, self.stop_loss).fields().items()",
                "test_every_figure_goes_out_also_the_one_that_stays",
            ),
            (
                "only a price that an order has is moved",
                _WAITING,
                "if new is not None and old is None:",
                "if False:",
                "test_a_change_that_does_not_fit_is_refused_before_anybody_is_asked",
            ),
            (
                "a change of a trigger changes something",
                _WAITING,
                "if changed_trigger(was, change) == was:",
                "if False:",
                "test_a_change_that_does_not_fit_is_refused_before_anybody_is_asked",
            ),
            (
                "only what could be placed here is changed",
                _WAITING,
                "if not _is_one_of_ours(algo) or len(price_types) != 1",
                "if len(price_types) != 1",
                "test_what_could_not_have_been_placed_here_is_not_changed_for_it_could_not_be_shown",
            ),
            (
                "an exit with a price of its own is not changed",
                _WAITING,
                "        and all(price == _AT_MARKET for price in exits_at)\n",
                "",
                "test_what_could_not_have_been_placed_here_is_not_changed_for_it_could_not_be_shown",
            ),
            (
                "a size that may count the quote currency is not changed",
                _WAITING,
                "return algo.tgt_ccy == TgtCcy.BASE",
                "return True",
                "test_a_buy_at_market_that_okx_may_count_in_the_quote_currency_is_not_changed",
            ),
            (
                "a trigger is moved where it is not reached yet",
                _TICKETS,
                "price = check_trigger(order, instrument, look.exposure.last if look.exposure else None)",
                "price = order.valued_at or _ZERO",
                "test_a_change_that_does_not_fit_is_refused_before_anybody_is_asked",
            ),
            (
                "a protective stop does not outgrow its position",
                _TICKETS,
                "            check_reduces(terms, quantity, instrument.inst_id, becomes.side, held)\n",
                "",
                "test_a_protective_stop_does_not_outgrow_its_position",
            ),
            (
                "a protective stop is moved whatever its value",
                _ORDERS,
                "            reduce_only=bool(algo.reduce_only),\n",
                "",
                "test_a_protective_stop_is_moved_whatever_its_value_and_the_orders_before",
            ),
            (
                "a change of a trigger is held against the terms of its order",
                _TICKETS,
                "return _Exact(body, quantity, price, look, terms, order)",
                "return _Exact(body, quantity, price, look, order=order)",
                "test_a_moved_trigger_is_held_against_leverage_and_margin_modes",
            ),
            (
                "a change of a trigger is looked at with its depth again",
                _TICKETS,
                "and not (ticket.reduces and ticket.trigger is not None):",
                "and ticket.trigger is None:",
                "test_a_book_that_got_thin_stops_an_approved_change",
            ),
            (
                "what a moved trigger takes at market is held against the book",
                _TICKETS,
                "takes = None if terms.reduces else (order.side, own, instrument.size_unit)",
                "takes = None",
                "test_what_a_moved_trigger_takes_at_market_is_held_against_the_book_of_now",
            ),
            (
                "a sale that waits counts with the bid before its change too",
                "trading/valuation.py",
                "price if order.trigger is None or ticket.side == Side.BUY else max(price, prices.bid or _ZERO)",
                "price",
                "test_only_what_a_change_adds_counts_for_the_day",
            ),
        )
    ),
    _guard(
        "two changes of one order are not under way at once",
        _JOURNAL,
        "                _refuse_beside_amendment(db, found.ticket)\n",
        "",
        f"{_AMENDING}test_an_accepted_change_that_is_not_carried_out_yet_holds_back_the_next",
    ),
    _guard(
        "a change is not sent where its order is not as shown",
        _DESK,
        "against = await self._reason_against(shown)",
        "against = None",
        f"{_AMENDING}test_a_change_is_not_sent_where_its_order_has_other_figures_than_were_shown",
        f"{_HOSTILE}test_a_change_that_never_arrived_is_not_called_made",
    ),
    *(
        _guard(name, _DESK, _AS_SHOWN, without, f"{_AMENDING}{test}")
        for name, without, test in (
            (
                "its size is compared",
                "if view is not None and view.is_open and view.figures[1:] == ticket.order.figures[1:]:",
                "test_a_change_is_not_sent_where_its_order_has_other_figures_than_were_shown",
            ),
            (
                "its price is compared",
                "if view is not None and view.is_open and view.figures[::2] == ticket.order.figures[::2]:",
                "test_a_change_is_not_sent_where_its_order_has_other_figures_than_were_shown",
            ),
            (
                "that it rests is looked at",
                "if view is not None and view.figures == ticket.order.figures:",
                "test_a_change_is_not_sent_where_its_order_does_not_rest_any_more",
            ),
            (
                "that it is there is looked at",
                "if view is None or view.is_open:",
                "test_a_change_is_not_sent_where_its_order_is_denied",
            ),
        )
    ),
    *(
        _guard(
            f"a change carries the {what} that stays too",
            _INTENTS,
            'changes = {"newSz": plain(_own_size(quantity)), "newPx": plain(price)}',
            without,
            f"{_AMENDING}{test}",
        )
        for what, without, test in (
            (
                "size",
                'changes = {"newPx": plain(price)}',
                "test_a_ticket_for_a_change_shows_what_was_and_what_would_be",
            ),
            (
                "price",
                'changes = {"newSz": plain(quantity.base)} | ({"newPx": plain(price)} if self.price else {})',
                "test_a_change_of_the_size_alone_goes_out_at_the_price_that_was_shown",
            ),
        )
    ),
    _guard(
        "an order with other figures than before and after was changed by others",
        _LOOKUPS,
        "if view is None or view.figures != was.figures:",
        "if view is None:",
        f"{_HOSTILE}test_a_change_that_was_made_and_then_overtaken_by_another_client_is_not_called_without_effect",
    ),
    _guard(
        "of an order that is gone no change is denied",
        _LOOKUPS,
        "if view is None or view.figures != was.figures:",
        "if view is not None and view.figures != was.figures:",
        f"{_AMENDING}test_a_change_whose_order_is_gone_is_not_said_to_have_had_no_effect",
    ),
    _guard(
        "a waiting change is withdrawn after a restart",
        _CANCEL_BY_ID,
        "receipt.state.was_never_used and (receipt.ticket.order or self._is_unused(receipt)):",
        "receipt.state.was_never_used and self._is_unused(receipt):",
        f"{_HOSTILE}test_a_waiting_change_is_withdrawn_after_a_restart_as_before_it",
    ),
    _guard(
        "only an order that rests is changed",
        _TICKETS,
        "if view is None or not view.is_open:",
        "if view is None:",
        f"{_AMENDING}test_an_order_that_does_not_rest_cannot_be_changed",
    ),
    _guard(
        "only an order that is known with its side is changed",
        _TICKETS,
        "if view.side not in tuple(Side) or not is_ord_id(view.ord_id):",
        "if False:",
        f"{_AMENDING}test_an_order_of_which_okx_does_not_say_what_it_is_cannot_be_changed",
    ),
    _guard(
        "a change that changes nothing is refused",
        _TICKETS,
        "if (size, price) == (order.size, order.price):",
        "if False:",
        f"{_AMENDING}test_a_change_that_does_not_fit_is_refused_before_anybody_is_asked",
    ),
    _guard(
        "a size that is filled already is refused",
        _TICKETS,
        "    if size <= order.filled_size:\n",
        "    if False:\n",
        f"{_AMENDING}test_a_new_size_that_is_filled_already_is_refused_before_anybody_is_asked",
    ),
    _guard(
        "a change is made when the order shows it",
        _LOOKUPS,
        _SHOWN,
        "is_made = True",
        f"{_AMENDING}test_a_change_that_was_acknowledged_and_not_carried_out_is_not_said_to_be_done",
    ),
    _guard(
        "its size is looked at",
        _LOOKUPS,
        _SHOWN,
        "is_made = view.price == ticket.price",
        f"{_AMENDING}test_a_change_of_which_only_a_part_shows_is_not_said_to_be_done",
    ),
    _guard(
        "its price is looked at",
        _LOOKUPS,
        _SHOWN,
        "is_made = view.size == ticket.own_size or _was_cut_short(view, ticket)",
        f"{_AMENDING}test_a_change_of_which_only_a_part_shows_is_not_said_to_be_done",
    ),
    _guard(
        "a change that was cut short by fills was made",
        _LOOKUPS,
        " or _was_cut_short(view, ticket))",
        ")",
        f"{_AMENDING}test_a_size_below_what_was_filled_meanwhile_is_amended_and_ends_the_order",
    ),
    _guard(
        "an order that was filled before its change was not changed",
        _LOOKUPS,
        "and size != ticket.changed.size and",
        "and",
        f"{_AMENDING}test_an_order_that_was_filled_before_its_change_was_not_changed",
    ),
    _guard(
        "a failure of a change is not one of an order",
        _DESK,
        "proves(error, _about(receipt.ticket))",
        "proves(error, About.ORDER)",
        _BROKEN_CHANGE,
    ),
    _guard(
        "a change that was not sent stays not sent, whatever the order shows",
        _DESK,
        'if receipt.state.order_sent != "no" or self._is_unused(receipt) or is_change:',
        'if receipt.state.order_sent != "no" or self._is_unused(receipt):',
        f"{_AMENDING}test_a_change_that_was_not_sent_is_not_said_to_be_done_because_another_one_did_the_same",
    ),
    _guard(
        "a change is not cancelled in its order's place",
        _CANCEL,
        "        if receipt.ticket.order is not None:\n            ord_id = receipt",
        "        if False and receipt.ticket.order is not None:\n            ord_id = receipt",
        f"{_AMENDING}test_what_rests_after_a_change_can_be_cancelled",
    ),
)

_PROPOSED: Final = (
    _guard(
        "a ticket is written down before it is shown",
        _DESK,
        "        await self._journal.propose(ticket, partial(self._approving.why_not_asked, ticket))\n",
        "",
        f"{_PROPOSING}test_proposing_writes_the_ticket_down_and_sends_nothing",
    ),
    _guard(
        "a key that may do too much or too little places nothing",
        _TICKETS,
        "        self._facts.check_trading(rules)\n",
        "",
        f"{_PROPOSING}test_a_key_that_may_do_too_much_or_too_little_is_refused",
    ),
    _guard(
        "a price outside the band is refused before anybody is asked",
        _TICKETS,
        "check_price_band(instrument, intent.side, price, await",
        "(lambda *_: None)(instrument, intent.side, price, await",
        f"{_PROPOSING}test_a_price_outside_the_band_is_refused_before_anybody_is_asked",
    ),
)

_LIMITED: Final = (
    _guard(
        "what breaks a limit gets no ticket",
        _RISK,
        "            raise AboveLimits(words)\n",
        "",
        f"{_IN_LIMITS}test_what_breaks_a_limit_gets_no_ticket_and_is_written_down",
    ),
    _guard(
        "limits are looked at again as the approval is used",
        _RISK,
        "if halted else self._breaches(ticket, look, used)",
        "if halted else []",
        f"{_IN_LIMITS}test_slices_of_two_desks_and_a_restarted_one_come_to_no_more_than_the_day_allows",
        f"{_IN_LIMITS}test_a_refusal_at_the_last_moment_names_the_rule_and_uses_the_ticket_up",
    ),
    _guards(
        "what is used up is counted once nobody else can write",
        (
            Edit(_JOURNAL, _BEGINS, f"        used = self.used(account, now_ms, burst_minutes)\n{_BEGINS}"),
            Edit(_JOURNAL, "                used = used_by(db, account, now_ms, burst_minutes)\n", ""),
        ),
        f"{_GATE}test_what_is_used_up_is_counted_once_nobody_else_can_write",
    ),
    _guard(
        "what is against an order makes no INTENT",
        _JOURNAL,
        "state = OrderState.NOT_SENT if against else OrderState.INTENT",
        "state = OrderState.INTENT",
        f"{_IN_LIMITS}test_a_refusal_at_the_last_moment_names_the_rule_and_uses_the_ticket_up",
    ),
    _guard(
        "and nothing is sent",
        _JOURNAL,
        "return Begun(found, is_ours=not against)",
        "return Begun(found, is_ours=True)",
        f"{_IN_LIMITS}test_a_refusal_at_the_last_moment_names_the_rule_and_uses_the_ticket_up",
    ),
    _guard(
        "when an order was begun is written down",
        _JOURNAL,
        "SET begun_ms = ?, added_micro_usd",
        "SET begun_ms = 0 * ?, added_micro_usd",
        f"{_IN_LIMITS}test_a_refusal_at_the_last_moment_names_the_rule_and_uses_the_ticket_up",
    ),
    _guard(
        "what it adds is written down",
        _JOURNAL,
        "counts_micro_usd = ?2 WHERE id = ?3",
        "counts_micro_usd = 0 * ?2 WHERE id = ?3",
        f"{_IN_LIMITS}test_slices_of_two_desks_and_a_restarted_one_come_to_no_more_than_the_day_allows",
    ),
    _guard(
        "only what a cancelled order left unfilled is given back",
        _JOURNAL,
        "if receipt.state is not OrderState.CANCELED or not isinstance(ticket, Ticket):",
        "if order is None or not isinstance(ticket, Ticket):",
        f"{_IN_LIMITS}test_slices_of_two_desks_and_a_restarted_one_come_to_no_more_than_the_day_allows",
    ),
    *(
        _guard(f"{name} is held against its limit", _LIMITS, guarded, without, _AT_LIMIT)
        for name, guarded, without in (
            ("the age of a price", "abs(age_ms) > limits.price_age_s * 1000:", "age_ms < -limits.price_age_s * 1000:"),
            ("a buy far over the book", "price > (most := ask * (1 + limits.collar))", "(most := ask) < 0"),
            ("a sale far under it", "price < (least := bid * (1 - limits.collar))", "(least := bid) < 0"),
            ("one order", "if usd > limits.order_usd:", "if False:"),
            ("a day", "if so_far.day_usd + added > limits.day_usd:", "if False:"),
            ("a position", "so_far.position_usd + added > most:", "so_far.position_usd > most:"),
            ("a number of orders", "if count >= most:", "if count > most:"),
            ("a burst", "if so_far.burst_orders >= limits.burst_orders:", "if False:"),
            ("a loss", "lost >= limits.day_loss_usd:", "lost > limits.day_loss_usd + 1:"),
        )
    ),
    *(
        _guard(
            f"{name} is no price",
            _LIMITS,
            guarded,
            without,
            f"{_IN_LIMITS}test_without_a_price_to_compare_with_nothing_is_sent",
        )
        for name, guarded, without in (
            ("one from the future", "abs(age_ms) > limits", "age_ms > limits"),
            ("one of unknown age", "if age_ms is None or abs", "if age_ms is not None and abs"),
            ("an empty side of the book", "if not bid or not ask or bid <= 0 or ask <= 0:", "if not bid and not ask:"),
            ("a crossed book", "if bid > ask:", "if False:"),
        )
    ),
    _guard(
        "kinds of orders that are not allowed are refused",
        _LIMITS,
        "if ticket.kind not in limits.order_types:",
        "if False:",
        f"{_IN_LIMITS}test_an_order_of_a_kind_that_is_not_allowed_is_refused",
    ),
    _guard(
        "a burst or a loss stops all trading",
        _RISK,
        "if breach.halts:",
        "if False:",
        f"{_IN_LIMITS}test_too_many_orders_in_a_burst_stop_all_trading_until_a_person_resumes_it",
        f"{_IN_LIMITS}test_a_loss_since_midnight_stops_all_trading",
    ),
    _guard(
        "also when it shows only as the approval is used",
        _DESK,
        "            await self._risk.stop_if_called_for(broken)\n",
        "",
        f"{_IN_LIMITS}test_a_loss_since_midnight_stops_all_trading",
    ),
    _guard(
        "live money has limits that its owner said",
        "limits_file.py",
        "if is_live and name not in given",
        "if False and name not in given",
        "test_limits_file.py::test_live_money_has_no_default_for_order_and_day",
    ),
)

_HALTED: Final = (
    _guard(
        "a halt stands before tickets",
        _RISK,
        "        self.halt.check()\n",
        "",
        f"{_HALTING}test_whatever_stands_there_halts",
    ),
    _guard(
        "and before what was approved earlier",
        _RISK,
        "if halted else self._breaches(ticket, look, used)",
        "if False and halted else self._breaches(ticket, look, used)",
        f"{_HALTING}test_a_ticket_from_before_the_halt_is_not_sent",
    ),
    _guard(
        "and is looked at last before the order leaves",
        _DESK,
        "            self._risk.halt.check()\n",
        "",
        f"{_HALTING}test_the_halt_is_looked_at_last_before_the_order_leaves",
    ),
    _guard(
        "it does not stand before a cancel",
        _DESK,
        "        return await self._cancel_by_id.one(",
        "        self._risk.halt.check()\n        return await self._cancel_by_id.one(",
        f"{_HALTING}test_cancels_pass_a_halt_and_all_open_orders_can_be_cancelled_whoever_placed_them",
    ),
    _guard(
        "a file that does not say why halts",
        _HALT,
        "(self._said() if is_file else None) or unknown",
        "self._said() if is_file else None",
        f"{_HALTING}test_whatever_stands_there_halts",
    ),
    _guard(
        "what cannot be looked at halts",
        _HALT,
        'return Halted(None, f"{self._path} cannot be looked at ({error.strerror}).")',
        "return None",
        f"{_HALTING}test_a_folder_that_cannot_be_looked_into_halts",
    ),
    _guard(
        "a halt that is there stays as it is",
        _HALT,
        "os.O_CREAT | os.O_EXCL",
        "os.O_CREAT | os.O_TRUNC",
        f"{_HALTING}test_nothing_there_lets_orders_through_and_a_halt_tells_since_when_and_why",
    ),
)

_CHAINED: Final = (
    *(
        _guard(name, _AUDIT, guarded, without, f"{_IN_CHAIN}{test}")
        for name, guarded, without, test in (
            (
                "an event carries the digest of the one before",
                "told = [before, self.seq,",
                "told = [self.seq,",
                "test_every_field_of_an_event_is_in_its_digest",
            ),
            (
                "it is compared",
                "elif event.digest(before) != stored:",
                "elif False:",
                "test_a_flipped_field_is_found_where_it_is",
            ),
            (
                "events are counted",
                "if event.seq != number:",
                "if False:",
                "test_a_deleted_event_is_missed_where_it_was",
            ),
            (
                "a ticket's record is the one that its last event left",
                "if records.get(ticket) != (event.what, _receipt_of(event)):",
                "if False:",
                "test_a_ticket_that_was_changed_is_found_at_its_last_event",
            ),
            (
                "each record has an event",
                "for ticket in records.keys() - last_word.keys():",
                "for ticket in ():",
                "test_a_ticket_that_was_deleted_or_slipped_in_is_found",
            ),
        )
    ),
    _guard(
        "the end is known apart from the events",
        _AUDIT,
        "if head != (number, before):",
        "if False:",
        f"{_IN_JOURNAL}test_a_last_event_that_is_about_no_ticket_is_missed_when_it_was_cut_off",
    ),
    _guard(
        "the chain is written",
        _JOURNAL,
        "digest = event.digest(before)",
        "digest = event.digest(BEGINNING)",
        f"{_IN_CHAIN}test_what_was_written_has_no_fault",
    ),
    _guard(
        "each event has the digest of its record",
        _JOURNAL,
        'told = {**detail, "receipt": receipt_digest(json.dumps(row))}',
        "told = dict(detail)",
        f"{_IN_CHAIN}test_what_was_written_has_no_fault",
    ),
    _guard(
        "what is recorded leaves an event",
        _JOURNAL,
        '    _note_receipt(db, receipt, {**detail, "approved_by"',
        '    dict({**detail, "approved_by"',
        f"{_IN_CHAIN}test_what_was_written_has_no_fault",
    ),
    *(
        _guard(
            f"what can only reduce goes out without {what}",
            file,
            guarded,
            without,
            _POSITIONS + "test_closing_does_not_wait_for_what_only_an_order_that_opens_is_held_against",
        )
        for what, file, guarded, without in (
            (
                "what is at risk",
                _EXPOSURE,
                "await if_told(REDUCING_WAITS_S, self._read_at_risk)",
                "await self._read_at_risk()",
            ),
            (
                "the list of open orders",
                _TICKETS,
                "await if_told(REDUCING_WAITS_S, partial(all_open_orders, self._exchange)) or ())",
                "await all_open_orders(self._exchange))",
            ),
        )
    ),
    _guard(
        "an outcome that another process found forgets nothing of how the order was sent",
        _JOURNAL,
        "            receipt = _with_how_it_was_sent(receipt, found)\n",
        "",
        "trading/test_journal.py::"
        "test_who_read_the_ticket_before_it_was_sent_takes_nothing_back_of_what_was_written_since",
    ),
    _guard(
        "the journal tells which prices the decision to send rests on",
        _JOURNAL,
        '"prices": basis})',
        '"prices": receipt.ticket.basis})',
        "trading/test_basis_of_prices.py::test_the_journal_tells_it_of_the_ticket_and_anew_of_the_decision_to_send",
    ),
    _guard(
        "the halt is looked at again once the connection stands",
        _REST,
        'event.endswith("send_request_headers.started")',
        'event.endswith("no such moment")',
        "okx/test_left_over_answers.py::test_the_last_look_comes_when_the_connection_stands",
    ),
    _guard(
        "not all is cancelled while an order is on its way",
        _CANCEL_ALL,
        "0 if views or unread or self._settling.may_still_arrive() else",
        "0 if views or unread else",
        "trading/test_attacks_on_limits.py::test_not_all_is_cancelled_while_an_order_is_on_its_way",
    ),
    _guard(
        "one empty list is not believed",
        _CANCEL_ALL,
        "_LISTS_TO_BELIEVE: Final = 2",
        "_LISTS_TO_BELIEVE: Final = 1",
        f"{_ALL_OF}test_one_empty_list_is_not_believed",
        f"{_HALTING}test_one_empty_list_is_not_believed",
    ),
    _guard(
        "what our journal has for open is cancelled whatever the lists say",
        _CANCEL_ALL,
        "believed_open = self._recorded.believed_open(inst_id)",
        "believed_open = []",
        f"{_ALL_OF}test_what_our_journal_has_for_open_is_cancelled_whatever_the_lists_say",
    ),
    _guard(
        "all of one instrument leaves others alone",
        _CANCEL_ALL,
        "[each for each in views if inst_id in (None, each.inst_id)]",
        "views",
        f"{_ALL_OF}test_an_order_of_another_instrument_in_the_list_is_not_touched_and_the_list_not_believed",
    ),
    _guard(
        "an order that no list shows has to show itself that it ended",
        _CANCEL_ALL,
        "if result.problem is None or is_denied:",
        "if True:",
        f"{_ALL_OF}test_an_order_that_no_list_shows_any_more_and_that_is_open_is_not_called_cancelled",
    ),
    _guard(
        "a list that was not read shows nothing",
        _CANCEL_ALL,
        "0 if found.left or unread or on_its_way else",
        "0 if found.left or on_its_way else",
        f"{_ALL_OF}test_a_list_that_cannot_be_read_holds_up_no_other_and_leaves_it_open_whether_there_is_more",
    ),
    _guard(
        "all of an instrument waits for what is on its way",
        _CANCEL_ALL,
        "0 if found.left or unread or on_its_way else",
        "0 if found.left or unread else",
        f"{_ALL_OF}test_an_order_that_is_sent_meanwhile_is_waited_for_and_cancelled",
    ),
    _guard(
        "a cancelled call does not stop several cancels halfway",
        _CANCEL,
        "with anyio.CancelScope(shield=True):\n            await all_of(",
        "with anyio.CancelScope(shield=False):\n            await all_of(",
        f"{_SEVERAL}test_cancels_whose_caller_is_cancelled_are_sent_all_the_same",
    ),
    _guard(
        "an id that OKX cannot read keeps no other order open",
        _CANCEL,
        "if len(batch) > 1 and _is_about_what_was_sent(error):",
        "if False:",
        f"{_SEVERAL}test_an_id_that_voids_the_whole_request_keeps_no_other_order_open",
    ),
    _guard(
        "a question that hangs keeps no other order from being told",
        _CANCEL,
        "await within(_LOOK_WITHIN_S, partial(self._looked_at, named, failure))",
        "await self._looked_at(named, failure)",
        f"{_SEVERAL}test_an_order_whose_question_hangs_is_not_known_and_keeps_no_other_from_being_told",
    ),
    _guard(
        "among several a ticket is withdrawn without a request",
        _CANCEL_BY_ID,
        "and (receipt.state is OrderState.PROPOSED or receipt.state.was_never_used):",
        "and receipt.state.was_never_used:",
        f"{_SEVERAL}test_a_ticket_is_withdrawn_and_no_request_made_of_it",
    ),
    _guard(
        "OKX cancels what a dead server left open",
        _DESK,
        "            self.cancel_timer.begin()\n",
        "            pass\n",
        f"{_CANCEL_TIMER}test_orders_stay_open_while_the_server_runs_and_not_for_longer_than_said_after_it",
    ),
    _guard(
        "and keeps open what a living one has open",
        "trading/cancel_all_after.py",
        "self._after_s / _RENEWED_IN_A_TIME",
        "self._after_s * _RENEWED_IN_A_TIME",
        f"{_CANCEL_TIMER}test_orders_stay_open_while_the_server_runs_and_not_for_longer_than_said_after_it",
    ),
    _guard(
        "and no order of anybody else's",
        "okx/client.py",
        'body = {"timeOut": str(seconds), "tag": tag}',
        'body = {"timeOut": str(seconds), "tag": ""}',
        f"{_CANCEL_TIMER}test_orders_stay_open_while_the_server_runs_and_not_for_longer_than_said_after_it",
    ),
    _guard(
        "a time that is not renewed is told",
        "trading/cancel_all_after.py",
        '            self.problem = f"Open orders are not sure to be cancelled should this server die: {error}."\n',
        "            pass\n",
        f"{_CANCEL_TIMER}test_a_failed_renewal_is_tried_again_and_forgotten_when_one_succeeds",
    ),
    _guard(
        "a cancel does not wait for OKX's time",
        "okx/rest.py",
        "anyio.move_on_after(_CANCEL_WAITS_FOR_TIME_S if takes_back else None)",
        "anyio.move_on_after(None)",
        "trading/test_found_by_a_hostile_reader.py::test_a_cancel_does_not_wait_for_a_time_that_does_not_come",
    ),
    _guard(
        "the journal's tables are its own at every decision",
        "trading/journal_file.py",
        "            if _tables(db) != _own_tables():\n                db.execute",
        "            if False:\n                db.execute",
        "trading/test_attacks_on_limits.py::"
        "test_a_trigger_in_the_database_that_would_change_what_is_written_ends_all_sending",
    ),
    _guard(
        "a resume from the future does not count",
        _USE,
        "what = 'resumed' AND at_ms <= ? ",
        "what = 'resumed' AND ? > 0 ",
        "trading/test_attacks_on_limits.py::test_a_resume_that_is_dated_ahead_ends_no_burst",
    ),
    _guard(
        "a question that is dated back hides no other",
        _USE,
        'f"WHERE {OF_ACCOUNT} AND what = ?2 AND at_ms > ?3"',
        'f"WHERE {OF_ACCOUNT} AND what = ?2 AND at_ms > ?3 AND seq = (SELECT max(seq) FROM events)"',
        "trading/test_questions.py::test_a_question_under_a_clock_that_was_set_back_hides_none_of_those_before_it",
    ),
    _guard(
        "a halt that is a pipe holds nothing up",
        "trading/halt.py",
        'os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)',
        "os.O_RDONLY",
        "trading/test_halt.py::test_what_became_a_pipe_since_it_was_looked_at_halts_and_holds_nothing_up",
    ),
    _guard(
        "what was typed before an order was shown does not approve it",
        "terminal/approving.py",
        "    _forget_what_was_typed()\n",
        "",
        "whole/test_terminal_approval.py::test_what_was_typed_before_an_order_was_shown_says_nothing_about_it",
    ),
    _guard(
        "so many questions wait at the same time",
        "trading/questions.py",
        "if questions.waiting >= at_once:",
        "if False:",
        "trading/test_questions.py::test_a_sixth_of_them_may_wait_for_an_answer_at_the_same_time",
    ),
    _guard(
        "a policy does not approve the same order twice at once",
        _JOURNAL,
        "elif (ago_ms := approved_before_ms(db, ticket)) is not None:",
        "elif (ago_ms := None) is not None:",
        "trading/test_policy.py::test_a_policy_approves_the_very_same_order_again_only_after_a_while",
    ),
    _guard(
        "a policy changes its own orders alone",
        "trading/approving.py",
        "if ticket.order is None or each.name == self._approved_by(ticket.order)]",
        "if ticket is not None]",
        "trading/test_policy.py::test_a_policy_changes_no_order_that_it_did_not_approve",
    ),
    _guard(
        "a policy is for its margin modes",
        "trading/policy.py",
        "if ticket.margin_mode is not None and ticket.margin_mode not in policy.margin_modes:",
        "if False:",
        "trading/test_policy.py::test_each_condition_alone_keeps_a_policy_from_approving",
    ),
    _guard(
        "what only closes counts for a policy's day",
        _USE,
        "if added else Decimal(usd or 0)",
        "if added else Decimal(0)",
        "trading/test_policy.py::test_what_only_closes_counts_for_a_policys_day",
    ),
    _guard(
        "a word of OKX's that nobody knows is not handed on",
        "okx/names.py",
        "return word if isinstance(word, StrEnum) else None",
        "return word",
        "tools/test_reading_derivatives.py::test_a_word_for_a_state_that_nobody_knows_is_not_handed_on",
    ),
    _guard(
        "two keys of one account are one",
        _JOURNAL,
        '                db.execute("INSERT OR REPLACE INTO keys VALUES (?, ?)", (str(account), told["owner"]))\n',
        "                pass\n",
        f"{_IN_JOURNAL}test_an_unsettled_order_of_another_key_of_the_account_blocks_a_new_one",
    ),
    _guard(
        "a changed order that still works counts with its changes, however old",
        _USE,
        "counted AS (SELECT id FROM old UNION ALL ",
        "counted AS (SELECT id FROM old), none AS (",
        "trading/test_attacks_on_limits.py::test_an_order_of_yesterday_that_was_changed_counts_with_its_change",
    ),
    _guard(
        "what is moved in hides no loss",
        _RISK,
        "worth.equity_usd - began.equity_usd - transferred",
        "worth.equity_usd - began.equity_usd",
        f"{_IN_LIMITS}test_what_is_moved_in_hides_no_loss_and_what_is_moved_out_is_none",
    ),
    _guard(
        "what was moved before the day's first look is part of what it began with",
        _WORTH,
        "    return transfers[: ids.index(since)] if since in ids else None",
        "    return transfers",
        f"{_IN_LIMITS}test_what_is_moved_in_hides_no_loss_and_what_is_moved_out_is_none",
        f"{_IN_LIMITS}test_a_transfer_that_the_day_began_with_and_that_is_not_listed_any_more_is_not_guessed_at",
    ),
    _guard(
        "a look that a transfer comes into knows no result",
        _WORTH,
        "are_known = before == after and ",
        "are_known = ",
        f"{_IN_LIMITS}test_a_look_that_a_transfer_comes_into_knows_no_result_and_halts_nothing",
    ),
    _guard(
        "the newest transfers are read and not those next after the day began",
        _WORTH,
        "end=since_ms + 2 * _DAY_MS, after=after)",
        "end=None, after=after)",
        f"{_IN_LIMITS}test_more_transfers_than_a_page_are_counted_to_the_last",
    ),
    _guard(
        "a transfer without an id is none that could be told from others",
        _WORTH,
        " and all(each.bill_id for each in after)",
        "",
        f"{_IN_LIMITS}test_beside_a_transfer_whose_worth_is_not_known_no_result_is",
    ),
    _guard(
        "a transfer of no known amount is not nothing",
        _WORTH,
        "        if not each.ccy or each.bal_chg is None:\n            return None",
        "        if not each.ccy or each.bal_chg is None:\n            continue",
        f"{_IN_LIMITS}test_beside_a_transfer_whose_worth_is_not_known_no_result_is",
    ),
    _guard(
        "a transfer of a currency without a price is not nothing",
        _WORTH,
        "if len(values) == len(moved) else None",
        "",
        f"{_IN_LIMITS}test_beside_a_transfer_whose_worth_is_not_known_no_result_is",
    ),
    _guard(
        "open orders are counted to the last",
        "okx/pages.py",
        "        if len(page) < PAGE:",
        "        if True:",
        "trading/test_ways_around_limits.py::test_more_open_orders_than_a_page_are_counted_to_the_last",
        "trading/test_ways_around_limits.py::test_what_closes_a_position_already_is_seen_behind_a_page_of_other_orders",
    ),
    _guard(
        "beside more open orders than can be read nothing is sent",
        "okx/pages.py",
        "        if after in (None, before) or is_too_long:\n            raise Unknown(",
        "        if after in (None, before) or is_too_long:\n            return found\n            raise Unknown(",
        f"{_AROUND}test_beside_more_open_orders_than_can_be_read_nothing_is_sent",
    ),
    _guard(
        "a list that begins anew is not read for ever",
        "okx/pages.py",
        "if after in (None, before) or",
        "if after is None or",
        "okx/test_pages.py::test_a_list_that_shows_the_same_page_again_has_no_end",
    ),
    _guard(
        "a look that midnight comes into is one of the day in which it began",
        _RISK,
        "self._account, now, worth.began_ms)",
        "self._account, now, self._now_ms())",
        f"{_IN_LIMITS}test_a_look_that_midnight_comes_into_begins_no_day_whose_loss_can_not_be_known",
    ),
    _guard(
        "of a day whose first transfers were not written down no loss is made up",
        _WORTH,
        'if since == "" or not (since or transfers):',
        "if not since:",
        f"{_IN_LIMITS}test_a_day_that_a_version_before_began_is_known_where_nothing_was_moved_on_it",
    ),
    _guard(
        "an old order that traded counts for a day from then",
        _USE,
        "*_ENDED_BY_TRADING)\n",
        '*["not_sent"] * len(_ENDED_BY_TRADING))\n',
        "trading/test_attacks_on_limits.py::test_what_an_order_traded_counts_for_a_day_from_then_however_old_it_was",
        "trading/test_policy.py::test_what_a_policys_order_traded_counts_for_its_day_from_then_with_its_changes",
    ),
    _guard(
        "of an old order that was cancelled unfilled the changes count no longer",
        _USE,
        "CAST(json_extract(receipt, '$.order.filled_size') AS REAL) > 0",
        "1",
        "trading/test_attacks_on_limits.py::"
        "test_a_changed_order_that_traded_counts_for_a_day_from_then_with_its_changes",
    ),
    _guard(
        "when an order ended stays when it ended",
        _JOURNAL,
        "            if found.state.is_final and replace(receipt, at_ms=found.at_ms) == found:",
        "            if False:",
        "trading/test_attacks_on_limits.py::test_that_an_order_ended_told_once_more_begins_no_further_day",
    ),
    _guard(
        "what risks no more waits for no count",
        _LIMITS,
        "    if not ticket.reduces and (ticket.order is None or added_usd(ticket, prices) != 0):",
        "    if True:",
        f"{_IN_LIMITS}test_a_change_that_risks_no_more_waits_for_no_count_but_the_burst",
    ),
    _guard(
        "a resume counts the loss anew",
        _USE,
        'return f"{day} since #{seq}" if resumed_ms >= now_ms - now_ms % _DAY_MS else day',
        "return day",
        f"{_IN_LIMITS}test_after_a_resume_the_loss_is_counted_anew",
    ),
    _guard(
        "a quote currency is worth what a whole book says",
        "trading/dollars.py",
        "if bid is not None and ask is not None and 0 < bid <= ask else None",
        "if bid is not None and ask is not None else None",
        "trading/test_dollars.py::test_a_currency_is_worth_the_most_that_its_first_pair_says",
    ),
    _guard(
        "a halt that failed is not called one",
        "tools/halting.py",
        "    except OSError as error:\n",
        "    except UnicodeError as error:\n",
        f"{_HALTING}test_a_halt_that_cannot_be_written_is_not_called_one",
    ),
    _guard(
        "what is not text is located",
        _JOURNAL,
        '            db.text_factory = lambda stored: stored.decode(errors="surrogateescape")',
        "            db.text_factory = str",
        f"{_IN_CHAIN}test_what_is_not_even_text_is_found_where_it_is",
    ),
    _guard(
        "whose a key is, is in the chain",
        _AUDIT,
        '    yield from _told_apart(_keys(events), number, keys, "whose the key is")\n',
        "",
        "trading/test_attacks_on_limits.py::test_what_the_limits_count_is_in_the_chain_too",
    ),
    _guard(
        "a start is written down with its limits",
        _DESK,
        "        await self._note_start()\n",
        "",
        f"{_IN_LIMITS}test_what_breaks_a_limit_gets_no_ticket_and_is_written_down",
    ),
)

_APPROVED: Final = (
    _guard(
        "a ticket that waits for a person takes no weaker approval",
        "trading/approval.py",
        "return self is waited_for or (self, waited_for) == (Channel.TERMINAL, Channel.HOST)",
        "return True",
        f"{_IN_POLICY}test_any_other_order_waits_for_a_person_and_no_policy_approves_that_ticket",
    ),
    _guard(
        "a channel that the owner did not name approves nothing",
        _APPROVING,
        "if channel not in self.rules.channels:",
        "if False:",
        f"{_PROPOSING}test_live_orders_are_not_proposed_for_a_cards_word",
    ),
    _guard(
        "where nothing could approve there is no ticket",
        _APPROVING,
        "elif not self.rules.active_policies:",
        "elif False:",
        f"{_IN_POLICY}test_where_neither_a_policy_nor_a_person_could_ever_approve_nothing_is_asked_of_the_exchange",
    ),
    _guard(
        "where no policy approves and no person is reached there is none either",
        _APPROVING,
        "        if channel is None:\n            raise self._nobody_reached()\n",
        "",
        f"{_IN_POLICY}test_where_no_person_is_reached_either_there_is_no_ticket",
    ),
    _guard(
        "a policy is off until its channel is named",
        "trading/approval_rules.py",
        "return self.policies if Channel.POLICY in self.channels else ()",
        "return self.policies",
        "test_approval_file.py::test_a_policy_is_read_to_the_last_digit_and_is_off_until_its_channel_is_named",
    ),
    *(
        _guard(f"a policy approves nothing beyond its {what}", _POLICY, guarded, without, f"{_IN_POLICY}{test}")
        for what, guarded, without, test in (
            ("instruments", "if not any(fnmatchcase(", "if False and not any(fnmatchcase(", _EACH_CONDITION),
            ("sides", "if ticket.side not in policy.sides:", "if False:", _EACH_CONDITION),
            ("order types", "if ticket.kind not in policy.order_types:", "if False:", _EACH_CONDITION),
            ("sum of an order", "elif usd > policy.order_usd:", "elif False:", _EACH_CONDITION),
            ("sum of a day", "elif day_usd + usd > policy.day_usd:", "elif False:", _EACH_CONDITION),
            ("distance", "abs(distance) > policy.distance):", "False):", _EACH_CONDITION),
            ("knowledge of a value", "if usd is None:\n", "if False:\n", _NOT_KNOWN),
            ("knowledge of a price", "(distance is None or ", "distance is not None and (", _NOT_KNOWN),
        )
    ),
    _guard(
        "a policy is asked again as the order is sent",
        _DESK,
        "*(each.words for each in broken), *no_policy]",
        "*(each.words for each in broken)]",
        f"{_IN_POLICY}test_a_policys_day_is_counted_over_processes_and_as_the_order_is_sent",
        f"{_IN_POLICY}test_what_a_policy_approved_is_held_against_it_with_the_price_of_the_moment",
    ),
    _guard(
        "no policy approves what is like an order that a person declined",
        _APPROVING,
        "            and why_not_after_a_no(ticket, self._journal.questions(self._account, now_ms), now_ms) is None\n",
        "",
        f"{_IN_POLICY}test_no_policy_approves_anything_like_what_a_person_declined_a_moment_ago",
    ),
    _guard(
        "a person is asked so often an hour",
        _QUESTIONS,
        "if questions.asked >= per_hour:",
        "if False:",
        f"{_IN_QUESTIONS}test_so_many_questions_an_hour_by_all_processes_and_over_restarts",
    ),
    _guard(
        "a question too many is decided beside the ticket",
        _JOURNAL,
        "                    raise NotAsked(why_not)\n",
        "                    pass\n",
        f"{_IN_QUESTIONS}test_nothing_is_written_down_of_a_question_that_is_not_asked_but_the_start_with_the_rules_digest",
    ),
    _guard(
        "the very order that was declined is not asked about again",
        _QUESTIONS,
        "if each.ticket.line == ticket.line:",
        "if False:",
        f"{_IN_QUESTIONS}test_the_very_order_that_a_person_declined_is_not_asked_about_for_ten_minutes",
    ),
    _guard(
        "nor one like it at once",
        _QUESTIONS,
        "if _is_like(each.ticket, ticket) and",
        "if False and",
        f"{_IN_QUESTIONS}test_one_like_it_is_not_asked_about_for_a_minute_and_another_instrument_is",
    ),
    _guard(
        "nor anything after three noes",
        _QUESTIONS,
        "if len(noes) >= _NOES:",
        "if False:",
        f"{_IN_QUESTIONS}test_after_three_noes_in_ten_minutes_nothing_at_all_is_asked",
    ),
    _guard(
        "a person's no is told from a client's",
        _ASKING,
        "self._desk.age_ms(ticket) < _NO_PERSON_ANSWERS_WITHIN_MS:",
        "False:",
        f"{_CHANNELS}test_a_client_that_closes_every_question_by_itself_is_no_person_who_declines",
    ),
    _guard(
        "a person's no is remembered",
        _ASKING,
        "_NO[answer.action], by_person=True)",
        "_NO[answer.action])",
        f"{_CHANNELS}test_the_order_that_a_person_declined_is_not_asked_about_again",
    ),
    _guard(
        "a terminal approves with the secret alone",
        _SOCKET,
        "elif not await self._is_right(request.secret):",
        "elif False:",
        f"{_IN_SOCKET}test_each_wrong_secret_makes_the_next_try_wait_longer_and_the_right_one_ends_that",
    ),
    _guard(
        "wrong secrets are slowed down",
        _SOCKET,
        "            if self._wrong:\n",
        "            if False:\n",
        f"{_IN_SOCKET}test_each_wrong_secret_makes_the_next_try_wait_longer_and_the_right_one_ends_that",
    ),
    _guard(
        "wrong secrets are in the journal",
        _SOCKET,
        "                    await self._desk.note_wrong_secret(ticket)\n",
        "                    pass\n",
        f"{_IN_SOCKET}test_each_wrong_secret_is_in_the_journal_and_the_secret_itself_is_not",
    ),
    _guard(
        "secrets are tried one after the other",
        _SOCKET,
        "        async with self._one_try:\n",
        "        if True:\n",
        f"{_IN_SOCKET}test_tries_at_the_same_time_wait_for_each_other",
    ),
    _guard(
        "no live order is approved in a terminal without a secret",
        _SOCKET,
        "if self._desk.account.environment is Environment.LIVE and self._secret is None:",
        "if False:",
        f"{_IN_SOCKET}test_a_secret_that_cannot_be_trusted_or_is_not_there_opens_nothing_for_live_money",
    ),
    _guard(
        "not even where the socket is open",
        _SOCKET,
        "return self._desk.account.environment is not Environment.LIVE\n",
        "return True\n",
        f"{_IN_SOCKET}test_without_a_secret_nothing_live_is_approved_however_it_is_asked_for",
    ),
    _guard(
        "a terminal approves what it showed",
        _SOCKET,
        "if (each.id, each.digest) == named)",
        "if each.id == named[0])",
        f"{_IN_SOCKET}test_a_secret_approves_the_ticket_that_was_shown_and_no_other",
    ),
    _guard(
        "a server goes by the secret that was set when it started",
        "server.py",
        "            self._secret,\n",
        "            self._secret_at_start(),\n",
        f"{_IN_TERMINAL}test_a_secret_that_was_set_or_replaced_since_the_start_does_not_count_in_a_server_that_runs",
    ),
    _guard(
        "a secret's file is its owner's alone",
        "private_files.py",
        "        if _IS_POSIX:\n            _check_alone(path, found)\n",
        "",
        "test_approval_secret.py::test_a_file_that_others_may_open_is_not_trusted",
    ),
    _guard(
        "and no link",
        "private_files.py",
        "os.O_RDONLY | _NO_LINK)",
        "os.O_RDONLY | os.O_NONBLOCK)",
        "test_approval_secret.py::test_a_link_is_not_followed_and_a_pipe_not_waited_for",
    ),
    _guard(
        "a secret is replaced by who knows it",
        "terminal/approving.py",
        "if _knows(read_secret(path)) else None",
        "if True else None",
        f"{_IN_TERMINAL}test_a_secret_is_set_by_who_knows_the_one_before",
    ),
)

_OF_KEYS_AND_FILES: Final = (
    _guard(
        "real money takes a key that is bound to an address",
        "trading/accounts.py",
        "if needs_bound_key and not self.is_bound:",
        "if needs_bound_key and self.is_bound:",
        f"{_KEYS}test_real_money_takes_a_key_that_is_bound_to_an_address",
    ),
    _guard(
        "a network of all addresses binds a key to none",
        "trading/accounts.py",
        "all(ip_network(each, strict=False).prefixlen for each in addresses)",
        "all(ip_network(each, strict=False) for each in addresses)",
        f"{_KEYS}test_real_money_takes_a_key_that_is_bound_to_an_address",
    ),
    _guard(
        "a folder that others can use is refused",
        "private_files.py",
        "        _check_private(path.parent)\n",
        "",
        "test_private_files.py::test_a_folder_that_others_can_use_is_refused",
    ),
    _guard(
        "a folder above that others can change is refused",
        "private_files.py",
        "        _check_folders_above(path.parent)\n",
        "",
        "test_private_files.py::test_a_folder_above_that_others_can_change_is_refused",
    ),
    _guard(
        "limits are not read from a file that others can change",
        "private_files.py",
        "if mode & _WRITABLE_BY_OTHERS:",
        "if not mode:",
        "test_private_files.py::test_limits_are_not_read_from_a_file_that_others_can_change",
    ),
    _guard(
        "what reduces risk is never asked to wait",
        "tools/toolset.py",
        "always or annotations is REDUCES",
        "always",
        "tools/test_pace.py::test_cancelling_halting_and_asking_what_became_of_an_order_never_wait",
    ),
)

_SIZED_AND_READ: Final = (
    _guard(
        "a contract of unknown worth is not traded",
        "trading/instruments.py",
        "if kind not in (_SPOT_KINDS if contract is None else _CONTRACT_KINDS):",
        "if False:",
        f"{_SIZES}test_a_contract_of_unknown_worth_is_not_traded",
        f"{_SIZES}test_what_calls_itself_spot_and_has_contracts_is_not_traded",
    ),
    _guard(
        "an instrument has the currencies of its name",
        "trading/instruments.py",
        "if not _names_its_currencies(row.inst_id, base_ccy, quote_ccy, is_contract=contract is not None):",
        "if False:",
        f"{_SIZES}test_an_instrument_whose_currencies_are_not_those_of_its_name_is_not_traded",
    ),
    _guard(
        "a contract worth another currency is not traded",
        "trading/instruments.py",
        "if contract.value_ccy not in (base_ccy, quote_ccy):",
        "if False:",
        f"{_SIZES}test_a_contract_of_unknown_worth_is_not_traded",
    ),
    _guard(
        "a size between two lots is refused",
        "trading/instruments.py",
        "if below != above:",
        "if False:",
        f"{_SIZES}test_a_size_between_two_lots_is_refused_with_both",
    ),
    _guard(
        "the minimum is counted in OKX's unit",
        "trading/instruments.py",
        "if below < least:",
        "if False:",
        f"{_SIZES}test_the_minimum_is_counted_in_contracts",
    ),
    _guard(
        "no size is above the maximum of its kind",
        _LARGEST,
        "if most is not None and ticket.own_size > most:",
        "if False:",
        f"{_IN_LARGEST}test_a_size_above_the_maximum_of_its_kind_is_refused_with_the_largest_that_fits",
    ),
    _guard(
        "no value is above the maximum of its kind",
        _LARGEST,
        "if usd is not None and most is not None and usd > most:",
        "if False:",
        f"{_IN_LARGEST}test_what_okx_counts_in_dollars_is_compared_with_what_the_order_is_worth",
    ),
    _guard(
        "what it is worth keeps no order from closing",
        _LARGEST,
        "usd = None if ticket.reduces else usd_of(ticket, prices)",
        "usd = usd_of(ticket, prices)",
        f"{_IN_LARGEST}test_what_it_is_worth_keeps_no_order_from_closing_a_position",
    ),
    _guard(
        "a ticket is held against the largest order",
        _TICKETS,
        "check_largest(ticket, instrument, exposure.prices)",
        "pass",
        f"{_IN_LARGEST}test_a_size_above_the_maximum_of_its_kind_is_refused_with_the_largest_that_fits",
    ),
    _guard(
        "an order is not larger than the account can pay for",
        _BUYING_POWER,
        "if most is None or size <= most:",
        "if True:",
        f"{_IN_BUYING_POWER}test_an_order_larger_than_the_account_can_pay_for_is_refused_with_the_figures",
    ),
    _guard(
        "what closes is not held back by what the account can pay for",
        _BUYING_POWER,
        "return None if terms.reduces or is_against else Opening(side, terms, price)",
        "return Opening(side, terms, price)",
        f"{_IN_BUYING_POWER}test_what_closes_a_position_or_waits_for_a_price_is_not_held_back_by_it",
    ),
    _guard(
        "a ticket stands where OKX does not say what the account can pay for",
        _BUYING_POWER,
        "    except OkxError:\n        return None\n",
        "    except ZeroDivisionError:\n        return None\n",
        f"{_IN_BUYING_POWER}test_where_okx_does_not_say_it_the_ticket_stands_without",
    ),
    _guard(
        "a negative answer is none",
        _BUYING_POWER,
        "return most if most is not None and most >= 0 else None",
        "return most",
        f"{_IN_BUYING_POWER}test_where_okx_does_not_say_it_the_ticket_stands_without",
    ),
    _guard(
        "a sale on margin is not compared in a unit that is not sure",
        _BUYING_POWER,
        "if instrument.contract is None and not is_buy:",
        "if False:",
        f"{_IN_BUYING_POWER}test_a_sale_on_margin_is_not_asked_about_for_its_unit_is_not_sure",
    ),
    _guard(
        "an option has no exits at market",
        _PRICES,
        "if instrument.kind == InstType.OPTION and (exits.take_profit or exits.stop_loss):",
        "if False:",
        f"{_POSITIONS}test_an_option_has_no_exits_for_they_would_close_at_market",
    ),
    _guard(
        "bars that do not go back in time end the paging",
        "trading/candles.py",
        "if bar.ts is None or not (before or 0) < bar.ts < (cursor_ms or bar.ts + 1):",
        "if bar.ts is None:",
        "trading/test_candles.py::test_bars_that_do_not_go_back_in_time_are_no_answer_and_no_endless_loop",
    ),
    _guard(
        "a figure of another instrument is no answer",
        _CLIENT,
        "if row.inst_id != inst_id:",
        "if False:",
        "tools/test_reading_derivatives.py::test_a_figure_of_another_instrument_is_no_answer",
    ),
    _guard(
        "a server that only reads has no tool that changes anything",
        "server.py",
        "if not settings.read_only or tool.annotations is READS",
        "",
        "tools/test_chosen_tools.py::test_only_the_chosen_tools_are_there",
        "tools/test_chosen_tools.py::test_a_tool_that_is_not_there_cannot_be_called",
    ),
)

_ONLY_READ: Final = (
    _guard(
        "what is read is read by GET",
        _REST,
        'if asked.method != "GET":',
        "if False:",
        f"{_CLIENT_READING}test_what_is_no_get_is_not_sent",
    ),
    _guard(
        "few reads are under way at once, so that the desk finds turns",
        _CLIENT,
        "async with self._reading:",
        "if True:",
        f"{_CLIENT_READING}test_few_are_under_way_at_once_so_that_the_desk_finds_turns",
    ),
    _guard(
        "a parameter that the catalogue does not have is not sent",
        "okx/query.py",
        "if name not in known:",
        "if False:",
        f"{_IN_QUERY}test_a_parameter_that_does_not_fit_is_refused_with_what_it_may_be",
    ),
    _guard(
        "a value that is not written as it has to be is not sent",
        "okx/query.py",
        "if not written.fullmatch(value):",
        "if not written.match(value):",
        f"{_IN_QUERY}test_a_parameter_that_does_not_fit_is_refused_with_what_it_may_be",
    ),
    _guard(
        "a value that OKX does not have is not sent",
        "okx/query.py",
        "if value not in parameter.values:",
        "if False:",
        f"{_IN_QUERY}test_a_parameter_that_does_not_fit_is_refused_with_what_it_may_be",
    ),
    _guard(
        "text in rows of any shape is cleaned",
        "okx/foreign_rows.py",
        "short = cleaned(text, _LONGEST_TEXT)",
        "short = text[:_LONGEST_TEXT]",
        "okx/test_foreign_rows.py::test_whatever_comes_leaves_as_plain_json_that_can_be_seen",
    ),
    _guard(
        "a name in rows of any shape is a name",
        "okx/foreign_rows.py",
        " if _NAME.fullmatch(name)}",
        "}",
        "okx/test_foreign_rows.py::test_a_member_whose_name_is_no_name_is_dropped",
    ),
    _guard(
        "words of a row do not become advice on how to go on",
        "tools/answer_pages.py",
        "isinstance(value, str) and _CURSOR.fullmatch(value)",
        "isinstance(value, str)",
        "tools/test_answer_pages.py::test_a_place_to_go_on_that_is_no_id_is_not_repeated",
    ),
    _guard(
        "a key that may withdraw reads nothing",
        "tools/reference.py",
        "await desk.facts.rules()",
        "pass",
        "whole/test_reference.py::test_a_key_that_may_withdraw_reads_nothing",
    ),
    _guard(
        "a resource tells no secret",
        "resources.py",
        "return sources.without_secrets(written)",
        "return written",
        "whole/test_resources.py::test_a_secret_that_is_sent_back_does_not_come_out_of_a_resource",
    ),
)

_STREAMS: Final = (
    _guard(
        "a stream's gap in the numbers of a book is noticed",
        _BOOKS,
        "        elif before != self._seq_id:",
        "        elif False:",
        _IN_BOOKS + "test_anything_else_is_a_gap_and_nothing_is_shown_until_the_next_snapshot",
    ),
    _guard(
        "a stream without a pong is given up",
        _CONNECTION,
        "            if self._heard_s < asked_s:",
        "            if False:",
        _IN_SESSIONS + "test_a_stalled_connection_is_noticed_by_its_missing_pong",
    ),
    _guard(
        "a stream with a message that cannot be read is given up",
        _CONNECTION,
        '            self.end(Ending("a message could not be read"))',
        "            await self._read()",
        _IN_SESSIONS + "test_half_a_message_is_a_lost_connection_for_it_may_have_been_an_order",
    ),
    _guard(
        "a stream's values are void when it is lost",
        _SESSION,
        "            feed.lose()",
        "            pass",
        _IN_SESSIONS + "test_a_lost_connection_is_made_again_and_nothing_of_before_is_shown",
    ),
    _guard(
        "a stream's values are void when it is lost while its successor is on its way",
        _CONNECTION,
        "            self._ended(self, ending)",
        "            pass",
        _IN_SESSIONS + "test_a_connection_that_ends_before_its_successor_is_there_shows_nothing_from_that_moment",
    ),
    _guard(
        "a private stream that answers no ping is given up though it goes on telling",
        _CONNECTION,
        "            if self._pings and self._clock.monotonic_s() - self._pings[0].sent_s > _PONG_WITHIN_S:",
        "            if False:",
        _IN_SESSIONS + "test_a_private_connection_that_goes_on_telling_but_answers_no_ping_is_given_up",
    ),
    _guard(
        "what comes on a successor before its subscriptions are answered is told with them",
        _SESSION,
        "                held_back.append(push)",
        "                pass",
        _IN_SESSIONS + "test_trades_on_both_connections_of_a_change_are_told_once_each_and_none_is_missing",
    ),
    _guard(
        "a stream tells a fill once",
        _STREAMED,
        "        if execution is not None and execution.trade_id in known.executions:",
        "        if False:",
        _TOLD + "test_an_event_that_is_told_twice_is_one_event",
        _TOLD + "test_in_any_order_and_with_any_repetition_every_fill_is_told_once_and_the_order_ends_as_it_ended",
    ),
    _guard(
        "a streamed order does not step back",
        _STREAMED,
        "_progress(row) < _progress(known.order) or ",
        "",
        _TOLD + "test_an_order_ends_once",
    ),
    _guard(
        "what a stream missed is asked for",
        _STREAMED,
        "        for fill in await self._fills_since(since_ms):",
        "        for fill in ():",
        _TOLD + "test_after_a_loss_orders_are_unknown_until_what_was_missed_is_asked_for",
    ),
    _guard(
        "a stream that is lost again while it catches up is not complete",
        _STREAMED,
        "        if self._losses == losses and self",
        "        if self",
        _TOLD + "test_a_connection_that_is_lost_while_it_is_caught_up_with_leaves_orders_unknown",
    ),
    _guard(
        "what was told long before a connection took over is not asked for again",
        _STREAMED,
        "        super().resume(proven_s)\n        self._was_whole()\n",
        "        super().resume(proven_s)\n",
        _TOLD + "test_after_a_connection_took_over_what_was_told_long_ago_is_not_told_again",
    ),
    _guard(
        "what was missed as a connection took over is asked for however late",
        _STREAMED,
        "        if self.is_complete and self._caught_up_with == self._subscriptions:\n            suspended_ms",
        "        if self.is_complete:\n            suspended_ms",
        _TOLD + "test_what_was_missed_as_a_connection_took_over_is_asked_for_though_that_one_is_lost_first",
    ),
    _guard(
        "a late answer about the connection before takes nothing back",
        _STREAMED,
        "and self._caught_up_with <= subscription:",
        "and True:",
        _TOLD + "test_a_question_of_before_a_connection_took_over_that_is_answered_late_unsettles_nothing",
    ),
    _guard(
        "OKX's time is not asked for over a connection that may be dead",
        _REST,
        "        connections = self._of_one_use\n",
        "        connections = self._keeping\n",
        "okx/test_dumb_connections.py::test_okxs_time_is_measured_though_every_connection_that_was_kept_has_gone_dumb",
    ),
    _guard(
        "streams that failed are not listened to again",
        "subscriptions.py",
        "            while (streams := await self._parts.streams()) is not None:\n",
        "            streams = await self._parts.streams()\n            while streams is not None:\n",
        "test_subscriptions.py::test_streams_that_fail_while_okx_refuses_end_nothing_else",
    ),
    _guard(
        "a stream does not tell for ever that an order is open which OKX has forgotten",
        _STREAMED,
        "                self._forget(order.ord_id)",
        "                pass",
        _TOLD + "test_an_order_that_okx_has_forgotten_over_a_long_gap_is_not_told_as_open",
    ),
    _guard(
        "what was missed while this machine slept is asked for",
        _STREAMED,
        "_NOTICED_WITHIN_MS + suspended_ms",
        "_NOTICED_WITHIN_MS",
        _TOLD + "test_what_was_filled_while_this_machine_slept_is_told_though_the_clock_was_measured_anew",
    ),
    _guard(
        "a stream's ticker that was overtaken is left out",
        _FEEDS,
        "            if (len(ts), ts) < (len(self._ts), self._ts):",
        "            if False:",
        _IN_SESSIONS + "test_a_ticker_that_was_overtaken_is_left_out",
    ),
    _guard(
        "a stream follows no redirect",
        _WEBSOCKET,
        "                return exc",
        "                return super().process_redirect(exc)",
        _OVER_SOCKETS + "test_a_redirect_is_not_followed",
    ),
    _guard(
        "a stream's login is in no log",
        _WEBSOCKET,
        "logger=_SILENT,",
        "logger=None,",
        _OVER_SOCKETS + "test_a_login_is_in_no_log",
    ),
    _guard(
        "a stream's open orders are asked for after each subscription",
        _STREAMED,
        "    closes_gaps = True",
        "    closes_gaps = False",
        _TOLD + "test_what_is_open_is_asked_for_since_the_channel_begins_without_a_snapshot",
    ),
    _guard(
        "a resource is told of at most once a second",
        "subscriptions.py",
        "                            await self._parts.clock.sleep(_PAUSE_S)",
        "                            pass",
        "whole/test_streaming.py::test_a_client_is_told_of_what_changed_at_most_once_a_second",
    ),
    _guard(
        "a connection that takes over is subscribed before the one that OKX announced to end goes",
        _SESSION,
        "await self._connect(tasks, before=current)",
        "await self._connect(tasks, before=None)",
        _IN_SESSIONS + "test_after_a_notice_the_new_connection_is_subscribed_before_the_old_one_goes",
    ),
    _guard(
        "a pushed price or book that is not fresh is not told",
        _PUSHED,
        "if age_ms <= fresh_ms else None",
        "if True else None",
        _PRICES_TOLD + "test_a_price_grows_old_by_its_own_time",
    ),
    _guard(
        "without OKX's time no pushed price is told",
        _PUSHED,
        "if ts is None or self._exchange_clock.needs_measuring:",
        "if ts is None:",
        _PRICES_TOLD + "test_after_this_machine_slept_no_pushed_price_counts",
    ),
)

_PUSHED_OF_ACCOUNT: Final = (
    _guard(
        "what is pushed about the account is told while it is fresh",
        _PUSHED_ACCOUNT,
        "return age_ms <= min(FRESH_MS, (self._clock.monotonic_s() - since_s) * 1000)",
        "return age_ms <= (self._clock.monotonic_s() - since_s) * 1000",
        _ACCOUNT_TOLD + "test_without_pongs_an_order_is_not_told_whatever_else_arrives",
        _ACCOUNT_TOLD + "test_positions_are_told_with_the_age_of_the_last_push_that_named_all",
    ),
    _guard(
        "what is pushed about the account is younger than OKX's last answer",
        _PUSHED_ACCOUNT,
        "return age_ms <= min(FRESH_MS, (self._clock.monotonic_s() - since_s) * 1000)",
        "return age_ms <= FRESH_MS",
        _ACCOUNT_TOLD + "test_what_is_told_is_younger_than_okxs_last_answer",
        _ACCOUNT_TOLD + "test_positions_are_younger_than_okxs_last_answer",
    ),
    _guard(
        "a request about the account counts when it ends, answered or not",
        _REST,
        "                self.account_asked_s = self._clock.monotonic_s()",
        "                pass",
        "okx/test_client_reading.py::test_the_end_of_each_request_about_the_account_is_noted_answered_or_not",
    ),
    _guard(
        "a pong proves what was said before its ping",
        _CONNECTION,
        "self._answered_ping = self._pings.popleft()",
        "self._answered_ping = _Ping(self._clock.monotonic_s(), wall_ahead_ms(self._clock))",
        _ACCOUNT_TOLD + "test_a_pong_proves_what_was_said_before_its_ping_and_no_more",
    ),
    _guard(
        "after this machine slept a pong of before proves nothing",
        _CONNECTION,
        "None if ping is None or have_parted(self._clock, ping.wall_ahead_ms) else",
        "None if ping is None else",
        _ACCOUNT_TOLD + "test_after_this_machine_slept_an_order_is_asked_for_until_the_next_pong",
    ),
    _guard(
        "a connection that took over is caught up with before an order is told from it",
        _STREAMED,
        "is_whole = self.is_complete and self._caught_up_with == self._subscriptions",
        "is_whole = self.is_complete",
        _ACCOUNT_TOLD + "test_a_connection_that_took_over_has_to_catch_up_first",
    ),
    _guard(
        "only what the journal calls open is told from the stream",
        _PUSHED_ACCOUNT,
        "(recorded is not None and not _is_open_order(recorded))",
        "False",
        _ACCOUNT_TOLD + "test_only_what_the_journal_calls_open_is_told_from_the_stream",
    ),
    _guard(
        "a change and a trigger order are asked for",
        _PUSHED_ACCOUNT,
        "isinstance(ticket, Ticket) and ticket.order is None and not isinstance(ticket.intent, TriggerOrder)",
        "True",
        _ACCOUNT_TOLD + "test_what_does_not_show_the_whole_of_this_very_order_is_asked_for",
    ),
    _guard(
        "that an order has ended is asked for",
        _PUSHED_ACCOUNT,
        "found is None or not view.is_open else",
        "found is None else",
        _ACCOUNT_TOLD + "test_an_order_that_is_not_open_any_more_is_asked_for",
    ),
    _guard(
        "an order that is told from its stream is asked for again after a while",
        _PUSHED_ACCOUNT,
        "if now_s - at_s < _ASKED_FOR_S}",
        "if True}",
        _ACCOUNT_TOLD + "test_after_half_a_minute_okx_is_asked_again",
    ),
    _guard(
        "an order is told under its own instrument",
        _PUSHED_ACCOUNT,
        "seen.value.inst_id != inst_id or ",
        "",
        _ACCOUNT_TOLD + "test_it_is_found_by_its_client_order_id_and_under_its_own_instrument",
    ),
    _guard(
        "what is pushed under a ticket's order is that ticket's",
        _PUSHED_ACCOUNT,
        "(view.cl_ord_id, view.side) != (ticket.id, ticket.side)",
        "False",
        _ACCOUNT_TOLD + "test_what_does_not_show_the_whole_of_this_very_order_is_asked_for",
    ),
    _guard(
        "less of an order than was known is not told",
        _PUSHED_ACCOUNT,
        "if known is not None and view.filled_size < known.filled_size:",
        "if False:",
        _ACCOUNT_TOLD + "test_what_does_not_show_the_whole_of_this_very_order_is_asked_for",
    ),
    _guard(
        "an order without its exits is asked for",
        _PUSHED_ACCOUNT,
        "return receipt if receipt.missing_exits == Exits() else None",
        "return receipt",
        _ACCOUNT_TOLD + "test_what_does_not_show_the_whole_of_this_very_order_is_asked_for",
    ),
    _guard(
        "an order is told with all of its executions",
        _STREAMED,
        "return told if sum(each.sz for each in told) == (known.order.acc_fill_sz or 0) else None",
        "return told",
        _ACCOUNT_TOLD + "test_an_order_of_which_an_execution_is_missing_is_asked_for",
    ),
    _guard(
        "that nothing is open is asked for",
        _PUSHED_ACCOUNT,
        "if not seen or not seen.value or age_ms is None:",
        "if not seen or age_ms is None:",
        _ACCOUNT_TOLD + "test_that_nothing_is_open_is_asked_for",
    ),
    _guard(
        "positions are younger than an order that was told before",
        _PUSHED_ACCOUNT,
        "max(self._exchange.account_asked_s, self._told_s)",
        "self._exchange.account_asked_s",
        _ACCOUNT_TOLD + "test_positions_are_younger_than_an_order_that_was_told_before",
    ),
    _guard(
        "without OKX's time no positions are told",
        _PUSHED_ACCOUNT,
        "None if clock.needs_measuring else clock.uncertainty_ms",
        "clock.uncertainty_ms",
        _ACCOUNT_TOLD + "test_without_okxs_time_no_age_is_known_so_nothing_is_told",
    ),
    _guard(
        "positions that were dated ahead are as old as their arrival",
        _PUSHED_ACCOUNT,
        "return max(made_ago_ms, arrived_ago_ms) + _GATHERED_MS",
        "return made_ago_ms + _GATHERED_MS",
        _ACCOUNT_TOLD + "test_what_was_held_up_or_is_dated_ahead_is_as_old_as_it_is",
    ),
    _guard(
        "positions that were held up are as old as they are",
        _PUSHED_ACCOUNT,
        "return max(made_ago_ms, arrived_ago_ms) + _GATHERED_MS",
        "return arrived_ago_ms + _GATHERED_MS",
        _ACCOUNT_TOLD + "test_what_was_held_up_or_is_dated_ahead_is_as_old_as_it_is",
    ),
    _guard(
        "a snapshot of positions counts with its last page",
        _HOLDINGS,
        "        if push.is_last:",
        "        if True:",
        _ACCOUNT_TOLD + "test_a_snapshot_counts_when_its_last_page_is_there",
    ),
    _guard(
        "a page of positions that is missing is noticed",
        _HOLDINGS,
        "elif self._coming is None or push.page != self._page + 1:",
        "elif self._coming is None:",
        _ACCOUNT_TOLD + "test_a_snapshot_without_one_of_its_pages_makes_everything_unknown",
    ),
    _guard(
        "a position that cannot be read makes all unknown",
        _HOLDINGS,
        "        except ValidationError:\n            self.lose()\n            return",
        "        except ValidationError:\n            return",
        _ACCOUNT_TOLD + "test_a_position_that_cannot_be_read_makes_everything_unknown",
    ),
    _guard(
        "a snapshot of positions that is older than the last one is left out",
        _HOLDINGS,
        "if self.whole is not None and made_ms < self.whole.made_ms:",
        "if False:",
        _ACCOUNT_TOLD + "test_a_late_snapshot_takes_back_no_change",
    ),
    _guard(
        "a snapshot of positions takes back no later change",
        _HOLDINGS,
        "            _take_over(told, [row for row in self._positions.values() if (row.u_time or 0) > made_ms])",
        "            pass",
        _ACCOUNT_TOLD + "test_a_late_snapshot_takes_back_no_change",
    ),
    _guard(
        "a snapshot of positions without its time proves nothing",
        _HOLDINGS,
        "return min(moments_ms) if moments_ms and len(moments_ms) == len(snapshot) else None",
        "return min(moments_ms) if moments_ms else None",
        _ACCOUNT_TOLD + "test_a_snapshot_without_its_time_proves_nothing",
    ),
    _guard(
        "positions are unknown when their stream is lost",
        _HOLDINGS,
        "        self._is_known, self._positions, self._coming, self.whole = False, {}, None, None",
        "        pass",
        _ACCOUNT_TOLD + "test_after_a_cut_positions_are_unknown_until_the_next_snapshot",
    ),
)

_CONTRACTS_AND_TRIGGERS: Final = (
    _guard(
        "nobody guesses a margin mode",
        _MODES,
        "if len(modes) != 1 or not modes <= set(MgnMode):",
        "modes = modes or {MgnMode.CROSS}\n    if False:",
        f"{_POSITIONS}test_without_a_position_nobody_guesses_the_margin_mode",
        f"{_POSITIONS}test_with_positions_in_both_modes_nobody_guesses_either",
    ),
    _guard(
        "in a position mode that nobody knows no side is named",
        _MODES,
        "if rules.position_mode not in tuple(PosMode):",
        "if False:",
        f"{_POSITIONS}test_in_a_position_mode_that_nobody_knows_no_side_is_guessed",
    ),
    _guard(
        "in spot mode no contract is traded",
        _MODES,
        'if mode is AcctLv.SPOT:\n        raise NotTradable(\n            f"The account',
        'if False:\n        raise NotTradable(\n            f"The account',
        f"{_POSITIONS}test_in_spot_mode_a_contract_is_refused_with_what_it_needs",
    ),
    _guard(
        "a reduce-only order is no larger than its position",
        _MODES,
        "if own > size:",
        "if False:",
        f"{_POSITIONS}test_a_reduce_only_order_larger_than_the_position_is_refused_with_its_size",
    ),
    _guard(
        "what an open order is to close is not closed a second time",
        _OPEN_ORDERS,
        "if closing and ticket.own_size > free:",
        "if False:",
        f"{_POSITIONS}test_what_an_open_order_is_to_close_is_not_closed_twice_and_the_order_is_named",
    ),
    _guard(
        "an order that opens keeps nothing from being closed",
        _OPEN_ORDERS,
        "if _only_reduces(each) and (",
        "if (",
        f"{_POSITIONS}test_an_order_that_opens_or_is_of_another_position_stands_in_no_ones_way",
    ),
    _guard(
        "of two sides the one that is closed is said",
        _MODES,
        "if len(meant) == 1:\n        return meant[0]\n    if not meant:",
        "if meant:\n        return meant[0]\n    if not meant:",
        f"{_POSITIONS}test_of_two_sides_the_one_that_is_meant_has_to_be_said",
    ),
    _guard(
        "the leverage is looked at again as the approval is used",
        _TICKETS,
        "    return Wanted(takes, leverage_of, counts=not ticket.reduces)",
        "    return Wanted(takes, None, counts=not ticket.reduces)",
        f"{_POSITIONS}test_leverage_that_was_raised_between_ticket_and_approval_stops_the_order",
    ),
    _guard(
        "the book is looked at again as the approval is used, and holds the whole size",
        _LIMITS,
        "return taken.worst_price if taken is not None and taken.size >= size else None",
        "return ticket.price",
        f"{_MARKET}test_a_book_that_got_thin_between_ticket_and_approval_stops_the_order",
        f"{_MARKET}test_a_book_whose_last_level_lies_beyond_the_collar_stops_the_order",
    ),
    _guard(
        "a market order on spot says what its size counts",
        _INTENTS,
        "return {} if quantity.contracts is not None else {",
        "return {} if True else {",
        f"{_MARKET}test_on_spot_the_unit_of_the_size_is_always_said",
    ),
    _guard(
        "exits go out with their order",
        _INTENTS,
        "**fields}]} if fields else {}",
        "**fields}]} if False else {}",
        f"{_MARKET}test_the_exits_go_with_the_order_and_are_read_back",
    ),
    _guard(
        "an exit that would close at once is refused",
        _PRICES,
        "if price == other or (price > other) != is_above:",
        "if False:",
        f"{_MARKET}test_an_exit_on_the_wrong_side_is_refused",
        f"{_TRIGGERS}test_an_exit_that_would_close_at_once_is_refused",
    ),
    _guard(
        "exactly one thing is waited for",
        _PRICES,
        "if sum(each is not None for each in ways) != 1:",
        "if False:",
        f"{_TRIGGERS}test_exactly_one_thing_is_waited_for",
    ),
    _guard(
        "the order after a trigger stays near it",
        _LIMITS,
        "if off > limits.collar:",
        "if False:",
        f"{_TRIGGERS}test_the_order_after_a_trigger_stays_within_the_collar_of_it",
    ),
    _guard(
        "what was triggered is followed to the order that it became",
        _OTHER_LOOKUPS,
        "for ord_id in view.all_it_became]",
        "for ord_id in ()]",
        f"{_TRIGGERS}test_what_was_triggered_is_followed_to_the_order_that_it_became",
    ),
    _guard(
        "contracts that are being bought are no coins",
        "trading/working.py",
        "if len(names) != _OF_A_PAIR or ccy not in names:",
        "if ccy not in names:",
        f"{_POSITIONS}test_contracts_that_are_being_bought_are_no_coins",
    ),
    _guard(
        "what waits counts among open orders",
        _EXPOSURE,
        "await all_waiting(exchange) if waiting else []",
        "[]",
        f"{_AROUND}test_what_waits_for_a_trigger_is_open_beside_every_other_order",
        "trading/test_what_others_wait_for.py::test_what_another_client_has_waiting_counts_where_one_more_is_to_wait",
    ),
    _guard(
        "cancelling everything takes every kind of trigger order with it",
        _OTHER_LOOKUPS,
        '("conditional,oco", "trigger", "move_order_stop")',
        '("conditional,oco", "trigger")',
        f"{_TRIGGERS}test_cancelling_everything_takes_every_kind_of_trigger_order_with_it",
    ),
    _guard(
        "a transfer's state is that of the very amount",
        _OTHER_LOOKUPS,
        "if (row.ccy, row.amt) != (self._intent.ccy, self._intent.amount):",
        "if False:",
        f"{_ACCOUNT}test_another_transfers_state_settles_nothing",
    ),
    _guard(
        "a transfer stays within the owner's account",
        _INTENTS,
        '{"type": "0",',
        '{"type": "1",',
        f"{_ACCOUNT}test_a_transfer_moves_the_very_amount_within_the_owners_account",
    ),
    _guard(
        "no more is transferred than there is",
        _TICKETS,
        "if intent.amount > available:",
        "if False:",
        f"{_ACCOUNT}test_more_than_there_is_is_not_proposed",
    ),
    _guard(
        "a leverage stays within its limit",
        _LIMITS,
        "if intent.leverage > limits.leverage:",
        "if False:",
        f"{_ACCOUNT}test_a_leverage_above_the_limit_is_not_proposed_and_not_sent",
    ),
)

_WALKED_AROUND: Final = (
    _guard(
        "a position is opened at the leverage that was shown",
        _DESK,
        "against = against or _leverage_changed(shown, look, self._risk.added_usd(shown, look))",
        "",
        f"{_AROUND}test_an_order_is_filled_at_the_leverage_that_was_shown_or_not_sent",
    ),
    _guard(
        "a leverage is told, and that of this instrument and margin mode",
        _CLIENT,
        "if not rows or any(row.lever is None or (row.inst_id, row.mgn_mode) != (inst_id, mgn_mode) for row in rows):",
        "if False:",
        f"{_AROUND}test_at_a_leverage_that_okx_does_not_tell_nothing_is_opened",
        f"{_AROUND}test_the_leverage_of_something_else_does_not_prove_a_change",
    ),
    _guard(
        "what a trigger takes at market is held against the book",
        _LIMITS,
        "if ticket.trigger is not None and (ticket.has_own_price or ticket.reduces):",
        "if ticket.trigger is not None:",
        f"{_AROUND}test_what_a_trigger_takes_at_market_goes_no_further_through_the_book_than_a_market_order",
    ),
    _guard(
        "a trigger is valued at the price that it waits for",
        "trading/valuation.py",
        "if not ticket.has_own_price and not waits and",
        "if not ticket.has_own_price and",
        f"{_AROUND}test_a_trigger_is_valued_at_the_price_it_waits_for_and_not_at_the_books",
    ),
    _guard(
        "a trailing buy is valued at the most that it may pay",
        _PRICES,
        "return since * (1 + intent.trail_percent / _PERCENT) if side is Side.BUY else since",
        "return since",
        f"{_AROUND}test_a_trailing_buy_is_valued_at_the_most_it_may_pay",
    ),
    _guard(
        "a book has an age",
        _EXPOSURE,
        "found.ticker, found.walked, *priced",
        "found.ticker, *priced",
        f"{_AROUND}test_a_book_is_as_young_as_the_ticker_has_to_be",
        f"{_MARKET}test_a_book_that_is_not_of_now_stops_the_order_that_would_be_filled_by_it",
    ),
    _guard(
        "no order follows a book far from the last price",
        _LIMITS,
        "if not ticket.reduces and prices.last:",
        "if False:",
        f"{_AROUND}test_a_book_far_from_the_last_price_lets_nothing_follow_it_there",
    ),
    _guard(
        "exits are of a kind that is allowed",
        _LIMITS,
        "if exits is not None and exits not in limits.order_types:",
        "if False:",
        f"{_AROUND}test_the_exits_of_an_order_are_orders_of_a_kind_that_has_to_be_allowed",
    ),
    _guard(
        "a policy approves exits only where it names them",
        _POLICY,
        "if ticket.exits.ord_type is not None and not policy.exits:",
        "if False:",
        f"{_AROUND}test_a_policy_approves_exits_only_where_it_names_them",
    ),
    _guard(
        "what waits counts at the price that it waits for",
        "trading/working.py",
        "return max(self.price or _ZERO, price) if self.waits else price",
        "return price",
        f"{_AROUND}test_what_waits_for_a_trigger_is_part_of_the_position_at_the_price_it_waits_for",
        f"{_AROUND}test_a_buy_that_waits_for_a_trigger_is_part_of_what_is_being_bought",
    ),
    _guard(
        "a waiting sale counts as what it buys",
        "trading/working.py",
        "return self.value if ccy == names[1] else _ZERO",
        "return _ZERO",
        f"{_AROUND}test_a_waiting_sale_counts_as_what_it_buys",
    ),
    _guard(
        "a short on margin is a position",
        _EXPOSURE,
        "if ticket.borrows and ticket.side == Side.SELL:\n        return",
        "if False:\n        return",
        f"{_AROUND}test_what_is_held_on_margin_is_part_of_the_position",
        f"{_AROUND}test_a_sale_on_margin_that_rests_is_part_of_the_position",
    ),
    _guard(
        "a sale on margin is held against the position",
        _LIMITS,
        "if quantity.contracts is not None or (ticket.borrows and ticket.side == Side.SELL):",
        "if quantity.contracts is not None:",
        f"{_AROUND}test_what_is_held_on_margin_is_part_of_the_position",
    ),
    _guard(
        "a long position on margin is held of its coin",
        _EXPOSURE,
        "for each in seen.positions if is_buy and each.side ==",
        "for each in seen.positions if False and each.side ==",
        f"{_AROUND}test_what_is_held_on_margin_is_part_of_the_position",
    ),
    _guard(
        "what is not told is not zero",
        _EXPOSURE,
        "return sum(known, _ZERO) if len(known) == len(amounts) else None",
        "return sum(known, _ZERO)",
        f"{_AROUND}test_a_balance_that_is_not_told_is_not_zero",
        f"{_AROUND}test_an_order_whose_size_is_not_told_is_not_zero",
    ),
    _guard(
        "a position of unknown size is not none",
        _EXPOSURE,
        "if any(row.pos is None for row in rows):",
        "if False:",
        f"{_AROUND}test_a_position_whose_size_is_not_told_is_not_closed",
    ),
    _guard(
        "a change is held against the terms of its order",
        _TICKETS,
        "quantity, price), quantity, price, look, terms, order)",
        "quantity, price), quantity, price, look, order=order)",
        f"{_AROUND}test_a_change_on_margin_is_held_against_leverage_and_margin_modes",
        f"{_AROUND}test_a_change_shows_on_which_terms_and_with_which_exits_the_order_stays",
    ),
    _guard(
        "a change leaves no exit on the wrong side",
        _TICKETS,
        "check_exits(order.exits, Side(order.side), price, instrument)",
        "pass",
        f"{_AROUND}test_a_change_leaves_no_exit_on_the_wrong_side_of_its_order",
    ),
    _guard(
        "a change is of the order with the exits that were shown",
        _ORDERS,
        "return self.size, self.price, self.exits",
        "return self.size, self.price, _NO_EXITS",
        f"{_AROUND}test_a_change_is_of_the_order_as_it_was_shown_with_its_exits",
    ),
    _guard(
        "an order on unknown terms is not changed",
        _MODES,
        "if order.td_mode not in tuple(TdMode):",
        "if False:",
        f"{_AROUND}test_an_order_on_unknown_terms_is_not_changed",
    ),
    _guard(
        "less risk is not stopped by a leverage that changed",
        _DESK,
        "if ticket.order is not None and not added_usd:",
        "if False:",
        f"{_AROUND}test_less_risk_is_not_stopped_by_a_leverage_that_changed",
    ),
    _guard(
        "of two sides the leverage is that of the one that is opened",
        _EXPOSURE,
        "of_side = [row for row in rows if terms.pos_side in (None, row.pos_side)]",
        "of_side = rows",
        f"{_AROUND}test_of_two_sides_the_leverage_is_that_of_the_one_that_is_opened",
    ),
    _guard(
        "a cross leverage is set where every contract that it is of may be traded",
        _LIMITS,
        "            *_shared(ticket, intent.inst_id, limits),\n",
        "",
        f"{_AROUND}test_a_cross_leverage_is_not_set_where_it_is_that_of_a_contract_that_may_not_be_traded",
    ),
)

GUARDS: Final = (
    *_ONE_APPROVAL,
    *_AS_APPROVED,
    *_WRITTEN_FIRST,
    *_ONE_SEND,
    *_BESIDE_AN_OPEN_END,
    *_PROVEN,
    *_NOT_FOUND,
    *_CHANGES,
    *_PROPOSED,
    *_LIMITED,
    *_HALTED,
    *_CHAINED,
    *_APPROVED,
    *_OF_KEYS_AND_FILES,
    *_SIZED_AND_READ,
    *_ONLY_READ,
    *_STREAMS,
    *_PUSHED_OF_ACCOUNT,
    *_CONTRACTS_AND_TRIGGERS,
    *_WALKED_AROUND,
)
