"""How a person is asked to approve a ticket, through whatever the client can do.

A client that can ask (elicitation) asks: in the 2026-07-28 protocol by a result that demands input and a repeated
call, before that by a request of ours. Any other client shows its own approval card for confirm_order, which
carries the whole order in its arguments. Which way a ticket goes is fixed when it is made and never weakens.
"""

import decimal
import json
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import anyio
from mcp import MCPError
from mcp.server.mcpserver import Context
from mcp.types import (
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)

from okx_mcp.okx.names import Side
from okx_mcp.tools.reports import OrderReport, iso_time, of_receipt
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.decimals import plain
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.intents import LimitOrder
from okx_mcp.trading.orders import Ticket
from okx_mcp.trading.refusals import NotApproved, Refusal

if TYPE_CHECKING:
    from okx_mcp.trading.desk import OrderDesk
    from okx_mcp.trading.intents import Amendment
    from okx_mcp.trading.orders import Receipt

__all__ = ["Asker"]

_QUESTION: Final = "approve"
_ASKS_BY_RESULT_SINCE: Final = "2026-07-28"
_NO_PERSON_ANSWERS_WITHIN_MS: Final = 1_000

_SHOWN: Final = decimal.Context(prec=3, rounding=decimal.ROUND_UP)
_PLACE: Final = {
    Environment.PAPER: "PAPER (no real money)",
    Environment.DEMO: "DEMO (no real money)",
    Environment.LIVE: "LIVE, REAL MONEY",
}

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


class Asker:
    """Asks about tickets on behalf of one call."""

    def __init__(self, context: Context[Any, Any], desk: "OrderDesk") -> None:
        self._context = context
        self._desk = desk

    async def about(self, intent: "LimitOrder | Amendment") -> OrderReport | InputRequiredResult:
        """Propose the intent, have it approved, commit it: as far as this call gets."""
        if self._context.request_state is not None and self._context.input_responses is not None:
            return await self._answered_by_repeated_call(self._context.request_state, intent)
        ticket = await self._desk.propose(intent, self.channel)
        if not self._client_can_ask:
            return _waits_for_host(self._desk.ticket(ticket.id))
        if self._asks_by_result:
            return InputRequiredResult(input_requests={_QUESTION: _question(ticket)}, request_state=_state_of(ticket))
        return await self._ask_and_wait(ticket)

    async def confirmed(self, ticket_id: str, line: str) -> OrderReport:
        """Commit a ticket whose exact line was repeated, as shown on the client's approval card."""
        ticket = self._desk.ticket(ticket_id).ticket
        if line != ticket.line:
            raise NotApproved("The line does not match the ticket to the letter.")
        return of_receipt(await self._desk.commit(Approval(ticket_id, ticket.digest, Channel.HOST)))

    @property
    def channel(self) -> Channel:
        """The best channel this client has."""
        return Channel.ELICITATION if self._client_can_ask else Channel.HOST

    @property
    def _client_can_ask(self) -> bool:
        capabilities = self._context.client_capabilities
        elicitation = capabilities.elicitation if capabilities else None
        # `elicitation: {}` means forms, as before there were other kinds.
        return elicitation is not None and (elicitation.form is not None or elicitation.url is None)

    @property
    def _asks_by_result(self) -> bool:
        return (self._context.protocol_version or "") >= _ASKS_BY_RESULT_SINCE

    async def _answered_by_repeated_call(self, state: str, intent: "LimitOrder | Amendment") -> OrderReport:
        ticket_id, _, digest = state.partition(" ")
        receipt = self._desk.ticket(ticket_id)
        if receipt.ticket.intent != intent:
            raise NotApproved("This answer belongs to another order.")
        answer = (self._context.input_responses or {}).get(_QUESTION)
        return await self._after(receipt.ticket, digest, answer if isinstance(answer, ElicitResult) else None)

    async def _ask_and_wait(self, ticket: "Ticket") -> OrderReport:
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

    async def _after(self, ticket: "Ticket", digest: str, answer: ElicitResult | None) -> OrderReport:
        """Only an accepted form with the box ticked is an approval, and only of what was shown."""
        if answer is not None and answer.action == "accept" and (answer.content or {}).get("place") is True:
            return of_receipt(await self._desk.commit(Approval(ticket.id, digest, Channel.ELICITATION)))
        return of_receipt(await self._desk.decline(ticket.id, self._why_not(ticket, answer)))

    def _why_not(self, ticket: "Ticket", answer: ElicitResult | None) -> str:
        if answer is None:
            return "There was no answer to this question."
        if answer.action == "cancel" and self._desk.age_ms(ticket) < _NO_PERSON_ANSWERS_WITHIN_MS:
            return "The client closed the question at once, as clients do that have nobody to ask."
        return {
            "accept": "The form was accepted without the tick.",
            "decline": "The person declined.",
            "cancel": "The question was closed without an answer.",
        }[answer.action]


def _state_of(ticket: "Ticket") -> str:
    """What the client carries from the question to its answer, sealed by the SDK: which ticket, and which body."""
    return f"{ticket.id} {ticket.digest}"


def _question(ticket: "Ticket") -> ElicitRequest:
    return ElicitRequest(params=ElicitRequestFormParams(message=_text(ticket), requested_schema=_FORM))


def _text(ticket: "Ticket") -> str:
    """What a person is asked: the ticket and nothing else, least of all words of the model's."""
    return "\n".join([*_lines(ticket), f"Good until {iso_time(ticket.expires_ms)}. Place exactly this order?"])


def _lines(ticket: "Ticket") -> list[str]:
    intent, quantity = ticket.intent, ticket.quantity
    what = f"{ticket.side} {intent.inst_id}, {intent.ord_type}" if isinstance(intent, LimitOrder) else _change(ticket)
    lines = [
        f"{_PLACE[ticket.account.environment]}: {what}",
        f"Size: {quantity}",
        f"Price: {plain(ticket.price)} {quantity.quote_ccy}{_from_market(ticket)}",
    ]
    return lines if ticket.fee_rate is None else [*lines, f"Fee: {_fee(ticket, ticket.fee_rate)}"]


def _change(ticket: "Ticket") -> str:
    was = f"order {ticket.order.ord_id}, now {ticket.order.terms}" if ticket.order else ""
    return f"change {ticket.side} {ticket.intent.inst_id} {was}, to"


def _fee(ticket: "Ticket", rate: Decimal) -> str:
    """The highest rate, and what it comes to in the coin that OKX takes it from: the one that is received."""
    received, ccy = ticket.quantity.quote, ticket.quantity.quote_ccy
    if ticket.side == Side.BUY:
        received, ccy = ticket.quantity.base, ticket.quantity.base_ccy
    amount = _SHOWN.plus(abs(received * rate))
    return f"{plain(abs(rate) * 100)} % of what is received or less, about {plain(amount)} {ccy}"


def _from_market(ticket: "Ticket") -> str:
    if ticket.distance is None:
        return ""
    percent = f"{abs(ticket.distance) * 100:.2f} %"
    return f", {percent} {'above' if ticket.distance > 0 else 'below'} the last price"


def _waits_for_host(receipt: "Receipt") -> OrderReport:
    line = json.dumps(receipt.ticket.line, ensure_ascii=False)
    return of_receipt(
        receipt,
        f"Not sent. Show the user this order and ask: {'; '.join(_lines(receipt.ticket) if isinstance(receipt.ticket, Ticket) else [receipt.ticket.line])}. If the user says yes, call "
        f"confirm_order with this ticket_id and order set to {line}.",
    )
