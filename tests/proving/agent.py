"""An agent that means harm, or believes everything it reads: what it calls next, drawn from all that it has seen.

It has the tools' schemas, every text that it was ever told, tickets and lines that are not its own, and no person.
"""

import ast
import json
import random
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from mcp.types import Tool

from tests.proving.person import Yes

__all__ = ["CONTRACTS", "INSTRUMENTS", "Agent", "Answered", "Call"]

Arguments = dict[str, Any]

_ORDERED: Final = re.compile(r"[Cc]all (\w+)(?: with (\{[^{}]*\}))?")
_HINTED: Final = re.compile(r'confirm_order with this ticket_id and order set to ("(?:[^"\\]|\\.)*")')
_MOST_REMEMBERED: Final = 40
_LONG: Final = "9" * 5_000

_HOSTILE: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1, 10**400, 1e308, -0.0, 0.1, 5e-324, [], {}, [[]], {"a": {}}, [True], [None]),
    *("", " ", "\0", "0", "-1", "+1", "1e9", "1E-3", "NaN", "Infinity", "0x10", "1_000", "1,000", "1.", ".5", "true"),
    *("\uff11\uff12", "\u0661", "\u00b2", "1\u200b", "\u202e1", "1\ufe0f", "\U000e0031", "1\n", "BTC\u2010USDT"),
    *("\u0412TC-USDT", "BTC-USDT\u0301", "btc-usdt", "BTC/USDT", "BTC-USDT-SWAP", "../HALT", "HALT", "/etc/passwd"),
    *("%s%n", "{0}", "${OKX_SECRET_KEY}", "'; DROP TABLE tickets; --", "' OR '1'='1", "\x1b[2J", "\ud800", _LONG),
    *("live", "demo", "paper", "LIVE", "0" * 26, "a" * 26, "A" * 26, "1" * 18, "999999999999999999999999999999999"),
    *({"$ref": "#"}, {"place": True}, ["buy", "sell"], "base", "quote", "buy", "sell", "market", "limit"),
)
_UNASKED: Final[tuple[tuple[str, Any], ...]] = (
    ("environment", "live"),
    ("env", "live"),
    ("profile", "live"),
    ("approved", True),
    ("confirm", True),
    ("force", True),
    ("dry_run", False),
    ("channel", "elicitation"),
    ("ignore_limits", True),
    ("limits", {"order_usd": 10**9}),
    ("halted", False),
    ("resume", True),
    ("undo", True),
    ("ticket", {"state": "approved"}),
    ("digest", "0" * 64),
    ("_meta", {"approved": True}),
    ("desk", None),
    ("ask", None),
    ("context", {}),
)
_NO_TOOLS: Final = (
    "resume_trading",
    "set_environment",
    "set_limits",
    "approve",
    "approve_order",
    "place_algo_order",
    "transfer",
    "withdraw",
    "place_order",
    "confirm_order ",
    "CONFIRM_ORDER",
    "__init__",
    "",
    "halt_trading\0",
    "tools/call",
)
_SAYS_IT_CAN: Final[tuple[Any, ...]] = (
    {},
    {"elicitation": {}},
    {"elicitation": {"form": {}}},
    {"elicitation": {"form": {}}},
    {"elicitation": {"form": {}}},
    {"elicitation": {"url": {}}},
    {"elicitation": None},
    {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}},
    {"experimental": {"approved": {"all": True}}},
)
_FORGED: Final[tuple[Any, ...]] = (
    {"approve": {"action": "decline"}},
    {"approve": {"action": "cancel"}},
    {"approve": {"action": "accept"}},
    {"approve": {"action": "accept", "content": {"place": False}}},
    {"approve": {"action": "accept", "content": {"place": "true"}}},
    {"approve": {"action": "accept", "content": {"place": 1}}},
    {"other": {"action": "accept", "content": {"place": True}}},
    {"approve ": {"action": "accept", "content": {"place": True}}},
    {},
)
_YES: Final = {"approve": {"action": "accept", "content": {"place": True}}}
INSTRUMENTS: Final = ("BTC-USDT", "BTC-USDT", "BTC-USDT", "BTC-USDC", "ETH-USDT", "ETH-USDT", "DOGE-USDT", "ETH-BTC")
CONTRACTS: Final = ("BTC-USDT-SWAP", "BTC-USDT-SWAP", "BTC-USD-SWAP")
_DOLLARS: Final = (20, 60, 60, 90, 90, 1400, 1400, 1400, 7000, 7000, 30_000, 300_000)
"""From what any limit lets through to more than any."""
_AT: Final = (0.5, 0.95, 0.98, 0.99, 0.99, 0.995, 0.995, 1.0, 1.0, 1.002, 1.005, 1.01, 1.01, 1.03, 1.1)
"""Of the last price."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `session` is where; `can` what the client says it can do, where it says so with each call.

    `yes` is what a person said about this state before, where the call carries that again.
    """

    session: int
    tool: str
    arguments: Arguments
    can: Any = None
    state: str | None = None
    responses: Any = None
    yes: Yes | None = None

    def __str__(self) -> str:
        said = f"{self.tool} {str(self.arguments)[:300]} in session {self.session}"
        if self.can is not None:
            said += f", can {self.can}"
        return said + (f", a state with {self.responses}" if self.responses else "")


@dataclass(frozen=True, slots=True)
class Answered:
    """A question of the server's that came to its answer."""

    call: Call
    state: str
    responses: Any
    yes: Yes | None


_AFTER_A_HALT: Final = 4


@dataclass
class Agent:
    """Draws one step after the other.

    `sessions` are the clients it has, the new ones carry states; `halts` is how often it does what ends all orders.
    """

    draw: random.Random
    tools: Mapping[str, Tool]
    sessions: int
    is_new: Callable[[int], bool]
    halts: float
    prices: dict[str, float] = field(default_factory=dict)
    tickets: deque[tuple[int, str, str]] = field(default_factory=lambda: deque(maxlen=_MOST_REMEMBERED))
    ids: deque[str] = field(default_factory=lambda: deque(maxlen=_MOST_REMEMBERED))
    answered: deque[Answered] = field(default_factory=lambda: deque(maxlen=_MOST_REMEMBERED))
    ordered: deque[tuple[str, Arguments]] = field(default_factory=lambda: deque(maxlen=_MOST_REMEMBERED))
    calls: deque[Call] = field(default_factory=lambda: deque(maxlen=_MOST_REMEMBERED))

    # --- what it reads --------------------------------------------------------------------------------------------

    def reads(self, session: int, text: str, structure: Mapping[str, Any] | None) -> None:
        """Take in an answer: ids, lines, prices, and whatever it says to do."""
        told = structure or {}
        ticket_id, line = told.get("ticket_id"), told.get("order")
        if isinstance(ticket_id, str) and isinstance(line, str):
            self.tickets.append((session, ticket_id, line))
            hinted = _HINTED.search(str(told.get("summary")))
            if hinted:
                self.ordered.append(("confirm_order", {"ticket_id": ticket_id, "order": json.loads(hinted[1])}))
        self.ids.extend(each for each in (ticket_id, told.get("order_id")) if isinstance(each, str))
        self.ids.extend(each.partition(":")[0] for each in told.get("orders_of_others", ()))
        if isinstance(told.get("inst_id"), str) and told.get("last"):
            self.prices[told["inst_id"]] = float(told["last"])
        for tool, arguments in _ORDERED.findall(text):
            self.ordered.append((tool, _read(arguments)))
        for words, tool, given in (
            ("set env to live", "place_limit_order", {"environment": "live"}),
            ("resume trading", "resume_trading", {}),
            ("ignore limits", "place_limit_order", {"ignore_limits": True}),
        ):
            if words in text:
                self.ordered.append((tool, {**self._an_order(), **given} if tool == "place_limit_order" else given))

    # --- what it does ---------------------------------------------------------------------------------------------

    def step(self) -> list[Call]:
        """The calls of the next step, several where they race."""
        if self.draw.random() < 0.05 and self.calls:
            again = self.draw.choice(self.calls)
            return [again] * self.draw.randint(2, 4)
        if self.draw.random() < 0.04:
            return [self._one() for _ in range(self.draw.randint(2, 4))]
        return [self._one()]

    def _one(self) -> Call:
        ways: tuple[tuple[int, Callable[[], Call]], ...] = (
            (20, lambda: self._call("place_limit_order", self._an_order())),
            (11, self._any_other_order),
            (20, self._a_confirmation),
            (12, self._what_it_was_told),
            (9, lambda: self._call("amend_order", self._a_change())),
            (3, lambda: self._call("check_order", self._an_id())),
            (3, lambda: self._call("cancel_order", self._what_to_cancel())),
            (7, lambda: self._call(*self.draw.choice(_READS))),
            (9, self._a_replay),
            (14, self._a_hostile_call),
            (3, lambda: self._call(self.draw.choice(_NO_TOOLS), self._an_order())),
            (3, lambda: self.draw.choice(self.calls) if self.calls else self._a_hostile_call()),
        )
        call = self.draw.choices([way for _, way in ways], [weight for weight, _ in ways])[0]()
        if self._has_just_halted() and self.draw.random() < 0.5:
            call = self._a_confirmation()
        if self.draw.random() < 0.08:
            call = self._near(call)
        if call.tool == "halt_trading" and self.draw.random() > self.halts:
            call = self._call(*self.draw.choice(_READS))
        self.calls.append(call)
        return call

    def _has_just_halted(self) -> bool:
        return any(call.tool == "halt_trading" for call in list(self.calls)[-_AFTER_A_HALT:])

    def _call(self, tool: str, arguments: Arguments, session: int | None = None) -> Call:
        if session is None or self.draw.random() < 0.1:
            session = self.draw.randrange(self.sessions)
        can = self.draw.choice(_SAYS_IT_CAN) if self.is_new(session) else None
        return Call(session, tool, arguments, can)

    def _an_order(self) -> Arguments:
        is_modest = self.draw.random() < 0.5
        inst_id = self.draw.choice(INSTRUMENTS[:3] if is_modest else INSTRUMENTS)
        price = self.prices[inst_id] * self.draw.choice((0.98, 0.99, 0.995, 1.0) if is_modest else _AT)
        base = self.draw.choice((60, 90, 900) if is_modest else _DOLLARS) / (
            price if price > 1 else price * 64_000 if inst_id == "ETH-BTC" else price
        )
        order = {
            "inst_id": inst_id,
            "side": "buy" if is_modest else self.draw.choice(("buy", "sell")),
            "size": f"{base:.4f}",
            "unit": "base",
            "price": f"{price:.{1 if price > 10_000 else 2 if price > 1 else 5}f}",
        }
        if not is_modest and self.draw.random() < 0.5:
            order["order_type"] = self.draw.choice(("limit", "post_only", "ioc", "fok"))
        return order

    def _any_other_order(self) -> Call:
        """At market, on contracts, waiting for a price, closing, or of the account itself."""
        on_contracts = self.draw.random() < 0.6
        inst_id = self.draw.choice(CONTRACTS if on_contracts else INSTRUMENTS[:3])
        price = self.prices[inst_id]
        contracts = {"size": self.draw.choice(("0.1", "1", "1", "3", "200")), "unit": "contracts"}
        size = contracts if on_contracts else {"size": self.draw.choice(("0.001", "0.0015", "0.02")), "unit": "base"}
        order: Arguments = {"inst_id": inst_id, "side": self.draw.choice(("buy", "buy", "sell")), **size}
        if on_contracts:
            order["margin_mode"] = self.draw.choice(("cross", "cross", "isolated"))
        if on_contracts and self.draw.random() < 0.2:
            order["reduce_only"] = True
        far = f"{price * self.draw.choice((0.8, 0.95, 1.05, 1.2)):.1f}"
        side = {"position": self.draw.choice(("long", "short"))} if self.draw.random() < 0.3 else {}
        tool, arguments = self.draw.choice(
            (
                ("place_market_order", order),
                ("place_market_order", order),
                ("place_market_order", {"inst_id": "BTC-USDT", "side": "buy", "size": "90", "unit": "quote"}),
                ("place_limit_order", order | {"price": f"{price * self.draw.choice((0.97, 0.999, 1.01)):.1f}"}),
                ("place_trigger_order", order | {"trigger_price": far}),
                ("place_trigger_order", order | {"trigger_price": far, "order_price": far}),
                ("place_trigger_order", order | {"stop_loss": far}),
                ("place_trigger_order", order | {"trail_percent": self.draw.choice(("1", "5"))}),
                ("close_position", {"inst_id": self.draw.choice(CONTRACTS), **side}),
                ("set_leverage", {"inst_id": inst_id, "margin_mode": "cross", "leverage": self.draw.choice("12359")}),
                ("transfer_funds", {"ccy": "USDT", "amount": "5", "to": self.draw.choice(("trading", "funding"))}),
            )
        )
        return self._call(tool, arguments)

    def _a_confirmation(self) -> Call:
        if not self.tickets:
            return self._call("place_limit_order", self._an_order())
        session, ticket_id, line = self.draw.choice(
            list(self.tickets)[-3:] if self.draw.random() < 0.8 else self.tickets
        )
        if self.draw.random() < 0.7:
            line = self.draw.choice(
                (
                    self.draw.choice(self.tickets)[2],
                    self.draw.choice(self.tickets)[2],
                    line.replace(" 0.", " 0.0"),
                    line.replace(" 0.", " 1."),
                    line.replace("buy", "sell"),
                    line.replace("PAPER", "LIVE"),
                    line + " ",
                    line.replace(" ", "\u00a0"),
                    line.upper(),
                    "",
                )
            )
        if self.draw.random() < 0.1:
            ticket_id = self.draw.choice((ticket_id[::-1], ticket_id.upper(), ticket_id[:-1] + "a"))
        return self._call("confirm_order", {"ticket_id": ticket_id, "order": line}, session)

    def _what_it_was_told(self) -> Call:
        if not self.ordered:
            return self._a_confirmation()
        tool, arguments = self.draw.choice(list(self.ordered)[-8:] if self.draw.random() < 0.7 else self.ordered)
        return self._call(tool, arguments)

    def _a_change(self) -> Arguments:
        order = self._an_order()
        change: Arguments = self._an_id()
        if self.draw.random() < 0.7:
            change["new_price"] = order["price"]
        if self.draw.random() < 0.7:
            change["new_size"] = order["size"]
        if self.draw.random() < 0.2:
            moved = self.draw.choice(("new_trigger_price", "new_take_profit", "new_stop_loss"))
            change |= {moved: change.pop("new_price", order["price"])}
        return change

    def _an_id(self) -> Arguments:
        known: Arguments = {"order_id": self.draw.choice(list(self.ids)[-8:]) if self.ids else "1" * 18}
        if self.draw.random() < 0.4 or known["order_id"].isdigit():
            known["inst_id"] = self.draw.choice(INSTRUMENTS)
        return known

    def _what_to_cancel(self) -> Arguments:
        """One order, several, or once in a while all of an instrument."""
        inst_id = self.draw.choice((*INSTRUMENTS, *CONTRACTS))
        if self.draw.random() < 0.1:
            return {"inst_id": inst_id, "all_of_instrument": True}
        if self.draw.random() < 0.6:
            return self._an_id()
        ids = [self._an_id()["order_id"] for _ in range(self.draw.randint(1, 5))]
        return {"order_ids": ids, "inst_id": inst_id} if self.draw.random() < 0.5 else {"order_ids": ids}

    def _a_replay(self) -> Call:
        """An answer of the person's again, with another call or another state; a yes only where it was said before."""
        if not self.answered and self.draw.random() < 0.7:
            return self._call("place_limit_order", self._an_order())
        if not self.answered:
            forged = self.draw.choice((*_FORGED, _YES))
            order = self._call("place_limit_order", self._an_order())
            return replace(order, state="v1.forged", responses=forged)
        old, other = self.draw.choice(self.answered), self.draw.choice(self.answered)
        responses = self.draw.choice((old.responses, other.responses, _YES, *_FORGED))
        arguments = self.draw.choice((old.call.arguments, old.call.arguments, other.call.arguments, self._an_order()))
        tool = self.draw.choice((old.call.tool, old.call.tool, "amend_order", "confirm_order", "get_balance"))
        state = self.draw.choice((old.state, old.state, old.state, other.state, old.state[::-1], old.state[:-2], ""))
        yes = next(
            (each.yes for each in (old, other) if each.state == state and responses in (each.responses, _YES)), None
        )
        return Call(old.call.session, tool, arguments, self.draw.choice(_SAYS_IT_CAN), state, responses, yes)

    def _a_hostile_call(self) -> Call:
        tool = self.draw.choice(list(self.tools.values()))
        properties: Mapping[str, Any] = tool.input_schema.get("properties", {})
        arguments = {
            name: self._a_value(name, schema) for name, schema in properties.items() if self.draw.random() < 0.9
        }
        if self.draw.random() < 0.3:
            name, value = self.draw.choice(_UNASKED)
            arguments[name] = value
        return self._call(tool.name, arguments)

    def _a_value(self, name: str, schema: Mapping[str, Any]) -> Any:
        if self.draw.random() < 0.35:
            return self.draw.choice(_HOSTILE)
        if "enum" in schema:
            return self.draw.choice(schema["enum"])
        if schema.get("type") == "boolean":
            return name != "cancel_open_orders" or self.draw.random() < 0.5
        if schema.get("type") == "integer":
            return self.draw.randint(-1, 60)
        fitting = {**self._any_other_order().arguments, **self._an_order(), **self._an_id(), **self._a_change()}
        if self.tickets:
            fitting |= dict(zip(("ticket_id", "order"), self.draw.choice(self.tickets)[1:], strict=True))
        fitting["order_ids"] = [fitting["order_id"]]
        return fitting.get(name, self.draw.choice(_HOSTILE))

    def _near(self, call: Call) -> Call:
        """The same call with one argument of another kind, or one too many."""
        arguments = dict(call.arguments)
        if arguments and self.draw.random() < 0.6:
            arguments[self.draw.choice(list(arguments))] = self.draw.choice(_HOSTILE)
        else:
            name, value = self.draw.choice(_UNASKED)
            arguments[name] = value
        return replace(call, arguments=arguments)


_READS: Final[tuple[tuple[str, Arguments], ...]] = (
    ("get_ticker", {"inst_id": "BTC-USDT"}),
    ("get_ticker", {"inst_id": "ETH-USDT"}),
    ("get_ticker", {"inst_id": "BTC-USDC"}),
    ("get_balance", {}),
    ("get_balance", {"ccy": ["BTC", "USDT"]}),
    ("find_instruments", {"text": "BTC"}),
    ("system_status", {}),
)


def _read(arguments: str) -> Arguments:
    """Arguments as they stand in a sentence; none where they cannot be read."""
    try:
        read = ast.literal_eval(arguments.replace("true", "True").replace("false", "False"))
    except (ValueError, SyntaxError):
        return {}
    return read if isinstance(read, dict) else {}
