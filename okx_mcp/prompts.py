"""Conversations to start from: each is a message of the user's that tells a model what to do, and where to stop."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from mcp import MCPError
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import Message, Prompt, PromptArgument
from mcp.types import INVALID_PARAMS, InputRequiredResult

__all__ = ["add_prompts"]

_LONGEST: Final = 60

_ONE_ORDER: Final = (
    "Propose at most one order, and not again if I decline it. If order_sent is unknown, call check_order and never "
    "place it again."
)


def add_prompts(server: MCPServer, *, can_order: bool) -> None:
    """Give the server its prompts; those that end in an order only where it can place one."""
    for prompt in (*(_that_order() if can_order else ()), *_that_read()):
        server.add_prompt(prompt)


def _that_order() -> tuple[Prompt, ...]:
    return (
        _prompt(
            "dip_buyer",
            "Buy a dip",
            dip_buyer,
            inst_id="e.g. BTC-USDT",
            dip_percent="below the 24 h high, e.g. 5",
            spend="in the quote currency, e.g. 100",
            stop_percent="stop-loss below the buy, e.g. 8",
        ),
        _prompt(
            "dca_plan",
            "Plan regular buys",
            dca_plan,
            inst_id="e.g. BTC-USDT",
            amount="each time, in the quote currency",
            every="e.g. week",
            times="how often, e.g. 12",
        ),
    )


def _that_read() -> tuple[Prompt, ...]:
    return (
        _prompt("portfolio_review", "Review my portfolio", portfolio_review),
        _prompt(
            "pre_trade_checklist",
            "Check before a trade",
            pre_trade_checklist,
            inst_id="e.g. BTC-USDT",
            side="buy or sell",
            size="with its unit, e.g. 0.01 BTC",
        ),
    )


async def dip_buyer(inst_id: str, dip_percent: str, spend: str, stop_percent: str) -> str:
    """Look at a price and propose one buy, with its stop, when it has dipped."""
    return f"""Buy {inst_id} for me if it has dipped {dip_percent} % below its 24-hour high.

1. Call system_status. If trading is halted or an order is unsettled, tell me and stop.
2. Call get_ticker for {inst_id}. Tell me the last price, its time, the 24-hour high, and how many percent lie between.
3. If it has not dipped that far, tell me at which price it would have, and watch: call wait_for_price with that price
   as below, and again when its time is up, until it is reached or I stop you. Propose nothing before.
4. If it has, call list_orders, open and history. If a buy of {inst_id} is open, or one was filled in the last 24 hours,
   tell me and stop.
5. Call find_instruments and get_balance. Propose a limit order with place_limit_order: buy for {spend} of the quote
   currency, at the ask or below, with a stop_loss {stop_percent} % below its price. Where {spend} is no whole number of
   lots, take the next smaller size.
6. Call check_order with its ticket_id and tell me what became of it.

{_ONE_ORDER}"""


async def dca_plan(inst_id: str, amount: str, every: str, times: str) -> str:
    """Plan buys of the same amount at regular times, and propose the first."""
    return f"""Plan to buy {inst_id} for {amount} of its quote currency every {every}, {times} times.

1. Call get_ticker, find_instruments and get_balance, and read_endpoint with path account/trade-fee for the fees.
2. Tell me: the size of one buy now, whether it is above the minimum, what all of them cost with fees, whether the
   balance and the limits that system_status shows allow it, and the dates.
3. Ask me whether to begin. Only then propose the first buy with place_limit_order, near the ask.

Nothing here buys by itself later: say that I have to ask for each of the next ones. {_ONE_ORDER}"""


async def portfolio_review() -> str:
    """What is held, what is open, what it cost, what could go wrong."""
    return """Review my portfolio. Read only: place, change and cancel nothing.

1. get_balance for the trading and the funding account, get_positions, and read_endpoint with path
   finance/savings/balance for Earn. Leave out what is not served or not allowed, and say that you did.
2. list_orders for open orders, again with trigger true for those that wait for a price, and read_endpoint with path
   account/bills for what happened in seven days.
3. Tell me in a table what I hold, its value in USD and its share of the whole; then open positions with profit and
   distance to liquidation; then open orders far from the market; then fees and funding paid.
4. Name the largest risks you see in these figures, and nothing that is not in them."""


async def pre_trade_checklist(inst_id: str, side: str, size: str) -> str:
    """What to look at before an order; proposes none."""
    return f"""I think of an order: {side} {size} of {inst_id}. Check it, and propose nothing yet.

1. system_status: is anything wrong, halted or unsettled, and what is left of each limit?
2. find_instruments: is {inst_id} live, and does the size fit its lot and minimum?
3. get_order_book with the size and its unit: spread, and what this size would pay on average and at worst.
4. get_balance: is there enough, fees included? read_endpoint with path account/trade-fee has the fees.
5. list_orders, and again with trigger true: does an order of mine already do this?
6. Tell me in one table what is fine, what is not, and what could not be checked. Then ask me what to do."""


class _Conversation(Prompt, defer_build=True):
    """A prompt that says which of its arguments are missing; the SDK's own calls that an internal error."""

    async def render(
        self, arguments: dict[str, Any] | None, context: Context[Any, Any]
    ) -> list[Message] | InputRequiredResult:
        missing = [each.name for each in self.arguments or () if each.name not in (arguments or {})]
        if missing:
            raise MCPError(code=INVALID_PARAMS, message=f"{self.name} needs {', '.join(missing)}.")
        return await super().render(arguments, context)


def _prompt(name: str, title: str, text: Callable[..., Awaitable[str]], **arguments: str) -> Prompt:
    async def rendered(**given: str) -> str:
        from okx_mcp.okx.foreign_text import cleaned

        return await text(**{each: cleaned(given[each])[:_LONGEST] for each in arguments})

    return _Conversation.model_construct(
        name=name,
        title=title,
        icons=None,
        description=text.__doc__,
        arguments=[PromptArgument(name=each, description=words, required=True) for each, words in arguments.items()],
        fn=rendered,
        context_kwarg=None,
    )
