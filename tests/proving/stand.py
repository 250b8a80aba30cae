"""What a server under test stands on: an exchange at a loopback address, its record, and a state folder of its own.

It also has the last word on a case: once the servers have gone, the journal they left is settled in this process.
"""

import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

from okx_mcp.okx.client import OkxClient
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.trading.intents import LimitOrder
from okx_mcp.trading.orders import Receipt
from tests.proving.desks import LOOSE_CONFIG, a_desk_on
from tests.proving.intents import Rules, last_price, rules_at
from tests.proving.loopback import Loopback
from tests.proving.oracle import Finding, Oracle, believed
from tests.proving.reading_back import Body
from tests.proving.session import Message
from tests.proving.tally import Story, Tally
from tests.proving.tls import network
from tests.proving.wire_clock import SkippingClock
from tests.trading.floor import buy
from tests.whole.stdio import server_environ

__all__ = ["HELD_BACK", "NOTHING_SENT", "RESTS", "Stand", "a_stand"]

RESTS: Final = Decimal("0.96")
"""This part of the last price: a buy there waits."""

NOTHING_SENT: Final = "Nothing was sent."
HELD_BACK: Final = "has no price on one side"
"""What is said of a book that emptied between ticket and commit, as those of options do by themselves."""


@dataclass
class Stand:
    """`approved` are the bodies that a person read and approved; everything told or found is blamed on `story`."""

    story: Story
    tally: Tally
    folder: Path
    clock: SkippingClock
    oracle: Oracle
    exchange: Loopback
    approved: dict[str, Body] = field(default_factory=dict)

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

    @property
    def exchange_ms(self) -> int:
        return self.clock.exchange_us() // 1000

    def an_order(self, part: Decimal) -> LimitOrder:
        """A buy at this part of the last price."""
        return buy(at=str(round(last_price(self.oracle.exchange, "BTC-USDT") * part)))

    def rules_of(self, inst_id: str) -> Rules:
        return rules_at(self.oracle.exchange, self.exchange_ms, inst_id)

    def is_approved(self, ticket_id: str, read: Body | None) -> None:
        """A person read this in what was shown of the ticket, and says yes."""
        self.story.tell(f"proposed {ticket_id}: {read}")
        if read is None:
            self.blame([("misreported", f"what was shown of {ticket_id} cannot be read back")])
            return
        self.approved[ticket_id] = read
        if "lever" in read:
            self.oracle.has_no_name(ticket_id, read)

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
        self.story.tell(f"{what}: {report['state']}: {report['summary']}")
        self.blame(self.oracle.hears(report["ticket_id"], report["state"], ord_id=self._ord_id(report)))
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
                ord_id = self._ord_id({"ticket_id": ticket_id, "order_id": found.ord_id})
                self.blame(self.oracle.hears(ticket_id, found.state.value, ord_id=ord_id, before=before))
        finally:
            desk.close()
            await client.aclose()
        self.blame(self.oracle.findings(self.approved, believed(self.journal)))

    def _ord_id(self, report: Message) -> str | None:
        """What has to be the order's id; of what is no order nothing has to."""
        is_order = "side" in self.approved.get(report["ticket_id"], ())
        return report.get("order_id") or ("" if is_order else None)


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
