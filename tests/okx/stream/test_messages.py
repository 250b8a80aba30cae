"""What OKX was recorded to push is read, and what cannot be read is not taken for something else."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from okx_mcp.okx import models
from okx_mcp.okx.models import Row
from okx_mcp.okx.stream import messages
from okx_mcp.okx.stream.channels import Channel
from okx_mcp.okx.stream.channels import Path as StreamPath
from okx_mcp.okx.stream.messages import Push, read_message

RECORDED: Final = Path(__file__).resolve().parents[4] / "shared" / "okx" / "recorded" / "ws"
PUSHES: Final = sorted(path for path in RECORDED.glob("[a-z]*/*.json"))
EVENTS: Final = sorted(RECORDED.glob("_events/*.json"))
SESSIONS: Final = sorted(RECORDED.glob("_sessions/*.jsonl"))

MODEL_OF: Final[Mapping[str, type[Row]]] = {
    "account": models.Balance,
    "bbo-tbt": models.OrderBook,
    "books": models.OrderBook,
    "books-l2-tbt": models.OrderBook,
    "books5": models.OrderBook,
    "candle1D": models.Candle,
    "candle1m": models.Candle,
    "fills": models.Fill,
    "funding-rate": models.FundingRate,
    "index-candle1D": models.Candle,
    "index-candle30m": models.Candle,
    "index-tickers": models.IndexTicker,
    "instruments": models.InstrumentRow,
    "mark-price": models.MarkPrice,
    "mark-price-candle1D": models.Candle,
    "orders": models.OrderPush,
    "positions": models.Position,
    "price-limit": models.PriceLimit,
    "status": models.SystemStatus,
    "tickers": models.Ticker,
    "trades": models.TradePush,
    "trades-all": models.TradePush,
}

recorded = pytest.mark.skipif(not PUSHES, reason=f"no recorded messages at {RECORDED}")


@recorded
@pytest.mark.parametrize("path", PUSHES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_recorded_message_of_every_channel_is_read(path: Path) -> None:
    push = read_message(path.read_text("utf-8"))

    assert isinstance(push, Push)
    assert path.parent.name in {push.channel.name, "books-l2-tbt"}
    assert push.rows
    model = MODEL_OF.get(path.parent.name)
    for row in push.rows if model else ():
        assert model is not None
        read = model.model_validate(row)
        assert read.model_dump(exclude_defaults=True), "nothing of it was understood"


@recorded
def test_every_channel_of_ours_was_recorded() -> None:
    assert set(MODEL_OF) <= {path.parent.name for path in PUSHES}


@recorded
@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.stem)
def test_every_message_of_a_recorded_session_is_read(path: Path) -> None:
    kinds = {type(read_message(json.dumps(json.loads(line)["msg"]))) for line in path.read_text("utf-8").splitlines()}

    assert kinds == {Push, messages.Acknowledged}


@recorded
@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_a_recorded_event_is_read(path: Path) -> None:
    event = json.loads(path.read_text("utf-8"))["event"]

    read = read_message(path.read_text("utf-8"))

    expected = {
        "subscribe": messages.Acknowledged,
        "unsubscribe": messages.Acknowledged,
        "error": messages.Refusal,
        "notice": messages.ClosingSoon,
        "channel-conn-count": type(None),
    }
    assert type(read) is expected[event]


@recorded
def test_fields_of_one_push_and_of_the_whole_order_are_kept_apart() -> None:
    text = (RECORDED / "orders" / "ws_orders_ioc.json").read_text("utf-8")
    row = json.loads(text)["data"][0]

    push = models.OrderPush.model_validate(row)

    assert str(push.acc_fill_sz) == row["accFillSz"]
    assert push.to_wire()["fillSz"] == row["fillSz"]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("pong", messages.Pong()),
        ('{"event":"login","code":"0","msg":"","connId":"1"}', messages.LoggedIn()),
        ('{"event":"notice","code":"64008","msg":"soon"}', messages.ClosingSoon()),
        ('{"event":"notice","code":"1","msg":"else"}', None),
        ('{"event":"something new"}', None),
        (
            '{"event":"channel-conn-count-error","channel":"orders","connCount":"31"}',
            messages.TooManyConnections("orders"),
        ),
        (
            '{"event":"subscribe","arg":{"channel":"tickers","instId":"A-B"}}',
            messages.Acknowledged(Channel("tickers", "A-B")),
        ),
        (
            '{"event":"unsubscribe","arg":{"channel":"tickers","instId":"A-B"}}',
            messages.Acknowledged(Channel("tickers", "A-B"), ended=True),
        ),
        ('{"arg":{"channel":"orders","instType":"ANY","uid":"7"},"data":[]}', Push(Channel("orders", "", "ANY"), [])),
        (
            '{"arg":{"channel":"account","uid":"7"},"eventType":"snapshot","curPage":2,"lastPage":true,"data":[]}',
            Push(Channel("account"), [], event_type="snapshot", page=2),
        ),
        (
            '{"arg":{"channel":"account","uid":"7"},"eventType":"snapshot","curPage":1,"lastPage":false,"data":[]}',
            Push(Channel("account"), [], event_type="snapshot", is_last=False),
        ),
    ],
)
def test_a_message_says_what_it_says(text: str, read: Any) -> None:
    assert read_message(text) == read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ping",
        '{"arg":{"channel":"tickers","instId":"BTC-USDT"},"data":[{"instId":"BTC-',
        '{"arg":{"channel":"tickers"},"data":{}}',
        '{"arg":{"channel":7},"data":[]}',
        '{"arg":[],"data":[]}',
        '{"data":[]}',
        '{"event":"subscribe","arg":{}}',
        "[]",
        "7",
        "null",
        '"event"',
        "[" * 100_000,
        '{"arg":{"channel":"tickers"},"data":[' + "0," * 20_001 + "0]}",
    ],
)
def test_what_cannot_be_read_is_an_error_and_nothing_else(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_message(text)


@pytest.mark.parametrize(
    ("channel", "path"),
    [
        (Channel("tickers", "BTC-USDT"), StreamPath.PUBLIC),
        (Channel("books", "BTC-USDT"), StreamPath.PUBLIC),
        (Channel("funding-rate", "BTC-USDT-SWAP"), StreamPath.PUBLIC),
        (Channel("candle1m", "BTC-USDT"), StreamPath.BUSINESS),
        (Channel("mark-price-candle1D", "BTC-USDT"), StreamPath.BUSINESS),
        (Channel("trades-all", "BTC-USDT"), StreamPath.BUSINESS),
        (Channel("orders", inst_type="ANY"), StreamPath.PRIVATE),
        (Channel("account"), StreamPath.PRIVATE),
        (Channel("positions", inst_type="ANY"), StreamPath.PRIVATE),
    ],
)
def test_a_channel_knows_the_path_that_offers_it(channel: Channel, path: StreamPath) -> None:
    assert channel.path is path
