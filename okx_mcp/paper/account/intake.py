"""Reading an order request: every rule about its own fields, in the order parameter, instrument, size, price.

Knows the listing and nothing of balances or books. Numbers arrive as text (the JSON reader keeps them so),
absent, null and "" mean the same, as in OKX's own clients.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from okx_mcp.paper.account.orders import Side
from okx_mcp.paper.figures import figure, is_multiple
from okx_mcp.paper.market.listing import Instrument, Listing
from okx_mcp.paper.refusals import Refused

__all__ = ["AmendRequest", "Item", "OrderRef", "PlaceRequest", "read_amend", "read_place", "read_ref", "text"]

Item = Mapping[str, object]
"""One JSON object of a request's body."""

_ID: Final = re.compile(r"[A-Za-z0-9]{1,32}\Z")
_TAG: Final = re.compile(r"[A-Za-z0-9]{1,16}\Z")
_ORD_ID: Final = re.compile(r"[0-9]{1,20}\Z")

_LIMIT_TYPES: Final = frozenset({"limit", "post_only", "fok", "ioc"})
_ORDER_TYPES: Final = _LIMIT_TYPES | {"market"}
_STP_MODES: Final = frozenset({"cancel_maker", "cancel_taker", "cancel_both"})
_SIDES: Final[Mapping[str, Side]] = {"buy": "buy", "sell": "sell"}


@dataclass(frozen=True, slots=True)
class PlaceRequest:
    """An order as it was asked for. `px` is None for a market order, `tgt_ccy` "" for all others."""

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


@dataclass(frozen=True, slots=True)
class OrderRef:
    """Which order is meant. ordId wins over clOrdId."""

    inst_id: str
    ord_id: int | None
    cl_ord_id: str


@dataclass(frozen=True, slots=True)
class AmendRequest:
    """What to change about an order. `new_sz` is the new total, with what is filled."""

    ref: OrderRef
    new_sz: Decimal | None
    new_px: Decimal | None
    req_id: str
    cancel_on_fail: bool
    moves_to_band: bool


def text(item: Item, name: str) -> str:
    """A field as text; "" where it is absent, null or empty."""
    value = item.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Refused("51000", f"Parameter {name} error")
    return value


def read_place(item: Item, listing: Listing) -> PlaceRequest:
    for name in ("instId", "tdMode", "side", "ordType", "sz"):
        if not text(item, name):
            raise Refused("50014", f"Parameter {name} can not be empty.")
    ord_type, side = text(item, "ordType"), _SIDES.get(text(item, "side"))
    if side is None:
        raise Refused("51000", "Parameter side error")
    if ord_type not in _ORDER_TYPES:
        raise Refused("51000", "Parameter ordType error")
    stp_mode = _stp_mode(item, ord_type)
    sz = _positive(item, "sz")
    px = _price(item, ord_type)
    _refuse_what_spot_has_not(item)
    instrument = _instrument(item, listing)
    return PlaceRequest(
        instrument=instrument,
        side=side,
        ord_type=ord_type,
        sz=sz,
        px=px,
        tgt_ccy=_tgt_ccy(item, ord_type, side),
        quote_ccy=_quote_ccy(item, instrument),
        cl_ord_id=_alphanumeric(item, "clOrdId", _ID),
        tag=_alphanumeric(item, "tag", _TAG),
        stp_mode=stp_mode,
        ban_amend=_flag(item, "banAmend"),
        moves_to_band=text(item, "pxAmendType") == "1",
    )


def read_amend(item: Item) -> AmendRequest:
    ref = read_ref(item)
    req_id = _alphanumeric(item, "reqId", _ID)
    new_sz = _positive(item, "newSz") if text(item, "newSz") else None
    new_px = _positive(item, "newPx") if text(item, "newPx") else None
    if new_sz is None and new_px is None:
        raise Refused("51500", "An amendment needs newSz or newPx")
    return AmendRequest(ref, new_sz, new_px, req_id, _flag(item, "cxlOnFail"), text(item, "pxAmendType") == "1")


def read_ref(item: Item) -> OrderRef:
    if not text(item, "instId"):
        raise Refused("50014", "Parameter instId can not be empty.")
    ord_id, cl_ord_id = text(item, "ordId"), text(item, "clOrdId")
    if ord_id:
        if not _ORD_ID.match(ord_id):
            raise Refused("51000", "Parameter ordId error")
        return OrderRef(text(item, "instId"), int(ord_id), "")
    if not cl_ord_id:
        raise Refused("51003", "Either ordId or clOrdId is required")
    return OrderRef(text(item, "instId"), None, _alphanumeric(item, "clOrdId", _ID))


def check_size(instrument: Instrument, sz: Decimal) -> None:
    """A size in base currency: at least the minimum, and on the lot."""
    if sz < instrument.min_sz:
        raise Refused("51020", f"Your order should meet or exceed the minimum order amount {instrument.min_sz:f}.")
    if not is_multiple(sz, instrument.lot_sz):
        raise Refused("51121", f"Order size must be a multiple of the lot size {instrument.lot_sz:f}.")


def check_tick(instrument: Instrument, px: Decimal) -> None:
    """No code is documented for a price off the tick; this one is the nearest."""
    if not is_multiple(px, instrument.tick_sz):
        raise Refused("51150", f"The price must be a multiple of the tick size {instrument.tick_sz:f}.")


def _instrument(item: Item, listing: Listing) -> Instrument:
    instrument = listing.instruments.get(text(item, "instId"))
    if instrument is None:
        raise Refused("51001", "Instrument ID does not exist.")
    td_mode = text(item, "tdMode")
    if td_mode in {"cross", "isolated", "spot_isolated"}:
        raise Refused("51010", f"tdMode {td_mode} is not available in Spot mode; use cash.")
    if td_mode != "cash":
        raise Refused("51000", "Parameter tdMode error")
    return instrument


def _refuse_what_spot_has_not(item: Item) -> None:
    if text(item, "posSide") not in {"", "net"}:
        raise Refused("51000", "Parameter posSide error")
    if _flag(item, "reduceOnly"):
        raise Refused("51139", "Reduce-only is not available for spot in Spot mode.")
    if item.get("attachAlgoOrds"):
        raise Refused("51044", "This paper exchange does not take attached TP/SL orders yet.")


def _price(item: Item, ord_type: str) -> Decimal | None:
    if ord_type not in _LIMIT_TYPES:
        return None
    if not text(item, "px"):
        raise Refused("51204", "The price of a limit order can not be empty.")
    return _positive(item, "px")


def _tgt_ccy(item: Item, ord_type: str, side: Side) -> str:
    if ord_type != "market":
        return ""
    given = text(item, "tgtCcy") or ("quote_ccy" if side == "buy" else "base_ccy")
    if given not in {"base_ccy", "quote_ccy"}:
        raise Refused("51000", "Parameter tgtCcy error")
    return given


def _quote_ccy(item: Item, instrument: Instrument) -> str:
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


def _positive(item: Item, name: str) -> Decimal:
    number = figure(text(item, name))
    if not number:
        raise Refused("51000", f"Parameter {name} error")
    return number


def _alphanumeric(item: Item, name: str, pattern: re.Pattern[str]) -> str:
    given = text(item, name)
    if given and not pattern.match(given):
        raise Refused("51000", f"Parameter {name} error")
    return given


def _flag(item: Item, name: str) -> bool:
    """A JSON boolean. OKX's own Python client sends "" for an unset one, others the words."""
    given = item.get(name)
    if given is None or given is False or given in ("", "false"):
        return False
    if given is True or given == "true":
        return True
    raise Refused("51000", f"Parameter {name} error")
