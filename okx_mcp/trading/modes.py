"""How an order is carried out on this account: margin mode and position side, from what OKX says of the account.

What follows from the account is derived, and what does not fit it is refused with what it is and what the order needs.
Pure. Source of the table: POST /trade/order, tdMode and posSide.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.names import AcctLv, InstType, MgnMode, PosMode, PosSide, Side, TdMode
from okx_mcp.trading.decimals import plain
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import Terms
from okx_mcp.trading.refusals import Misfit, NotTradable

if TYPE_CHECKING:
    from okx_mcp.trading.accounts import AccountRules
    from okx_mcp.trading.instruments import Instrument, Quantity
    from okx_mcp.trading.orders import OrderView
    from okx_mcp.trading.positions import PositionView

__all__ = [
    "acts_on",
    "check_has_leverage",
    "check_reduces",
    "check_unit_at_market",
    "honours_reduce_only",
    "position_to_close",
    "reduced_by",
    "terms_of",
    "terms_of_resting",
]

_NAMES: Final = {
    AcctLv.SPOT: "spot",
    AcctLv.FUTURES: "futures",
    AcctLv.MULTI_CURRENCY: "multi-currency margin",
    AcctLv.PORTFOLIO: "portfolio margin",
}
_CROSS_ONLY: Final = (AcctLv.MULTI_CURRENCY, AcctLv.PORTFOLIO)
"""Account modes in which a margin order of a spot pair is cross."""
_BY_MARGIN_MODE: Final = "close one by an order of the other side with reduce_only and its margin_mode"


def terms_of(
    instrument: "Instrument",
    rules: "AccountRules",
    side: Side,
    asked: MgnMode | None,
    held: Sequence["PositionView"],
    *,
    reduces: bool,
) -> Terms:
    """tdMode, posSide and reduceOnly of an order of this instrument, with the account's positions in it.

    Raises:
        NotTradable: the account's mode does not allow such an order.
        Misfit: what was asked for does not fit, or nothing says which margin mode is meant.
    """
    if asked is MgnMode.CASH:
        raise Misfit("margin_mode is cross or isolated; an order without margin leaves it out.")
    if instrument.contract is not None:
        return _of_derivative(instrument, rules, side, asked, held, reduces=reduces)
    if asked is not None or (reduces and held):
        meant = _margin_mode(instrument, asked, held, side, reduces=reduces)
        return _of_margin(instrument, rules, meant, reduces=reduces)
    if reduces:
        raise Misfit(
            f"{instrument.inst_id} is a spot pair, and no position on margin is held in it: what is held is sold, so "
            "reduce_only says nothing here."
        )
    return Terms(rules.spot_td_mode)


def terms_of_resting(order: "OrderView", instrument: "Instrument", rules: "AccountRules") -> Terms:
    """The terms on which an order that rests is carried out, whatever is changed of its size and price.

    Raises:
        NotTradable: OKX does not say on which.
    """
    if order.td_mode not in tuple(TdMode):
        raise NotTradable("OKX does not say in which margin mode this order is; it cannot be changed.")
    pos_side = PosSide(order.pos_side) if order.pos_side in (PosSide.LONG, PosSide.SHORT) else None
    closes = order.reduce_only or (pos_side is not None and pos_side == reduced_by(Side(order.side)))
    is_on_margin = instrument.contract is None and order.td_mode != TdMode.CASH
    return Terms(
        TdMode(order.td_mode),
        pos_side,
        reduces=closes and honours_reduce_only(instrument.kind, rules.account_mode),
        margin_ccy=order.margin_ccy if is_on_margin else None,
    )


def _of_margin(instrument: "Instrument", rules: "AccountRules", asked: MgnMode, *, reduces: bool) -> Terms:
    mode = _known_mode(rules, instrument)
    if mode is AcctLv.SPOT:
        raise NotTradable("The account is in spot mode, and an order on margin needs futures mode or a higher one.")
    _check_has_margin(mode, instrument, asked)
    if reduces:
        _check_reduces_there(instrument, mode)
    put_up = instrument.quote_ccy if mode is AcctLv.FUTURES else None
    return Terms(TdMode(asked.value), reduces=reduces, margin_ccy=put_up)


def _check_has_margin(mode: AcctLv, instrument: "Instrument", asked: MgnMode) -> None:
    if mode in _CROSS_ONLY and asked is not MgnMode.CROSS:
        raise NotTradable(f"In {_NAMES[mode]} mode a margin order of {instrument.inst_id} is cross, not {asked}.")


def _of_derivative(
    instrument: "Instrument",
    rules: "AccountRules",
    side: Side,
    asked: MgnMode | None,
    held: Sequence["PositionView"],
    *,
    reduces: bool,
) -> Terms:
    mode = _known_mode(rules, instrument)
    if mode is AcctLv.SPOT:
        raise NotTradable(
            f"The account is in spot mode, and {instrument.inst_id} ({instrument.kind}) needs futures mode or a higher "
            "one; the account mode is changed at OKX."
        )
    if rules.position_mode not in tuple(PosMode):
        raise NotTradable("OKX does not say whether positions are net or long and short, so no side can be named.")
    if reduces:
        _check_reduces_there(instrument, mode)
    pos_side = None
    if rules.position_mode == PosMode.LONG_SHORT and instrument.kind != InstType.OPTION:
        pos_side = PosSide.LONG if (side is Side.BUY) != reduces else PosSide.SHORT
    return Terms(TdMode(_margin_mode(instrument, asked, held, side, reduces=reduces).value), pos_side, reduces)


def check_has_leverage(rules: "AccountRules", instrument: "Instrument", margin_mode: MgnMode) -> None:
    """Refuse a leverage where the account's mode has none.

    Raises:
        NotTradable: the account is in spot mode, or in one that is not known, or has no such margin.
    """
    mode = _known_mode(rules, instrument)
    if mode is AcctLv.SPOT:
        raise NotTradable("The account is in spot mode, and a leverage needs futures mode or a higher one.")
    if instrument.contract is None:
        _check_has_margin(mode, instrument, margin_mode)


def honours_reduce_only(kind: str, mode: AcctLv | str | None) -> bool:
    """Whether OKX keeps an order from opening anything where it is told so (POST /trade/order, reduceOnly)."""
    return kind != InstType.OPTION and mode in (AcctLv.FUTURES, AcctLv.MULTI_CURRENCY)


def _check_reduces_there(instrument: "Instrument", mode: AcctLv) -> None:
    if not honours_reduce_only(instrument.kind, mode):
        where = "of options" if instrument.kind == InstType.OPTION else f"in {_NAMES[mode]} mode"
        raise NotTradable(f"OKX does not keep reduce_only orders {where} from opening a position, so none is sent.")


def _margin_mode(
    instrument: "Instrument", asked: MgnMode | None, held: Sequence["PositionView"], side: Side, *, reduces: bool
) -> MgnMode:
    if asked is not None:
        return asked
    reduced = [each for each in held if each.side == reduced_by(side)]
    modes = {each.margin_mode for each in (reduced if reduces and reduced else held)}
    if len(modes) != 1 or not modes <= set(MgnMode):
        raise Misfit(
            f"Say margin_mode, cross or isolated, for {instrument.inst_id}: the account holds "
            f"{'positions in both' if modes else 'no position'}, so nothing says which is meant."
        )
    return MgnMode(modes.pop())


def _known_mode(rules: "AccountRules", instrument: "Instrument") -> AcctLv:
    if rules.account_mode not in _NAMES:
        raise NotTradable(
            f"This version does not know how {instrument.inst_id} is traded in account mode {rules.account_mode}."
        )
    return AcctLv(rules.account_mode)


def reduced_by(side: Side) -> str:
    """The side of the positions that an order of this side reduces."""
    return "short" if side is Side.BUY else "long"


def check_unit_at_market(instrument: "Instrument", terms: Terms, side: Side, unit: SizeUnit) -> None:
    """Refuse the unit of a market order of a spot pair that OKX could take for the other one.

    tgtCcy holds for spot; on margin a buy counts the quote currency and a sale the base, whatever it says. So where an
    order may be either, only the unit that both mean is sent.

    Raises:
        Misfit: it is the other one.
    """
    if instrument.contract is not None or terms.td_mode is TdMode.CASH:
        return
    safe, ccy = (SizeUnit.QUOTE, instrument.quote_ccy) if side is Side.BUY else (SizeUnit.BASE, instrument.base_ccy)
    if unit is not safe:
        raise Misfit(
            f"A market {side} of {instrument.inst_id} in {terms.td_mode} mode is counted in {ccy} by OKX; give its "
            f"size in {safe}."
        )


def check_reduces(terms: Terms, quantity: "Quantity", inst_id: str, side: Side, held: Sequence["PositionView"]) -> None:
    """Refuse what OKX would refuse (51169, 51170): it does not trim an order that is larger than the position.

    Raises:
        Misfit: there is no such position, or it is smaller.
    """
    if not terms.reduces:
        return
    wanted = reduced_by(side)
    position = next((each for each in held if each.side == wanted and each.margin_mode == terms.td_mode), None)
    if position is None:
        others = ", ".join(f"{each.side} {each.margin_mode} {plain(each.own_size)}" for each in held)
        raise Misfit(
            f"There is no {wanted} {terms.td_mode} position in {inst_id} that this {side.value} could reduce"
            f"{f'; held is: {others}' if others else ''}."
        )
    size, own, unit = position.size, quantity.contracts or quantity.base, "contracts"
    if quantity.contracts is None:
        is_in_quote = position.unit is SizeUnit.QUOTE  # a short one on margin
        own, unit = (quantity.quote, quantity.quote_ccy) if is_in_quote else (quantity.base, quantity.base_ccy)
    if own > size:
        raise Misfit(
            f"The {wanted} position in {inst_id} is {plain(size)} {unit}; a reduce-only order of {plain(own)} is more.",
            below=size,
        )


def acts_on(terms: Terms, held: Sequence["PositionView"]) -> Decimal:
    """The position that an order on these terms opens or reduces: its size, negative for a short one, 0 for none."""
    meant = [each for each in held if each.margin_mode == terms.td_mode and terms.pos_side in (None, each.side)]
    return sum((each.own_size if each.side == "long" else -each.own_size for each in meant), Decimal(0))


def position_to_close(inst_id: str, held: Sequence["PositionView"], asked: str | None) -> "PositionView":
    """The one position that is meant.

    Raises:
        Misfit: there is none, or there are several and `asked` does not tell.
    """
    meant = [each for each in held if asked in (None, each.side)]
    if len(meant) == 1:
        return meant[0]
    if not meant:
        raise Misfit(f"There is no {f'{asked} ' if asked else ''}position in {inst_id}.")
    open_ones = " and ".join(f"{each.side} {each.margin_mode}" for each in meant)
    how = "say which one by its side" if len({each.side for each in meant}) > 1 else _BY_MARGIN_MODE
    raise Misfit(f"There are several positions in {inst_id} ({open_ones}); {how}.")
