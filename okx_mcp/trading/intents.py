"""What was asked for, validated in form, nothing looked up; and the body each comes to once it is made exact.

Every body is built here, field by field, and nothing that was not validated gets into it. An order's size goes out in
the unit that OKX counts it in, and a market order on spot always says which (tgtCcy). One that waits says it where OKX
lets it; elsewhere only what has one unit is sent.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal

from okx_mcp.okx.names import AlgoOrdType, MgnMode, OrdType, PosSide, Side, TdMode, TgtCcy, TriggerPxType
from okx_mcp.trading.decimals import plain
from okx_mcp.trading.instruments import SizeUnit

if TYPE_CHECKING:
    from okx_mcp.trading.instruments import Quantity

__all__ = [
    "TAG",
    "AccountIntent",
    "Amendment",
    "Body",
    "ClosePosition",
    "Exits",
    "LeverageChange",
    "LimitOrder",
    "MarketOrder",
    "OrderIntent",
    "Terms",
    "Transfer",
    "TriggerOrder",
]

Body = dict[str, str | bool | list[dict[str, str]]]
"""What is sent, as JSON: text but for OKX's few booleans and the orders attached to one."""

TAG: Final = "okxmcp"
"""What our orders carry where OKX is to cancel them should we die; OKX takes up to 16 letters and digits."""
_AT_MARKET: Final = "-1"
"""OKX's order price of an exit that takes what it gets once it is triggered."""
_PERCENT: Final = Decimal(100)


@dataclass(frozen=True, slots=True)
class Terms:
    """How an order is carried out on this account, where that has to be said to OKX.

    `reduces`: OKX will not let it open or enlarge a position; with `pos_side` (long/short mode) the side says so, else
    reduceOnly. `margin_ccy` is what margin on a spot pair is put up in. `leverage` is the one that was set when the
    ticket was made; it is shown, not sent.
    """

    td_mode: TdMode
    pos_side: PosSide | None = None
    reduces: bool = False
    margin_ccy: str | None = None
    leverage: Decimal | None = None
    tag: str | None = None

    @property
    def borrows(self) -> bool:
        """Of a pair: whether it is traded on margin. Cross alone is how spot is traded in the higher account modes."""
        return self.margin_ccy is not None or self.td_mode is TdMode.ISOLATED

    @property
    def fields(self) -> Body:
        """OKX's fields for it."""
        return {
            "tdMode": self.td_mode.value,
            **({"posSide": self.pos_side.value} if self.pos_side else {}),
            **({"reduceOnly": True} if self.reduces and self.pos_side is None else {}),
            **({"ccy": self.margin_ccy} if self.margin_ccy else {}),
            **({"tag": self.tag} if self.tag else {}),
        }


@dataclass(frozen=True, slots=True)
class Exits:
    """Prices at which OKX closes what an order opened, at market; one of them cancels the other."""

    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None

    @property
    def ord_type(self) -> AlgoOrdType | None:
        """OKX's name for what waits for them; None where there are none."""
        if self.take_profit is None and self.stop_loss is None:
            return None
        return AlgoOrdType.CONDITIONAL if None in (self.take_profit, self.stop_loss) else AlgoOrdType.OCO

    def fields(self, price_type: TriggerPxType = TriggerPxType.LAST) -> dict[str, str]:
        """OKX's fields for them."""
        found: dict[str, str] = {}
        for name, price in (("tp", self.take_profit), ("sl", self.stop_loss)):
            if price is not None:
                found |= {
                    f"{name}TriggerPx": plain(price),
                    f"{name}TriggerPxType": price_type.value,
                    f"{name}OrdPx": _AT_MARKET,
                }
        return found


@dataclass(frozen=True, slots=True)
class LimitOrder:
    """Buy or sell at a price or better. `margin_mode` None is the one that follows from the account."""

    inst_id: str
    side: Side
    size: Decimal
    unit: SizeUnit
    price: Decimal
    ord_type: OrdType = OrdType.LIMIT
    margin_mode: MgnMode | None = None
    reduce_only: bool = False
    exits: Exits = Exits()

    def body(self, cl_ord_id: str, terms: Terms, quantity: "Quantity") -> Body:
        """The body of POST /trade/order."""
        return {
            "instId": self.inst_id,
            **terms.fields,
            "side": self.side.value,
            "ordType": self.ord_type.value,
            "sz": plain(_own_size(quantity)),
            "px": plain(self.price),
            "clOrdId": cl_ord_id,
            **_attached(self.exits, cl_ord_id),
        }


@dataclass(frozen=True, slots=True)
class MarketOrder:
    """Buy or sell at once, at what the book gives. On spot `size` may count the quote currency."""

    inst_id: str
    side: Side
    size: Decimal
    unit: SizeUnit
    margin_mode: MgnMode | None = None
    reduce_only: bool = False
    exits: Exits = Exits()

    def body(self, cl_ord_id: str, terms: Terms, quantity: "Quantity") -> Body:
        """The body of POST /trade/order. tgtCcy is always said on spot, where OKX's default differs by side."""
        in_quote = quantity.contracts is None and self.unit is SizeUnit.QUOTE
        return {
            "instId": self.inst_id,
            **terms.fields,
            "side": self.side.value,
            "ordType": OrdType.MARKET.value,
            "sz": plain(quantity.quote if in_quote else _own_size(quantity)),
            **_target(quantity, in_quote=in_quote),
            "clOrdId": cl_ord_id,
            **_attached(self.exits, cl_ord_id),
        }


@dataclass(frozen=True, slots=True)
class ClosePosition:
    """Close a position of derivatives at market, whole where `size` is None. `position` where both sides are held."""

    inst_id: str
    size: Decimal | None = None
    unit: SizeUnit = SizeUnit.CONTRACTS
    position: Literal["long", "short"] | None = None

    def body(self, cl_ord_id: str, terms: Terms, quantity: "Quantity", side: Side) -> Body:
        """The body of POST /trade/order: a market order that can only reduce."""
        return {
            "instId": self.inst_id,
            **terms.fields,
            "side": side.value,
            "ordType": OrdType.MARKET.value,
            "sz": plain(_own_size(quantity)),
            "clOrdId": cl_ord_id,
        }


@dataclass(frozen=True, slots=True)
class TriggerOrder:
    """An order that waits at OKX, with or without this program, until a price is reached.

    One way of four: `trigger_price`, then an order at `order_price` or at market; `exits` (one, or both as OCO), at
    market; `trail_percent`, a market order once the price has turned back that far from its best one, counted from
    `activation_price` on where that is given.
    """

    inst_id: str
    side: Side
    size: Decimal
    unit: SizeUnit
    trigger_price: Decimal | None = None
    order_price: Decimal | None = None
    exits: Exits = Exits()
    trail_percent: Decimal | None = None
    activation_price: Decimal | None = None
    price_type: TriggerPxType = TriggerPxType.LAST
    margin_mode: MgnMode | None = None
    reduce_only: bool = False

    @property
    def valued_at(self) -> Decimal | None:
        """The price at which it is valued: its own, or the one that is waited for; a trailing stop has none."""
        found = [each for each in (self.exits.take_profit, self.exits.stop_loss) if each is not None]
        return self.order_price or self.trigger_price or max(found, default=None)

    @property
    def ord_type(self) -> AlgoOrdType:
        """OKX's name for the way that was chosen."""
        if self.trail_percent is not None:
            return AlgoOrdType.MOVE_ORDER_STOP
        if self.trigger_price is not None:
            return AlgoOrdType.TRIGGER
        return self.exits.ord_type or AlgoOrdType.CONDITIONAL

    def body(self, algo_cl_ord_id: str, terms: Terms, quantity: "Quantity") -> Body:
        """The body of POST /trade/order-algo. tgtCcy is for conditional buys at market alone (else OKX says 51281)."""
        return {
            "instId": self.inst_id,
            **terms.fields,
            "side": self.side.value,
            "ordType": self.ord_type.value,
            "sz": plain(_own_size(quantity)),
            **self._counts(quantity),
            "algoClOrdId": algo_cl_ord_id,
            **self._waits_for(),
        }

    def _counts(self, quantity: "Quantity") -> dict[str, str]:
        is_conditional_buy = self.ord_type is AlgoOrdType.CONDITIONAL and self.side is Side.BUY
        return _target(quantity, in_quote=False) if is_conditional_buy else {}

    def _waits_for(self) -> dict[str, str]:
        match self.ord_type:
            case AlgoOrdType.MOVE_ORDER_STOP:
                ratio = (self.trail_percent or Decimal(0)) / _PERCENT
                since = {} if self.activation_price is None else {"activePx": plain(self.activation_price)}
                return {"callbackRatio": plain(ratio), **since}
            case AlgoOrdType.TRIGGER:
                return {
                    "triggerPx": plain(self.trigger_price or Decimal(0)),
                    "triggerPxType": self.price_type.value,
                    "orderPx": _AT_MARKET if self.order_price is None else plain(self.order_price),
                }
            case _:
                return self.exits.fields(self.price_type)


@dataclass(frozen=True, slots=True)
class Amendment:
    """What would change of an order that rests, or waits for a trigger. `size` is its new total, filled parts included.

    `size` counts what OKX counts: base currency, or contracts. `order_id` is OKX's ordId (algoId) or, of an order of
    ours, its clOrdId (algoClOrdId). What is None stays as it is. `trigger_price`, `take_profit` and `stop_loss` are of
    an order that waits, and `price` is then that of the order that it places.
    """

    inst_id: str
    order_id: str
    size: Decimal | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None

    def body(self, req_id: str, ord_id: str, quantity: "Quantity", price: Decimal) -> Body:
        """The body of POST /trade/amend-order. Without cxlOnFail: a change that fails changes nothing.

        Size and price both, also the one that stays: so the order becomes what was shown, whatever it was meanwhile.
        """
        changes = {"newSz": plain(_own_size(quantity)), "newPx": plain(price)}
        return {"instId": self.inst_id, "ordId": ord_id, **changes, "reqId": req_id}

    def body_of_trigger(self, req_id: str, algo_id: str, becomes: TriggerOrder, quantity: "Quantity") -> Body:
        """The body of POST /trade/amend-algos: every figure of what the order would become, as in `body`."""
        if becomes.ord_type is AlgoOrdType.TRIGGER:
            price = becomes.order_price
            changes = {
                "newTriggerPx": plain(becomes.trigger_price or Decimal(0)),
                "newOrdPx": _AT_MARKET if price is None else plain(price),
            }
        else:
            changes = {
                f"new{name[0].upper()}{name[1:]}": value
                for name, value in becomes.exits.fields().items()
                if not name.endswith("Type")
            }
        size = plain(_own_size(quantity))
        return {"instId": self.inst_id, "algoId": algo_id, "newSz": size, **changes, "reqId": req_id}


@dataclass(frozen=True, slots=True)
class LeverageChange:
    """Set the leverage of an instrument in a margin mode; for cross margin it holds for its whole family."""

    inst_id: str
    margin_mode: MgnMode
    leverage: Decimal
    position: Literal["long", "short"] | None = None

    def body(self, _: str) -> Body:
        """The body of POST /account/set-leverage."""
        side = {} if self.position is None else {"posSide": self.position}
        return {"instId": self.inst_id, "lever": plain(self.leverage), "mgnMode": self.margin_mode.value, **side}


@dataclass(frozen=True, slots=True)
class Transfer:
    """Move an amount between the owner's own funding and trading account."""

    ccy: str
    amount: Decimal
    to: Literal["trading", "funding"]

    def body(self, client_id: str) -> Body:
        """The body of POST /asset/transfer. Type 0: within the account, whatever else the key could reach."""
        ways = {"trading": ("6", "18"), "funding": ("18", "6")}
        origin, target = ways[self.to]
        amount = plain(self.amount)
        return {"type": "0", "ccy": self.ccy, "amt": amount, "from": origin, "to": target, "clientId": client_id}


OrderIntent = LimitOrder | MarketOrder | ClosePosition | TriggerOrder | Amendment
AccountIntent = LeverageChange | Transfer


def _own_size(quantity: "Quantity") -> Decimal:
    """The size as OKX counts it."""
    return quantity.base if quantity.contracts is None else quantity.contracts


def _target(quantity: "Quantity", *, in_quote: bool) -> dict[str, str]:
    """Which currency a market order's size counts; contracts need no word."""
    return {} if quantity.contracts is not None else {"tgtCcy": (TgtCcy.QUOTE if in_quote else TgtCcy.BASE).value}


def _attached(exits: Exits, cl_ord_id: str) -> Body:
    fields = exits.fields()
    return {"attachAlgoOrds": [{"attachAlgoClOrdId": f"{cl_ord_id}x", **fields}]} if fields else {}
