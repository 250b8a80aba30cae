"""What a server under test stands on: an exchange at a loopback address, its record, and a state folder of its own.

It also has the last word on a case: once the servers have gone, the journal they left is settled in this process.
"""

import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from okx_mcp.okx.client import OkxClient
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.orders import Receipt
from tests.proving.desks import LOOSE_CONFIG, a_desk_on
from tests.proving.loopback import Loopback
from tests.proving.oracle import Finding, Oracle, believed
from tests.proving.session import Message
from tests.proving.tally import Story, Tally
from tests.proving.tls import network
from tests.proving.wire_clock import SkippingClock
from tests.whole.stdio import server_environ

__all__ = ["NOTHING_SENT", "RESTS", "Stand", "a_stand"]

RESTS: Final = Decimal("0.96")
"""This part of the last price: a buy there waits."""

NOTHING_SENT: Final = "Nothing was sent."


@dataclass
class Stand:
    """`price` is what the one order of the case is to be bought at; everything told or found is blamed on `story`."""

    story: Story
    tally: Tally
    folder: Path
    clock: SkippingClock
    oracle: Oracle
    exchange: Loopback
    price: str = ""

    @property
    def journal(self) -> Path:
        return self.folder / "state" / "journal.sqlite3"

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def arguments(self) -> list[str]:
        """Of the command that starts a server here."""
        return ["--config", str(self.config), "--state-dir", str(self.folder / "state")]

    def environ(self, address: str) -> dict[str, str]:
        """Of a server that finds the exchange at this address."""
        return server_environ(self.oracle.exchange, address)

    def an_order(self, part: Decimal) -> dict[str, str]:
        """Arguments for a buy at this part of the last price."""
        answer = self.oracle.exchange.handle("GET", b"/api/v5/market/ticker?instId=BTC-USDT", {})[2].decode()
        last = Decimal(answer.partition('"last":"')[2].partition('"')[0])
        self.price = str(round(last * part))
        return {"inst_id": "BTC-USDT", "side": "buy", "size": "0.001", "unit": "base", "price": self.price}

    def heard(self, what: str, result: Message | None, ticket_id: str | None = None) -> Message | None:
        """Take down the result of a call about an order, and hold it against the exchange."""
        if result is None:
            self.story.tell(f"{what}: no answer")
            return None
        report: Message | None = result.get("structuredContent")
        if result.get("isError") or report is None:
            text = str(result.get("content"))
            self.story.tell(f"{what}: {text}")
            if ticket_id is not None and NOTHING_SENT in text:
                self.blame(self.oracle.hears(ticket_id, "not_sent"))
            return None
        self.story.tell(f"{what}: {report['state']}")
        self.blame(self.oracle.hears(report["ticket_id"], report["state"], ord_id=report.get("order_id") or ""))
        return report

    def blame(self, findings: Iterable[Finding]) -> None:
        for violation, what in findings:
            self.tally.blame(self.story.fails(violation, what))

    async def comes_to_rest(self) -> None:
        """Open the journal as the next process would, ask about all that is open, and judge."""
        states = believed(self.journal) if self.journal.exists() else {}
        client = OkxClient(self.exchange.address, self.oracle.exchange.owner, transport=network(), clock=self.clock)
        desk = a_desk_on(self.journal, client, self.clock)
        try:
            for _ in range(3):
                await self.clock.skip(21)
                if not await desk.settle_open_ends():
                    break
            for ticket_id in states:
                before = self.oracle.states()
                found = await desk.check(ticket_id)
                assert isinstance(found, Receipt)
                self.story.tell(f"at rest: {found.state}")
                self.blame(self.oracle.hears(ticket_id, found.state.value, ord_id=found.ord_id or "", before=before))
        finally:
            desk.close()
            await client.aclose()
        approved = {ticket_id: self._body(ticket_id) for ticket_id in states}
        self.blame(self.oracle.findings(approved, believed(self.journal)))

    def _body(self, ticket_id: str) -> dict[str, str]:
        """What the person saw and approved, as it has to go to the exchange."""
        return {
            "instId": "BTC-USDT",
            "tdMode": "cash",
            "side": "buy",
            "ordType": "limit",
            "sz": "0.001",
            "px": self.price,
            "clOrdId": ticket_id,
        }


@asynccontextmanager
async def a_stand(folder: Path, story: Story, tally: Tally) -> AsyncIterator[Stand]:
    """A fresh one, all its files in `folder`."""
    folder.mkdir()  # noqa: ASYNC240  # in memory
    clock = SkippingClock()
    oracle = Oracle(PaperExchange(now_us=clock.exchange_us, rate_limits=False))
    exchange = Loopback(oracle.handle)
    await exchange.open()
    stand = Stand(story, tally, folder, clock, oracle, exchange)
    stand.config.write_text(LOOSE_CONFIG)
    try:
        yield stand
    finally:
        exchange.close()
        shutil.rmtree(folder)
