"""Closing a position whole, at the market (POST trade/close-position)."""

from okx_mcp.paper.account.account_modes import SPOT_MODE, AccountModes
from okx_mcp.paper.account.dealing import Dealing
from okx_mcp.paper.account.intake import PlaceRequest
from okx_mcp.paper.account.margin import closes
from okx_mcp.paper.account.orders import Order, Side
from okx_mcp.paper.account.positions import Position
from okx_mcp.paper.refusals import Refused

__all__ = ["close_position"]


def close_position(dealing: Dealing, position: Position, cl_ord_id: str, tag: str, *, cancels: bool) -> Order:
    """Places the order that closes a position.

    51115 where orders that close it are open already, unless they are to be cancelled.
    """
    closing = [order for order in dealing.ledger.open_for(position.key) if order.reduce_only or closes(order)]
    if closing and not cancels:
        raise Refused("51115", "Cancel all pending close orders before closing the position at the market.")
    for order in closing:
        dealing.close(order, "17")
    instrument, modes = dealing.instrument(position.inst_id), AccountModes(dealing.ledger)
    # Options are held as cross also where they are traded for cash.
    td_mode = "cash" if modes.level == SPOT_MODE else position.mgn_mode
    side: Side = "sell" if position.pos > 0 else "buy"
    return dealing.place(
        PlaceRequest(
            instrument=instrument,
            side=side,
            ord_type="optimal_limit_ioc" if position.inst_type == "OPTION" else "market",
            sz=abs(position.pos),
            px=None,
            tgt_ccy="base_ccy" if position.inst_type == "MARGIN" else "",
            quote_ccy=instrument.quote_ccy,
            cl_ord_id=cl_ord_id,
            tag=tag,
            stp_mode="cancel_maker",
            ban_amend=False,
            moves_to_band=False,
            inst_type=modes.traded_as(instrument, td_mode, side),
            td_mode=td_mode,
            pos_side=position.pos_side,
            settle_ccy=position.ccy,
            lever=position.lever,
            reduce_only=position.inst_type != "OPTION" and position.pos_side == "net",
        )
    )
