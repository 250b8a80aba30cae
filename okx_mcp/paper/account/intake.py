"""Reading an order request: every rule about its own fields, in the order parameter, instrument, size, price.

Knows the listing and the account's modes, and nothing of balances or books. Numbers arrive as text (the JSON reader
keeps them so), absent, null and "" mean the same, as in OKX's own clients.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from okx_mcp.paper.account.account_modes import AccountModes, TradedAs
from okx_mcp.paper.account.attached import Attached, attached_items, read_attached
from okx_mcp.paper.account.fields import TAG, Item, alphanumeric, flag, one_of, optional, positive, required, text
from okx_mcp.paper.account.orders import CLOSING_SIDES, Side
from okx_mcp.paper.figures import is_multiple
from okx_mcp.paper.market.instruments import Instrument
from okx_mcp.paper.market.listing import Listing
from okx_mcp.paper.refusals import Refused

__all__ = [
    "AmendRequest",
    "OrderRef",
    "PlaceRequest",
    "check_size",
    "check_tick",
    "quote_ccy",
    "read_amend",
    "read_place",
    "read_ref",
    "reduce_only",
    "side_of",
    "traded",
]

_ORD_ID: Final = re.compile(r"[0-9]{1,20}\Z")

_LIMIT_TYPES: Final = frozenset({"limit", "post_only", "fok", "ioc"})
_AT_MARKET: Final = frozenset({"market", "optimal_limit_ioc"})
_ORDER_TYPES: Final = _LIMIT_TYPES | _AT_MARKET
_STP_MODES: Final = frozenset({"cancel_maker", "cancel_taker", "cancel_both"})
_SIDES: Final[Mapping[str, Side]] = {"buy": "buy", "sell": "sell"}


@dataclass(frozen=True, slots=True)
class PlaceRequest:
    """An order as it was asked for. `px` is None for one at the market's price, `tgt_ccy` "" for all but a pair's.

    `settle_ccy` is "" for spot. `category`, `source` and `algo_id` say who sent it, if not the account's owner.
    """

    instrument: Instrument
    side: Side
    ord_type: str
    sz: Decimal
    px: Decimal | None
    tgt_ccy: str
    quote_ccy: str
    cl_ord_id: str
    tag: str
    stp_mode: str
    ban_amend: bool
    moves_to_band: bool
    inst_type: TradedAs = "SPOT"
    td_mode: str = "cash"
    pos_side: str = "net"
    settle_ccy: str = ""
    lever: str = ""
    reduce_only: bool = False
    attached: tuple[Attached, ...] = ()
    source: str = ""
    algo_id: int = 0


@dataclass(frozen=True, slots=True)
class OrderRef:
    """Which order is meant. ordId wins over clOrdId."""

    inst_id: str
    ord_id: int | None
    cl_ord_id: str


@dataclass(frozen=True, slots=True)
class AmendRequest:
    """What to change about an order, or about what is attached to it. `new_sz` is the new total, what is filled too."""

    ref: OrderRef
    new_sz: Decimal | None
    new_px: Decimal | None
    req_id: str
    cancel_on_fail: bool
    moves_to_band: bool
    attached: tuple[Item, ...] = ()


def read_place(item: Item, listing: Listing, modes: AccountModes, now_ms: int) -> PlaceRequest:
    required(item, "instId", "tdMode", "side", "ordType", "sz")
    ord_type, side = one_of(item, "ordType", _ORDER_TYPES, ""), side_of(item)
    _refuse_what_is_not_read(item)
    stp_mode = _stp_mode(item, ord_type)
    sz = positive(item, "sz")
    px = _price(item, ord_type)
    attached = read_attached(item)
    instrument, inst_type = traded(item, listing, modes, now_ms)
    terms = None if inst_type == "SPOT" else instrument.terms
    pos_side = modes.pos_side(inst_type, text(item, "posSide"))
    if ord_type in _AT_MARKET:
        _refuse_at_market(ord_type, inst_type)
    td_mode, may_only_reduce = text(item, "tdMode"), reduce_only(item, inst_type, modes)
    tgt_ccy = _tgt_ccy(item, ord_type, side) if inst_type in {"SPOT", "MARGIN"} else ""
    if attached and (may_only_reduce or (pos_side, side) in CLOSING_SIDES):
        raise Refused("51530", "An order that only closes takes no attached orders.")
    if attached and tgt_ccy == ("base_ccy" if side == "buy" else "quote_ccy"):
        raise Refused("51044", f"A market {side} in {tgt_ccy} takes no attached orders.")
    return PlaceRequest(
        instrument=instrument,
        side=side,
        ord_type=ord_type,
        sz=sz,
        px=px,
        tgt_ccy=tgt_ccy,
        quote_ccy=quote_ccy(item, instrument) if terms is None else instrument.quote_ccy,
        cl_ord_id=alphanumeric(item, "clOrdId"),
        tag=alphanumeric(item, "tag", TAG),
        stp_mode=stp_mode,
        ban_amend=flag(item, "banAmend"),
        moves_to_band=text(item, "pxAmendType") == "1",
        inst_type=inst_type,
        td_mode=td_mode,
        pos_side=pos_side,
        settle_ccy=terms.settle_ccy if terms else "",
        lever=modes.lever(instrument, td_mode, pos_side) if terms else "",
        reduce_only=may_only_reduce,
        attached=attached,
    )


def traded(item: Item, listing: Listing, modes: AccountModes, now_ms: int) -> tuple[Instrument, TradedAs]:
    """Which instrument is meant, and what an order of this tdMode trades there."""
    instrument = listing.find_at(text(item, "instId"), now_ms)
    if instrument is None:
        raise Refused("51001", "Instrument ID does not exist.")
    inst_type = modes.traded_as(instrument, text(item, "tdMode"), side_of(item))
    given = text(item, "ccy")
    if inst_type == "MARGIN" and given not in {"", instrument.quote_ccy}:
        raise Refused("51000", f"Parameter ccy error: this paper exchange margins pairs in {instrument.quote_ccy}.")
    return instrument, inst_type


def side_of(item: Item) -> Side:
    side = _SIDES.get(text(item, "side"))
    if side is None:
        raise Refused("51000", "Parameter side error")
    return side


def read_amend(item: Item) -> AmendRequest:
    ref = read_ref(item)
    req_id = alphanumeric(item, "reqId")
    new_sz, new_px = optional(item, "newSz"), optional(item, "newPx")
    attached = tuple(attached_items(item))
    if new_sz is None and new_px is None and not attached:
        raise Refused("51500", "An amendment needs newSz or newPx")
    moves = text(item, "pxAmendType") == "1"
    return AmendRequest(ref, new_sz, new_px, req_id, flag(item, "cxlOnFail"), moves, attached)


def read_ref(item: Item) -> OrderRef:
    required(item, "instId")
    ord_id, cl_ord_id = text(item, "ordId"), text(item, "clOrdId")
    if ord_id:
        if not _ORD_ID.match(ord_id):
            raise Refused("51000", "Parameter ordId error")
        return OrderRef(text(item, "instId"), int(ord_id), "")
    if not cl_ord_id:
        raise Refused("51003", "Either ordId or clOrdId is required")
    return OrderRef(text(item, "instId"), None, alphanumeric(item, "clOrdId"))


def check_size(instrument: Instrument, sz: Decimal) -> None:
    """A size in base currency or contracts: at least the minimum, and on the lot."""
    if sz < instrument.min_sz:
        raise Refused("51020", f"Your order should meet or exceed the minimum order amount {instrument.min_sz:f}.")
    if not is_multiple(sz, instrument.lot_sz):
        raise Refused("51121", f"Order size must be a multiple of the lot size {instrument.lot_sz:f}.")


def check_tick(instrument: Instrument, px: Decimal) -> None:
    """No code is documented for a price off the tick; this one is the nearest."""
    if not is_multiple(px, instrument.tick_sz):
        raise Refused("51150", f"The price must be a multiple of the tick size {instrument.tick_sz:f}.")


def reduce_only(item: Item, inst_type: TradedAs, modes: AccountModes) -> bool:
    """Whether an order may only reduce. In long/short mode its sides say that already."""
    if not flag(item, "reduceOnly"):
        return False
    if inst_type == "SPOT":
        code = {"1": "51139", "3": "51133", "4": "51133"}.get(modes.level, "51205")
        raise Refused(code, f"Reduce-only is not available for spot in acctLv {modes.level}.")
    if inst_type == "OPTION":
        raise Refused("51205", "Reduce-only is not available for options.")
    return not (modes.is_long_short and inst_type in {"SWAP", "FUTURES"})


def _refuse_at_market(ord_type: str, inst_type: TradedAs) -> None:
    if ord_type == "optimal_limit_ioc" and inst_type not in {"SWAP", "FUTURES"}:
        raise Refused("51000", "Parameter ordType error: optimal_limit_ioc is for swaps and futures.")
    if ord_type == "market" and inst_type == "OPTION":
        raise Refused("51000", "Parameter ordType error: options have no market orders.")


def _refuse_what_is_not_read(item: Item) -> None:
    """Fields that would change an order, in forms that OKX took or takes and that are not taken here."""
    if any(text(item, name) for name in ("tpTriggerPx", "tpOrdPx", "slTriggerPx", "slOrdPx")):
        raise Refused("54070", "Take-profit and stop-loss of an order go into attachAlgoOrds.")
    if text(item, "pxUsd") or text(item, "pxVol"):
        raise Refused("51000", "Parameter pxUsd error: this paper exchange prices options in coins, as px.")


def _price(item: Item, ord_type: str) -> Decimal | None:
    if ord_type not in _LIMIT_TYPES:
        return None
    if not text(item, "px"):
        raise Refused("51204", "The price of a limit order can not be empty.")
    return positive(item, "px")


def _tgt_ccy(item: Item, ord_type: str, side: Side) -> str:
    if ord_type != "market":
        return ""
    given = text(item, "tgtCcy") or ("quote_ccy" if side == "buy" else "base_ccy")
    if given not in {"base_ccy", "quote_ccy"}:
        raise Refused("51000", "Parameter tgtCcy error")
    return given


def quote_ccy(item: Item, instrument: Instrument) -> str:
    given = text(item, "tradeQuoteCcy") or instrument.quote_ccy
    if given not in instrument.trade_quote_ccys:
        raise Refused("51000", "Parameter tradeQuoteCcy error")
    return given


def _stp_mode(item: Item, ord_type: str) -> str:
    given = text(item, "stpMode") or "cancel_maker"
    if given not in _STP_MODES:
        raise Refused("51000", "Parameter stpMode error")
    if given == "cancel_both" and ord_type == "fok":
        raise Refused("50016", "stpMode cancel_both does not go with ordType fok.")
    return given
