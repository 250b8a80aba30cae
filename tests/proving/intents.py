"""Whatever may be asked for: intents of every kind, drawn so that the instrument and the market take most of them."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from okx_mcp.okx.names import MgnMode, OrdType, Side, TriggerPxType
from okx_mcp.paper.account.account_modes import FUTURES_MODE, AccountModes
from okx_mcp.paper.account.positions import Position
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import (
    AccountIntent,
    Amendment,
    ClosePosition,
    Exits,
    LeverageChange,
    LimitOrder,
    MarketOrder,
    OrderIntent,
    Transfer,
    TriggerOrder,
)

__all__ = [
    "KINDS",
    "MOVED",
    "ON_CONTRACTS",
    "SET",
    "WAITING",
    "Drawn",
    "Kind",
    "Rules",
    "instruments_of",
    "last_price",
    "moved",
    "rules_at",
    "sets_any_mode",
]

Kind = Literal["limit", "market", "close", "trigger", "stop", "exits", "trail", "leverage", "transfer"]
KINDS: Final[tuple[Kind, ...]] = (
    *("limit", "limit", "limit", "market", "market", "close"),
    *("trigger", "stop", "exits", "trail", "leverage", "transfer"),
)

Rules = dict[str, str]
"""An instrument's row of GET /public/instruments."""

ON_CONTRACTS: Final = MarketOrder("BTC-USDT-SWAP", Side.BUY, Decimal("0.1"), SizeUnit.CONTRACTS, MgnMode.CROSS)
WAITING: Final = TriggerOrder(
    "BTC-USDT-SWAP",
    Side.SELL,
    Decimal("0.1"),
    SizeUnit.CONTRACTS,
    exits=Exits(stop_loss=Decimal(20000)),
    margin_mode=MgnMode.CROSS,
)
MOVED: Final = Transfer("USDT", Decimal(5), "trading")
SET: Final = LeverageChange("BTC-USDT-SWAP", MgnMode.CROSS, Decimal(2))
"""One of each kind that goes elsewhere than a limit order on spot, as the account is when it is new."""

_MULTI_CURRENCY: Final = "3"
_DAY_MS: Final = 24 * 3600 * 1000
_EXPIRY_MS: Final = 8 * 3600 * 1000
"""Futures and options end at 08:00 UTC."""
_LISTS: Final = ("instType=SPOT", "instType=SWAP", "instType=FUTURES", "instType=OPTION&instFamily=BTC-USD")
_SMALL_USD: Final = 500
"""No order comes to much more: so the account pays for all of a world."""
_TRAILS: Final = ("0.1", "1", "2.5", "10", "33.33", "50")
_AMOUNTS: Final = (("USDT", "1"), ("USDT", "12.5"), ("USDT", "0.01"), ("BTC", "0.0001"), ("BTC", "0.00000001"))


@dataclass(frozen=True, slots=True)
class Drawn:
    """Draws intents at an exchange as it is now. `margin` is whether there are contracts and margin at all."""

    exchange: PaperExchange
    now_ms: int
    draw: random.Random

    def any(self, kinds: Sequence[Kind] = KINDS) -> OrderIntent | AccountIntent:
        """One of these kinds; what there is nothing of to close, or what a spot pair has not, is a limit order."""
        kind = self.draw.choice(kinds)
        ways: dict[Kind, Callable[[], OrderIntent | AccountIntent | None]] = {
            "limit": self.limit,
            "market": self.market,
            "close": self.close,
            "leverage": self.leverage,
            "transfer": self.transfer,
        }
        return ways.get(kind, lambda: self.waiting(kind))() or self.limit()

    def limit(self, rules: Rules | None = None, side: Side | None = None) -> LimitOrder:
        """One that rests, or crosses a little; with a position beside it, it may only reduce that."""
        rules = rules or self._rules("SPOT", "SPOT", "SWAP", "FUTURES", "OPTION")
        held = self._held(rules) if self.draw.random() < 0.3 and side is None else None
        side = side or (_against(held) if held else self.draw.choice((Side.BUY, Side.SELL)))
        offs = ("0.04", "0.01", "0.002", "-0.01") if rules["instType"] != "SPOT" else ("0.5", "0.05", "0.004", "-0.01")
        off = Decimal(self.draw.choice(offs))
        price = self._on_tick(rules, 1 - off if side is Side.BUY else 1 + off)
        own = self._part_of(rules, held) if held else self._own_size(rules, price)
        size, unit = self._counted(rules, own, price)
        kinds = (OrdType.LIMIT, OrdType.LIMIT, OrdType.POST_ONLY, OrdType.IOC, OrdType.FOK)
        return LimitOrder(
            rules["instId"],
            side,
            size,
            unit,
            price,
            self.draw.choice(kinds),
            self._mode(rules, held),
            held is not None,
            Exits() if held else self._exits(rules, side, price),
        )

    def market(self) -> MarketOrder:
        """At once: spot counted either way, contracts in themselves or in what they are worth."""
        rules = self._rules("SPOT", "SPOT", "SWAP", "SWAP", "FUTURES")
        held = self._held(rules) if self.draw.random() < 0.3 else None
        side = _against(held) if held else self.draw.choice((Side.BUY, Side.SELL))
        price = self._on_tick(rules, Decimal(1))
        own = self._part_of(rules, held) if held else self._own_size(rules, price)
        size, unit = own, SizeUnit.CONTRACTS
        if rules["instType"] == "SPOT":
            unit = self.draw.choice((SizeUnit.BASE, SizeUnit.QUOTE))
            size = own if unit is SizeUnit.BASE else (own * price).quantize(Decimal("0.01")) + 1
        elif self.draw.random() < 0.5:
            unit = SizeUnit.BASE if _is_worth_base(rules) else SizeUnit.QUOTE
            size = own * _worth(rules)
        exits = Exits() if held else self._exits(rules, side, price)
        return MarketOrder(rules["instId"], side, size, unit, self._mode(rules, held), held is not None, exits)

    def close(self) -> ClosePosition | None:
        """All of a position, or a part of it."""
        positions = [each for each in self._positions() if each.inst_type in ("SWAP", "FUTURES")]
        if not positions:
            return None
        held = self.draw.choice(positions)
        rules = next(each for each in instruments_of(self.exchange, self.now_ms) if each["instId"] == held.inst_id)
        side: Literal["long", "short"] = "long" if held.pos > 0 and held.pos_side != "short" else "short"
        named = side if self.draw.random() < 0.7 else None
        if self.draw.random() < 0.5:
            return ClosePosition(held.inst_id, position=named)
        return ClosePosition(held.inst_id, self._part_of(rules, held), SizeUnit.CONTRACTS, named)

    def waiting(self, kind: Kind) -> TriggerOrder:
        """What waits for a price, in one of the four ways."""
        rules = self._rules("SPOT", "SWAP", "SWAP", "FUTURES")
        held = self._held(rules) if self.draw.random() < 0.3 else None
        side = _against(held) if held else self.draw.choice((Side.BUY, Side.SELL))
        above = self._on_tick(rules, Decimal(self.draw.choice(("1.01", "1.05", "1.2"))))
        below = self._on_tick(rules, Decimal(self.draw.choice(("0.99", "0.95", "0.8"))))
        own = self._part_of(rules, held) if held else self._own_size(rules, above)
        size, unit = own, SizeUnit.BASE if rules["instType"] == "SPOT" else SizeUnit.CONTRACTS
        price_type = self.draw.choice(tuple(TriggerPxType)) if rules["instType"] != "SPOT" else TriggerPxType.LAST
        trigger, at, exits, trail, active = None, None, Exits(), None, None
        profit, loss = (above, below) if side is Side.SELL else (below, above)
        match kind:
            case "trigger":
                trigger = self.draw.choice((above, below))
                at = self.draw.choice((None, trigger))
            case "stop":
                exits = self.draw.choice((Exits(profit, None), Exits(None, loss)))
            case "exits":
                exits = Exits(profit, loss)
            case _:
                trail = Decimal(self.draw.choice(_TRAILS))
                active = self.draw.choice((None, profit))
        mode = self._mode(rules, held)
        return TriggerOrder(
            rules["instId"], side, size, unit, trigger, at, exits, trail, active, price_type, mode, held is not None
        )

    def leverage(self) -> LeverageChange:
        """Another leverage of a contract, from 1 to 5."""
        rules = self._rules("SWAP", "FUTURES")
        mode = self.draw.choice((MgnMode.CROSS, MgnMode.ISOLATED))
        side: Literal["long", "short"] | None = None
        if self._is_long_short and mode is MgnMode.ISOLATED:
            side = self.draw.choice(("long", "short"))
        return LeverageChange(rules["instId"], mode, Decimal(self.draw.randint(1, 5)), side)

    def transfer(self) -> Transfer:
        """A little, to either account."""
        ccy, amount = self.draw.choice(_AMOUNTS)
        return Transfer(ccy, Decimal(amount), self.draw.choice(("trading", "funding")))

    def change(self, order: LimitOrder, order_id: str) -> Amendment:
        """Another price of an order that rests, another size, or both."""
        other = self.limit(rules_at(self.exchange, self.now_ms, order.inst_id), order.side)
        own_unit = SizeUnit.BASE if order.inst_id.count("-") == 1 else SizeUnit.CONTRACTS
        size = other.size if other.unit is own_unit else None
        price = other.price if size is None or self.draw.random() < 0.7 else None
        return Amendment(order.inst_id, order_id, size, price)

    # --- what fits ------------------------------------------------------------------------------------------------

    def _rules(self, *kinds: str) -> Rules:
        kind = self.draw.choice(kinds)
        return self.draw.choice([e for e in instruments_of(self.exchange, self.now_ms) if e["instType"] == kind])

    def _on_tick(self, rules: Rules, factor: Decimal) -> Decimal:
        tick = Decimal(rules["tickSz"])
        return max(last_price(self.exchange, rules["instId"]) * factor // tick, Decimal(1)) * tick

    def _own_size(self, rules: Rules, price: Decimal) -> Decimal:
        lot, least = Decimal(rules["lotSz"]), Decimal(rules["minSz"])
        worth = (price if _is_worth_base(rules) else 1) * _worth(rules)
        most = int(min(_SMALL_USD / worth / lot, Decimal(10**6))) if rules["instType"] != "OPTION" else 20
        return -(-least // lot) * lot + self.draw.randint(0, max(most, 1)) * lot

    def _counted(self, rules: Rules, own: Decimal, price: Decimal) -> tuple[Decimal, SizeUnit]:
        """A size as OKX counts it, in any unit in which it is exact."""
        if rules["instType"] == "SPOT":
            return self.draw.choice(((own, SizeUnit.BASE), (own * price, SizeUnit.QUOTE)))
        worth = own * _worth(rules)
        if not _is_worth_base(rules):
            return self.draw.choice(((own, SizeUnit.CONTRACTS), (worth, SizeUnit.QUOTE)))
        units = ((own, SizeUnit.CONTRACTS), (worth, SizeUnit.BASE), (worth * price, SizeUnit.QUOTE))
        return self.draw.choice(units)

    def _mode(self, rules: Rules, held: Position | None) -> MgnMode | None:
        if held is not None:
            return MgnMode(held.mgn_mode)
        if rules["instType"] == "SPOT":
            may_borrow = bool(rules["lever"]) and self.draw.random() < 0.2
            return self.draw.choice((MgnMode.CROSS, MgnMode.ISOLATED)) if may_borrow else None
        return self.draw.choice((MgnMode.CROSS, MgnMode.ISOLATED))

    def _exits(self, rules: Rules, side: Side, price: Decimal) -> Exits:
        if self.draw.random() < 0.6 or rules["instType"] == "OPTION":
            return Exits()
        tick, up = Decimal(rules["tickSz"]), side is Side.BUY
        above, below = (price * Decimal("1.1") // tick * tick, price * Decimal("0.9") // tick * tick)
        if not above > price > below > 0:
            return Exits()
        profit, loss = (above, below) if up else (below, above)
        return self.draw.choice((Exits(profit, loss), Exits(profit, None), Exits(None, loss)))

    def _held(self, rules: Rules) -> Position | None:
        found = [each for each in self._positions() if each.inst_id == rules["instId"] and each.inst_type != "MARGIN"]
        return self.draw.choice(found) if found else None

    def _part_of(self, rules: Rules, held: Position) -> Decimal:
        lot = Decimal(rules["lotSz"])
        lots = int(abs(held.pos) / lot)
        least = int(-(-Decimal(rules["minSz"]) // lot))
        return self.draw.randint(min(least, lots), lots) * lot

    def _positions(self) -> list[Position]:
        with self.exchange.store.transaction() as ledger:
            return [each for each in ledger.positions if each.pos]

    @property
    def _is_long_short(self) -> bool:
        with self.exchange.store.transaction() as ledger:
            return ledger.setting("pos_mode", "net_mode") == "long_short_mode"


def sets_any_mode(exchange: PaperExchange, draw: random.Random) -> None:
    """The account's modes, of those in which all kinds can be traded; OKX changes them only while nothing is open."""
    with exchange.store.transaction() as ledger:
        modes = AccountModes(ledger)
        modes.set("pos_mode", draw.choice(("net_mode", "long_short_mode")))
        modes.set("acct_lv", draw.choice((FUTURES_MODE, FUTURES_MODE, FUTURES_MODE, _MULTI_CURRENCY)))


def moved(order: TriggerOrder, name: str, draw: random.Random) -> Amendment:
    """One of its prices a little further off or nearer, or the size doubled or halved."""
    prices = {
        "price": order.order_price,
        "trigger_price": order.trigger_price,
        "take_profit": order.exits.take_profit,
        "stop_loss": order.exits.stop_loss,
    }
    found = [(which, price) for which, price in prices.items() if price is not None]
    if not found or draw.random() < 0.3:
        return Amendment(order.inst_id, name, order.size * draw.choice((2, Decimal("0.5"))))
    which, price = draw.choice(found)
    part = Decimal(draw.choice(("0.97", "0.995", "1.005", "1.03")))
    return Amendment(order.inst_id, name, **{which: (price * part).quantize(price)})


def instruments_of(exchange: PaperExchange, now_ms: int) -> list[Rules]:
    """What may be traded, of every kind."""
    day = (now_ms - _EXPIRY_MS) // _DAY_MS
    if day not in _listed:
        rows = [row for which in _LISTS for row in asked(exchange, f"/api/v5/public/instruments?{which}")]
        _listed[day] = [row for row in rows if row["state"] == "live"]
    return _listed[day]


_listed: Final[dict[int, list[Rules]]] = {}
"""From one hour of expiry to the next, for the whole process: reading them takes longer than a case."""


def rules_at(exchange: PaperExchange, now_ms: int, inst_id: str) -> Rules:
    """The rules of one of them."""
    return next(each for each in instruments_of(exchange, now_ms) if each["instId"] == inst_id)


def last_price(exchange: PaperExchange, inst_id: str) -> Decimal:
    """Of the last trade."""
    return Decimal(asked(exchange, f"/api/v5/market/ticker?instId={inst_id}")[0]["last"])


def asked(exchange: PaperExchange, path: str) -> list[Rules]:
    """The rows of a public answer."""
    rows: list[Rules] = json.loads(exchange.handle("GET", path.encode(), {})[2])["data"]
    return rows


def _worth(rules: Rules) -> Decimal:
    return Decimal(rules["ctVal"] or 1) * Decimal(rules["ctMult"] or 1)


def _is_worth_base(rules: Rules) -> bool:
    return rules["instType"] == "SPOT" or rules["ctValCcy"] == rules["uly"].partition("-")[0]


def _against(held: Position) -> Side:
    return Side.SELL if held.pos > 0 and held.pos_side != "short" else Side.BUY
