"""A paper account in any mode, and the intents of derivatives, in one line each."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from okx_mcp.okx.names import MgnMode, Side
from okx_mcp.okx.signing import rest_headers, rest_timestamp
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.desk import OrderDesk
from okx_mcp.trading.instruments import SizeUnit
from okx_mcp.trading.intents import AccountIntent, ClosePosition, Exits, MarketOrder, OrderIntent, TriggerOrder
from okx_mcp.trading.orders import OrderView, Receipt
from tests.clocks import VirtualClock
from tests.trading.floor import approved

SPOT: Final = "BTC-USDT"
SWAP: Final = "BTC-USDT-SWAP"
INVERSE: Final = "BTC-USD-SWAP"
PLACE_ALGO: Final = "POST /trade/order-algo"
READ_ALGO: Final = "GET /trade/order-algo"
AMEND_ALGO: Final = "POST /trade/amend-algos"
CANCEL_ALGOS: Final = "POST /trade/cancel-algos"
CROSS: Final = MgnMode.CROSS
NO_EXITS: Final = Exits()


class Owner:
    """The account's owner at OKX's own site: changes what no tool of ours changes, and trades by hand."""

    def __init__(self, exchange: PaperExchange, clock: VirtualClock) -> None:
        self._exchange = exchange
        self._clock = clock

    def post(self, path: str, **body: object) -> Any:
        return self._send("POST", f"/api/v5/{path}", json.dumps(body).encode())

    def get(self, path: str, **params: str) -> Any:
        query = "&".join(f"{name}={value}" for name, value in params.items())
        return self._send("GET", f"/api/v5/{path}?{query}", b"")

    def _send(self, method: str, target: str, body: bytes) -> Any:
        now_ms = round(self._clock.monotonic_s() * 1000) + self._ahead_ms
        signed = rest_headers(self._exchange.owner, rest_timestamp(now_ms), method, target, body)
        fixed = {"x-simulated-trading": "1", "Content-Type": "application/json"}
        _, _, raw = self._exchange.handle(method, target.encode(), {**fixed, **signed}, body)
        answer = json.loads(raw)
        assert answer["code"] == "0", answer
        return answer["data"]

    @property
    def _ahead_ms(self) -> int:
        return self._clock.wall_ms() - round(self._clock.monotonic_s() * 1000)

    def mode(self, level: str, positions: str = "net_mode") -> None:
        self.post("account/set-account-level", acctLv=level)
        if level not in ("1", "4"):
            self.post("account/set-position-mode", posMode=positions)

    def order(self, side: str, size: str, inst_id: str = SWAP, mode: str = "cross", **fields: object) -> str:
        fields = {"ordType": "market"} | fields
        [row] = self.post("trade/order", instId=inst_id, side=side, sz=size, tdMode=mode, **fields)
        assert row["sCode"] == "0", row
        return str(row["ordId"])

    def rests(self, inst_id: str = SPOT, **fields: object) -> str:
        """An order of spot that is far from the market. Its ordId."""
        return self.order("buy", "0.001", inst_id, "cash", **({"ordType": "limit", "px": "1000"} | fields))

    def waits(self, inst_id: str = SPOT) -> str:
        """A stop of spot that is far from the market. Its algoId."""
        fields = {"side": "sell", "ordType": "conditional", "sz": "0.001", "slTriggerPx": "100", "slOrdPx": "-1"}
        [row] = self.post("trade/order-algo", instId=inst_id, tdMode="cash", **fields)
        assert row["sCode"] == "0", row
        return str(row["algoId"])

    def positions(self, inst_id: str = SWAP) -> dict[str, Decimal]:
        rows = self.get("account/positions", instId=inst_id)
        return {row["posSide"]: Decimal(row["pos"]) for row in rows if Decimal(row["pos"])}

    def last(self, inst_id: str = SWAP) -> Decimal:
        return Decimal(self.get("market/ticker", instId=inst_id)[0]["last"])


def market(
    side: str,
    size: str,
    unit: str,
    inst_id: str = SWAP,
    *,
    mode: MgnMode | None = None,
    reduces: bool = False,
    exits: Exits = NO_EXITS,
) -> MarketOrder:
    return MarketOrder(inst_id, Side(side), Decimal(size), SizeUnit(unit), mode, reduces, exits)


def trigger(side: str, size: str, inst_id: str = SWAP, *, unit: str = "contracts", **ways: Any) -> TriggerOrder:
    fields = {"margin_mode": CROSS if inst_id != "BTC-USDT" else None} | ways
    return TriggerOrder(inst_id, Side(side), Decimal(size), SizeUnit(unit), **fields)


def close(size: str | None = None, inst_id: str = SWAP, **fields: Any) -> ClosePosition:
    return ClosePosition(inst_id, None if size is None else Decimal(size), **fields)


async def sent(desk: OrderDesk, intent: OrderIntent | AccountIntent) -> Receipt:
    """What became of it, approved as it was proposed."""
    return await desk.commit(await approved(desk, intent))


async def asked_until(
    desk: OrderDesk, clock: VirtualClock, ticket_id: str, is_there: Callable[[Receipt], bool], *, every_s: float
) -> Receipt:
    """What became of a ticket, asked again and again until it is there."""
    for _ in range(200):
        receipt = await desk.check(ticket_id)
        assert isinstance(receipt, Receipt)
        if is_there(receipt):
            return receipt
        clock.advance(every_s)
    raise AssertionError("it never came")


def order_of(receipt: Receipt) -> OrderView:
    assert receipt.order is not None, receipt
    return receipt.order
