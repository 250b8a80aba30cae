"""The guards of an order's life: where each stands, how it is taken away, and which tests must then fail."""

from dataclasses import dataclass
from typing import Final

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
    return Guard(name, (Edit(file, guarded, without),), tuple(f"tests/{test}" for test in caught_by))


_DESK: Final = "trading/desk.py"
_JOURNAL: Final = "trading/journal.py"
_RECONCILE: Final = "trading/reconcile.py"
_OUTCOME: Final = "trading/outcome.py"
_REST: Final = "okx/rest.py"

_COMMITTING: Final = "trading/test_committing.py::"
_FAULTS: Final = "trading/test_faults_at_place.py::"
_IN_JOURNAL: Final = "trading/test_journal.py::"
_RESTORED: Final = "trading/test_restored_journal.py::"
_GATE: Final = "trading/test_last_gate.py::"
_DISK: Final = "trading/test_journal_disk.py::"
_NEVER_ARRIVED: Final = f"{_FAULTS}test_an_order_that_never_arrived_has_no_effect_only_once_it_cannot_arrive_any_more"
_FOUND: Final = f"{_FAULTS}test_an_order_that_arrived_is_found_whatever_became_of_the_answer"
_TORN_DOWN: Final = f"{_COMMITTING}test_a_commit_that_is_torn_down_by_force_records_what_is_known"

GUARDS: Final = (
    # --- one approval, one use ---
    _guard(
        "an approval is used once",
        _JOURNAL,
        "if found.state is OrderState.PROPOSED and now_ms < found.ticket.expires_ms:",
        "if now_ms < found.ticket.expires_ms:",
        f"{_IN_JOURNAL}test_an_approval_is_used_once_over_two_journals_on_one_file",
        f"{_COMMITTING}test_committing_again_returns_the_record_and_sends_nothing",
    ),
    Guard(
        "it is used in one transaction",
        (
            Edit(_JOURNAL, 'db.execute("BEGIN IMMEDIATE")', 'db.execute("SELECT 1")'),
            Edit(_JOURNAL, 'db.execute("COMMIT")', 'db.execute("SELECT 1")'),
        ),
        (
            f"tests/{_IN_JOURNAL}test_an_approval_is_used_once_under_threads",
            f"tests/{_IN_JOURNAL}test_an_approval_is_used_once_under_processes",
            f"tests/{_IN_JOURNAL}test_a_journal_that_another_writes_can_be_read_and_not_written",
        ),
    ),
    _guard(
        "that takes the lock before it reads",
        _JOURNAL,
        'db.execute("BEGIN IMMEDIATE")',
        'db.execute("BEGIN DEFERRED")',
        f"{_IN_JOURNAL}test_an_approval_is_used_once_under_threads",
        f"{_IN_JOURNAL}test_an_approval_is_used_once_under_processes",
        f"{_GATE}test_a_decision_waits_for_the_lock_before_it_reads",
    ),
    _guard(
        "an expired ticket is not used",
        _JOURNAL,
        "if found.state is OrderState.PROPOSED and now_ms < found.ticket.expires_ms:",
        "if found.state is OrderState.PROPOSED:",
        f"{_COMMITTING}test_an_expired_ticket_is_never_sent",
    ),
    _guard(
        "an approval through another channel does not count",
        _JOURNAL,
        "if found.ticket.channel is not approval.channel:",
        "if False:",
        f"{_COMMITTING}test_an_approval_through_another_channel_does_not_count",
    ),
    _guard(
        "live orders are approved by a person",
        "trading/approval.py",
        "return environment is not Environment.LIVE or channel in _HUMAN",
        "return True",
        f"{_COMMITTING}test_live_orders_are_not_sent_on_a_cards_word",
    ),
    _guard(
        "an account's tickets are its own",
        _JOURNAL,
        'db.execute("SELECT receipt FROM tickets WHERE id = ? AND account = ?", (ticket_id, str(account)))',
        'db.execute("SELECT receipt FROM tickets WHERE id = ?", (ticket_id,))',
        f"{_IN_JOURNAL}test_a_ticket_of_another_account_does_not_exist",
    ),
    _guard(
        "a ticket that an old copy revived is not sent again by the process that sent it",
        _DESK,
        "if is_used:",
        "if False:",
        f"{_RESTORED}test_a_ticket_revived_under_a_running_server_is_not_sent_again_even_while_the_order_is_under_way",
    ),
    _guard(
        "another process's ticket is asked for before it is sent",
        _DESK,
        "if is_own:",
        "if True:",
        f"{_RESTORED}test_a_ticket_revived_by_an_old_copy_is_not_sent_again",
        f"{_RESTORED}test_a_ticket_of_another_process_is_not_sent_where_nobody_can_be_asked",
    ),
    # --- what is sent is what was approved ---
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
        f"{_COMMITTING}test_a_body_and_digest_that_were_changed_together_are_not_what_was_shown",
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
    # --- written down before it is sent ---
    _guard(
        "SENT is written",
        _DESK,
        "sent = await self._journal.sending(intent, exp_time_ms, self._now_ms())",
        "sent = replace(intent, state=OrderState.SENT, exp_time_ms=exp_time_ms)",
        f"{_COMMITTING}test_a_journal_that_fails_at_sent_means_that_nothing_is_sent",
        f"{_GATE}test_sent_is_on_the_disk_when_the_order_arrives",
    ),
    _guard(
        "SENT is written before the socket write",
        _REST,
        "            await before_send(exp_time_ms, request.content)\n"
        "        answer = await self._send(asked, request)\n",
        "            answer = await self._send(asked, request)\n"
        "            await before_send(exp_time_ms, request.content)\n"
        "        else:\n"
        "            answer = await self._send(asked, request)\n",
        "okx/test_client_sending.py::test_what_before_send_raises_stops_the_request",
        f"{_GATE}test_sent_is_on_the_disk_when_the_order_arrives",
    ),
    _guard(
        "SENT is durable",
        _JOURNAL,
        "{'FULL' if synced else 'NORMAL'}",
        "NORMAL",
        f"{_DISK}test_a_loss_of_power_when_the_order_arrives_forgets_nothing_of_it",
    ),
    _guard(
        "only an INTENT is sent",
        _JOURNAL,
        "if found.state is not OrderState.INTENT:",
        "if False:",
        f"{_IN_JOURNAL}test_an_order_is_sent_for_one_intent_once",
        f"{_IN_JOURNAL}test_an_abandoned_intent_was_not_sent_and_can_never_be",
    ),
    _guard(
        "a ticket that expired while it waited for its turn is not sent",
        _JOURNAL,
        "if now_ms >= found.ticket.expires_ms:",
        "if False:",
        f"{_IN_JOURNAL}test_nothing_is_sent_for_a_ticket_that_expired_while_it_waited_for_its_turn",
    ),
    _guard(
        "an INTENT at work is not given up",
        _JOURNAL,
        "if found.state is OrderState.INTENT and abs(now_ms - found.at_ms) > _ABANDONED_AFTER_MS:",
        "if found.state is OrderState.INTENT:",
        f"{_IN_JOURNAL}test_an_intent_that_may_be_at_work_is_not_given_up",
    ),
    # --- one send ---
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
        "okx/test_client_asking_again.py::test_an_order_is_sent_once_whatever_comes_of_it",
        f"{_FAULTS}test_a_fault_in_the_middle_of_a_batch_of_repeated_calls_sends_no_second_order",
    ),
    _guard(
        "a redirect is not followed",
        _REST,
        "follow_redirects=False",
        "follow_redirects=True",
        "okx/test_client_sending.py::test_a_redirect_is_an_error_and_nobody_goes_there",
    ),
    _guard(
        "expTime is sent",
        _REST,
        "        if valid_ms is not None:\n",
        "        if False:\n",
        "okx/test_client_sending.py::test_an_order_says_until_when_it_is_valid_on_the_exchanges_clock",
        f"{_FAULTS}test_an_order_that_arrives_after_it_was_said_to_have_no_effect_is_refused_by_the_exchange",
    ),
    _guard(
        "a cancelled call does not stop a commit halfway",
        _DESK,
        "with anyio.CancelScope(shield=True):\n                begun =",
        "with anyio.CancelScope(shield=False):\n                begun =",
        f"{_COMMITTING}test_a_commit_whose_caller_is_cancelled_still_sends_and_records",
    ),
    _guard(
        "a cancelled call does not stop a cancel halfway",
        _DESK,
        "with anyio.CancelScope(shield=True):\n            try:\n                await self._exchange.cancel_order",
        "with anyio.CancelScope(shield=False):\n            try:\n                await self._exchange.cancel_order",
        "trading/test_cancelling.py::test_a_cancel_whose_caller_is_cancelled_is_sent_all_the_same",
    ),
    _guard(
        "a commit that is torn down is UNKNOWN once it may have left",
        _DESK,
        "state = OrderState.UNKNOWN if _may_have_left(sent) else OrderState.NOT_SENT",
        "state = OrderState.NOT_SENT",
        _TORN_DOWN,
    ),
    _guard(
        "what failed before SENT was not sent",
        _DESK,
        "return receipt.state is not OrderState.INTENT",
        "return True",
        _TORN_DOWN,
        f"{_COMMITTING}test_what_failed_before_sent_was_written_was_not_sent_whatever_the_error",
    ),
    # --- beside an open end ---
    _guard(
        "an UNKNOWN order holds back new ones",
        _JOURNAL,
        "                _refuse_beside_unsettled(db, account, now_ms)\n",
        "",
        f"{_IN_JOURNAL}test_an_unsettled_order_blocks_new_ones_and_is_named",
    ),
    _guard(
        "it holds back those that wait for their turn too",
        _JOURNAL,
        "            _refuse_beside_unsettled(db, receipt.ticket.account, now_ms)\n",
        "",
        f"{_IN_JOURNAL}test_an_order_that_waits_for_its_turn_is_held_back_when_another_ones_outcome_is_lost",
    ),
    _guard(
        "a SENT order that nobody waits for is unsettled",
        _JOURNAL,
        "if receipt.state is OrderState.UNKNOWN or abs(now_ms - receipt.at_ms) > _ABANDONED_AFTER_MS",
        "if receipt.state is OrderState.UNKNOWN",
        f"{_IN_JOURNAL}test_a_send_that_nobody_waits_for_any_more_is_unsettled",
    ),
    _guard(
        "two changes of one order are not under way at once",
        _JOURNAL,
        "                _refuse_beside_amendment(db, found.ticket)\n",
        "",
        "trading/test_amending.py::test_two_changes_of_one_order_are_not_under_way_at_once",
    ),
    _guard(
        "what an earlier process left open is asked for before the first order",
        _DESK,
        "await self._settle_at_start()\n        self._under_way.add",
        "self._under_way.add",
        f"{_FAULTS}test_what_an_earlier_process_left_unknown_is_asked_for_before_the_first_order",
    ),
    _guard(
        "a word that proves less does not go over what is known",
        _JOURNAL,
        "if not receipt.state.supersedes(found.state):",
        "if False:",
        f"{_IN_JOURNAL}test_a_late_word_that_proves_less_does_not_take_back_what_is_known",
    ),
    # --- what an answer proves ---
    _guard(
        "50004 proves nothing",
        _OUTCOME,
        'Row(Code("50004"), Outcome.UNKNOWN,',
        'Row(Code("50004"), Outcome.REJECTED,',
        _FOUND,
        _NEVER_ARRIVED,
    ),
    _guard(
        "51016 proves nothing",
        _OUTCOME,
        'Row(Code("51016"), Outcome.UNKNOWN,',
        'Row(Code("51016"), Outcome.REJECTED,',
        _NEVER_ARRIVED,
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
        "if error.answered.code.startswith(_OF_OTHER_REQUESTS if of_change else (*_OF_OTHER_REQUESTS, *_OF_CHANGES)):",
        "if False:",
        "trading/test_outcome.py::test_the_answer_to_another_request_proves_nothing",
    ),
    _guard(
        "a broken connection is not a connection that never was",
        _REST,
        "except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:",
        "except (httpx2.NetworkError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:",
        _FOUND,
    ),
    _guard(
        "the answer's row is about our order",
        "okx/client.py",
        "        if sent and named != sent:\n",
        "        if False:\n",
        "okx/test_client_answers.py::test_an_answer_that_does_not_tell_of_this_very_order_proves_nothing",
        _FOUND,
    ),
    _guard(
        "the answer has one row",
        _REST,
        "if len(rows) != 1:",
        "if not rows:",
        "okx/test_client_answers.py::test_an_answer_that_does_not_tell_of_this_very_order_proves_nothing",
    ),
    # --- when "not found" is believed ---
    _guard(
        "two denials are needed",
        _RECONCILE,
        "_DENIALS: Final = 2",
        "_DENIALS: Final = 1",
        f"{_GATE}test_one_denial_is_not_enough",
    ),
    _guard(
        "a denial counts only once the order cannot arrive any more",
        _RECONCILE,
        "denied += 1 if self._cannot_arrive_any_more(receipt) else 0",
        "denied += 1",
        _NEVER_ARRIVED,
    ),
    _guard(
        "the exchange has a margin to show an order",
        _RECONCILE,
        "receipt.exp_time_ms + uncertainty_ms + _MARGIN_MS",
        "receipt.exp_time_ms + uncertainty_ms",
        f"{_GATE}test_no_denial_counts_before_the_margin_is_past",
    ),
    _guard(
        "the clock's uncertainty is waited for",
        _RECONCILE,
        "receipt.exp_time_ms + uncertainty_ms + _MARGIN_MS",
        "receipt.exp_time_ms + _MARGIN_MS",
        f"{_GATE}test_no_denial_counts_before_the_clocks_uncertainty_is_past",
    ),
    _guard(
        "the lists are asked too",
        _RECONCILE,
        "        if order is None and denied >= _DENIALS:\n",
        "        if False:\n",
        f"{_FAULTS}test_a_denied_order_is_not_without_effect_while_a_list_cannot_be_read",
        f"{_FAULTS}test_an_order_that_is_denied_for_a_while_although_it_exists_is_found_in_the_end",
    ),
    _guard(
        "the fills are asked too",
        _RECONCILE,
        "if denied >= _DENIALS and not await self._was_filled(receipt):",
        "if denied >= _DENIALS:",
        f"{_FAULTS}test_a_denied_order_is_not_without_effect_while_there_are_fills_of_it",
    ),
    _guard(
        "a question that failed makes the denials before it void",
        _RECONCILE,
        "            except OkxError:\n                denied = 0\n",
        "            except OkxError:\n                pass\n",
        f"{_GATE}test_denials_before_and_after_a_question_that_failed_are_not_two",
    ),
    _guard(
        "an order that was read is the one that was asked for",
        _RECONCILE,
        "if order is not None and any_id not in (order.ord_id, order.cl_ord_id):",
        "if False:",
        f"{_FAULTS}test_an_answer_about_another_order_settles_nothing",
        f"{_FAULTS}test_an_accepted_order_that_cannot_be_read_back_is_accepted_and_no_more",
    ),
    _guard(
        "what the journal calls unsent is asked for where a copy may have been put back",
        _DESK,
        'if receipt.state.order_sent == "no" and not is_our_word:',
        "if False:",
        f"{_RESTORED}test_a_ticket_that_an_old_copy_calls_expired_is_told_as_the_exchange_has_it",
    ),
)
