"""How a ticket gets its approval, through whatever the client can do and the rules accept.

A client that can ask (elicitation) asks: in the 2026-07-28 protocol by a result that demands input and a repeated
call, before that by a request of ours. For any other client the ticket waits for confirm_order, which carries the
whole order in its arguments for the client's own card, or for a person in a terminal. Which way a ticket goes is fixed
when it is made and never weakens.
"""

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

import anyio
from mcp import MCPError
from mcp.server.mcpserver import Context
from mcp.types import (
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)

from okx_mcp.tools.reports import OrderReport, of_receipt
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.refusals import NotApproved, Refusal

if TYPE_CHECKING:
    from okx_mcp.trading.desk import OrderDesk
    from okx_mcp.trading.intents import AccountIntent, OrderIntent
    from okx_mcp.trading.orders import AnyTicket, Receipt

__all__ = ["Asker"]

_QUESTION: Final = "approve"
_ASKS_BY_RESULT_SINCE: Final = "2026-07-28"
_NO_PERSON_ANSWERS_WITHIN_MS: Final = 1_000

# One required boolean: an empty form hangs a client, free text invites mistakes.
_FORM: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "place": {
            "type": "boolean",
            "title": "Place this order",
            "description": "Tick to send exactly this order; anything else sends nothing",
        }
    },
    "required": ["place"],
}


_NO: Final = {
    "accept": "The form was accepted without the tick.",
    "decline": "The person declined.",
    "cancel": "The question was closed without an answer.",
}


class Terminal(Protocol):
    """Where `okx-mcp approve` reaches this server."""

    @property
    def why_not(self) -> str | None:
        """Why no order can be approved there; None if they can."""

    async def open(self) -> None:
        """Let a person in a terminal approve what waits.

        Raises:
            NotApproved: nobody could approve an order there.
        """


class Asker:
    """Has tickets approved on behalf of one call."""

    def __init__(self, context: Context[Any, Any], desk: "OrderDesk", terminal: Terminal) -> None:
        self._context = context
        self._desk = desk
        self._terminal = terminal

    async def about(self, intent: "OrderIntent | AccountIntent") -> OrderReport | InputRequiredResult:
        """Propose the intent, have it approved, commit it: as far as this call gets."""
        if self._context.request_state is not None and self._context.input_responses is not None:
            return await self._answered_by_repeated_call(self._context.request_state, intent)
        ticket = await self._desk.propose(intent, self.channel)
        match ticket.channel:
            case Channel.POLICY:
                return of_receipt(await self._desk.commit(Approval(ticket.id, ticket.digest, Channel.POLICY)))
            case Channel.TERMINAL:
                return await self._leave_to_terminal(ticket)
            case Channel.HOST:
                with suppress(NotApproved):  # then there is the card alone
                    await self._terminal.open()
                return _waits_for_host(self._desk.ticket(ticket.id))
            case Channel.ELICITATION if self._asks_by_result:
                state = _state_of(ticket)
                return InputRequiredResult(input_requests={_QUESTION: _question(ticket)}, request_state=state)
            case Channel.ELICITATION:
                return await self._ask_and_wait(ticket)

    async def confirmed(self, ticket_id: str, line: str) -> OrderReport:
        """Commit a ticket whose exact line was repeated, as shown on the client's approval card."""
        ticket = self._desk.ticket(ticket_id).ticket
        if line != ticket.line:
            raise NotApproved("The line does not match the ticket to the letter.")
        return of_receipt(await self._desk.commit(Approval(ticket_id, ticket.digest, Channel.HOST)))

    @property
    def channel(self) -> Channel | None:
        """The best channel to a person that this client and the rules have; None where there is none."""
        return self._desk.rules.best_channel(client_can_ask=self._client_can_ask)

    @property
    def why_nobody_is_reached(self) -> str | None:
        """Why no person can approve an order of this client's; None if one can."""
        if self.channel is Channel.TERMINAL:
            return self._terminal.why_not
        return None if self.channel else "This client cannot ask a person, and nothing else here reaches one."

    @property
    def _client_can_ask(self) -> bool:
        capabilities = self._context.client_capabilities
        elicitation = capabilities.elicitation if capabilities else None
        # `elicitation: {}` means forms, as before there were other kinds.
        return elicitation is not None and (elicitation.form is not None or elicitation.url is None)

    @property
    def _asks_by_result(self) -> bool:
        return (self._context.protocol_version or "") >= _ASKS_BY_RESULT_SINCE

    async def _leave_to_terminal(self, ticket: "AnyTicket") -> OrderReport:
        try:
            await self._terminal.open()
        except NotApproved as refusal:
            await self._desk.decline(ticket.id, str(refusal))
            raise
        return _waits_for_terminal(self._desk.ticket(ticket.id))

    async def _answered_by_repeated_call(self, state: str, intent: "OrderIntent | AccountIntent") -> OrderReport:
        ticket_id, _, digest = state.partition(" ")
        receipt = self._desk.ticket(ticket_id)
        if receipt.ticket.intent != intent:
            raise NotApproved("This answer belongs to another order.")
        answer = (self._context.input_responses or {}).get(_QUESTION)
        return await self._after(receipt.ticket, digest, answer if isinstance(answer, ElicitResult) else None)

    async def _ask_and_wait(self, ticket: "AnyTicket") -> OrderReport:
        answer = None
        try:
            with anyio.move_on_after((ticket.expires_ms - ticket.created_ms) / 1000):
                answer = await self._context.session.elicit_form(
                    _text(ticket), _FORM, related_request_id=self._context.request_id
                )
        except MCPError:
            return of_receipt(await self._desk.decline(ticket.id, "The client could not ask."))
        except ValueError:
            return of_receipt(await self._desk.decline(ticket.id, "The client's answer could not be read."))
        except anyio.get_cancelled_exc_class():
            with suppress(Refusal):  # without a record the ticket still waits for an answer that cannot come
                await self._desk.decline(ticket.id, "The call was cancelled before anyone answered.")
            raise
        return await self._after(ticket, ticket.digest, answer)

    async def _after(self, ticket: "AnyTicket", digest: str, answer: ElicitResult | None) -> OrderReport:
        """Only an accepted form with the box ticked is an approval, and only of what was shown."""
        if answer is not None and answer.action == "accept" and (answer.content or {}).get("place") is True:
            return of_receipt(await self._desk.commit(Approval(ticket.id, digest, Channel.ELICITATION)))
        if answer is None:
            return of_receipt(await self._desk.decline(ticket.id, "There was no answer to this question."))
        if answer.action == "cancel" and self._desk.age_ms(ticket) < _NO_PERSON_ANSWERS_WITHIN_MS:
            why = "The client closed the question at once, as clients do that have nobody to ask."
            return of_receipt(await self._desk.decline(ticket.id, why))
        return of_receipt(await self._desk.decline(ticket.id, _NO[answer.action], by_person=True))


def _state_of(ticket: "AnyTicket") -> str:
    """What the client carries from the question to its answer, sealed by the SDK: which ticket, and which body."""
    return f"{ticket.id} {ticket.digest}"


def _question(ticket: "AnyTicket") -> ElicitRequest:
    return ElicitRequest(params=ElicitRequestFormParams(message=_text(ticket), requested_schema=_FORM))


def _text(ticket: "AnyTicket") -> str:
    """What a person is asked: the ticket and nothing else, least of all words of the model's."""
    return "\n".join([*_lines(ticket), "Place exactly this order?"])


def _waits_for_host(receipt: "Receipt") -> OrderReport:
    line = json.dumps(receipt.ticket.line, ensure_ascii=False)
    return of_receipt(
        receipt,
        f"Not sent. Show the user this order and ask: {'; '.join(_lines(receipt.ticket))}. If the user says yes, "
        f"call confirm_order with this ticket_id and order set to {line}.",
    )


def _waits_for_terminal(receipt: "Receipt") -> OrderReport:
    return of_receipt(
        receipt,
        f"Not sent. The user approves this order themselves, with okx-mcp approve in a terminal: "
        f"{'; '.join(_lines(receipt.ticket))}. Then call check_order with this ticket_id.",
    )


def _lines(ticket: "AnyTicket") -> list[str]:
    from okx_mcp.views.order_ticket import ticket_lines

    return ticket_lines(ticket)
