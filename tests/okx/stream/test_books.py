"""A book is the exchange's, or there is none."""

import json
import zlib
from collections.abc import Iterator
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okx_mcp.okx.models import BookLevel, OrderBook
from okx_mcp.okx.models.wire import plain
from okx_mcp.okx.stream.books import Book, OutOfStep

SESSIONS: Final = Path(__file__).resolve().parents[4] / "shared" / "okx" / "recorded" / "ws" / "_sessions"
RECORDED: Final = sorted(SESSIONS.glob("*.jsonl"))

ASKS: Final = [["101", "1", "0", "1"], ["102", "2", "0", "2"]]
BIDS: Final = [["100", "1", "0", "1"], ["99", "3", "0", "3"]]


def row(seq_id: object, before: object, asks: Any = (), bids: Any = ()) -> dict[str, Any]:
    return {"asks": list(asks), "bids": list(bids), "ts": "1", "checksum": 0, "seqId": seq_id, "prevSeqId": before}


def begun(seq_id: int = 10) -> Book:
    book = Book()
    book.apply("snapshot", row(seq_id, -1, ASKS, BIDS))
    return book


def told(book: Book) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    top = book.top()
    return [(str(px), str(sz)) for px, sz, *_ in top.asks], [(str(px), str(sz)) for px, sz, *_ in top.bids]


def crc32(book: OrderBook) -> int:
    """OKX's checksum until June 2026: 25 levels, bid and ask in turn, as a signed number."""

    def written(level: BookLevel | None) -> list[str]:
        return [plain(level.px), plain(level.sz)] if level else []

    pairs = zip_longest(book.bids[:25], book.asks[:25])
    text = ":".join(chain.from_iterable(written(bid) + written(ask) for bid, ask in pairs))
    unsigned = zlib.crc32(text.encode())
    return unsigned - (1 << 32) if unsigned >= 1 << 31 else unsigned


def recorded_rows(session: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Action and row of each message about the book, numbered as OKX has numbered them since."""
    number = 0
    for line in session.read_text("utf-8").splitlines():
        message = json.loads(line)["msg"]
        if message.get("arg", {}).get("channel") == "books" and "data" in message:
            before = -1 if message["action"] == "snapshot" else number
            number += 1
            yield message["action"], message["data"][0] | {"seqId": number, "prevSeqId": before}


@pytest.mark.skipif(not RECORDED, reason=f"no recorded sessions at {SESSIONS}")
@pytest.mark.parametrize("session", RECORDED, ids=lambda path: path.stem)
def test_a_recorded_session_gives_the_books_that_okx_had(session: Path) -> None:
    book, checked = Book(), 0

    for action, sent in recorded_rows(session):
        book.apply(action, sent)
        assert crc32(book.top()) == sent["checksum"]
        checked += 1

    assert checked > 90


@pytest.mark.skipif(not RECORDED, reason=f"no recorded sessions at {SESSIONS}")
@pytest.mark.parametrize("missing", [1, 7, 40])
def test_a_recorded_session_without_one_message_is_out_of_step(missing: int) -> None:
    book, rows = Book(), list(recorded_rows(RECORDED[0]))
    del rows[missing]

    for action, sent in rows[:missing]:
        book.apply(action, sent)
    with pytest.raises(OutOfStep, match="an update follows"):
        book.apply(*rows[missing])
    assert not book.is_complete


def test_what_follows_a_count_anew_that_was_missed_is_a_gap_and_not_something_sent_twice() -> None:
    book = begun()

    with pytest.raises(OutOfStep, match="the book is at 10, and an update follows 3"):
        book.apply("update", row(5, 3) | {"ts": "2"})
    assert not book.is_complete


def test_a_snapshot_and_what_changed_are_the_book() -> None:
    book = begun()

    book.apply("update", row(11, 10, [["101", "0", "0", "0"], ["101.5", "7", "0", "1"]], [["100", "4", "0", "2"]]))

    assert told(book) == ([("101.5", "7"), ("102", "2")], [("100", "4"), ("99", "3")])
    assert book.top(1).asks[0].px == book.top().asks[0].px
    assert book.top().seq_id == 11


@pytest.mark.parametrize(
    ("seq_id", "before", "why"),
    [
        (11, 10, "the next number"),
        (15, 10, "numbers may be left out, as long as each names the one before"),
        (10, 10, "a sign of life: nothing changed for a minute"),
        (3, 10, "OKX counts anew after maintenance"),
    ],
)
def test_an_update_is_taken_that_follows_what_is_known(seq_id: int, before: int, why: str) -> None:
    book = begun()

    assert book.apply("update", row(seq_id, before)), why
    assert book.top().seq_id == seq_id
    assert book.apply("update", row(seq_id + 1, seq_id, [["101", "9", "0", "1"]]))


@pytest.mark.parametrize(("seq_id", "before"), [(13, 12), (12, 11), (5, 12)])
def test_anything_else_is_a_gap_and_nothing_is_shown_until_the_next_snapshot(seq_id: int, before: int) -> None:
    book = begun()

    with pytest.raises(OutOfStep):
        book.apply("update", row(seq_id, before))

    assert not book.is_complete
    assert not book.apply("update", row(before + 1, before))
    assert book.apply("snapshot", row(20, -1, ASKS, BIDS))
    assert told(book)[0][0] == ("101", "1")


def test_an_update_that_is_sent_twice_is_left_out_the_second_time() -> None:
    book = begun()
    book.apply("update", row(11, 10, [["101", "5", "0", "1"]]))
    book.apply("update", row(12, 11, [["101", "6", "0", "1"]]))

    assert not book.apply("update", row(11, 10, [["101", "5", "0", "1"]]))
    assert told(book)[0][0] == ("101", "6")


def test_a_checksum_says_nothing() -> None:
    book = begun()

    assert book.apply("update", row(11, 10) | {"checksum": 12345})


@pytest.mark.parametrize(
    "broken",
    [
        row("11", 10),
        row(11, None),
        row(11, 10, [["101"]]),
        row(11, 10, [["NaN", "1", "0", "1"]]),
        {"asks": [], "bids": []},
        [],
        None,
    ],
)
def test_a_row_that_cannot_be_read_is_a_gap(broken: Any) -> None:
    book = begun()

    with pytest.raises(OutOfStep):
        book.apply("update", broken)


def test_a_book_does_not_grow_without_end() -> None:
    book = begun()

    with pytest.raises(OutOfStep, match="more levels"):
        book.apply("update", row(11, 10, [[str(1000 + level), "1", "0", "1"] for level in range(1_000)]))


levels = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 3)), max_size=8)


@given(st.lists(st.tuples(levels, levels), max_size=20))
def test_a_book_is_its_snapshot_with_every_change_in_order(changes: list[tuple[Any, Any]]) -> None:
    book, sides = Book(), ({}, {})  # type: tuple[Book, tuple[dict[int, int], dict[int, int]]]
    book.apply("snapshot", row(0, -1))

    for number, sent in enumerate(changes):
        written = [[[str(px), str(sz), "0", "1"] for px, sz in side] for side in sent]
        book.apply("update", row(number + 1, number, *written))
        for side, changed in zip(sides, sent, strict=True):
            side.update(changed)

    asks, bids = ({px: sz for px, sz in side.items() if sz} for side in sides)
    assert told(book)[0] == [(str(px), str(asks[px])) for px in sorted(asks)]
    assert told(book)[1] == [(str(px), str(bids[px])) for px in sorted(bids, reverse=True)]
