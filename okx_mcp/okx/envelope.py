"""From the bytes of an answer to its envelope: bounded in size, and judged by its shape before anything is believed."""

import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import httpx2

from okx_mcp.okx.errors import Answered
from okx_mcp.okx.foreign_text import cleaned
from okx_mcp.okx.redaction import Redaction

__all__ = ["ACCEPT_ENCODING", "Envelope", "TooLarge", "read_body", "read_envelope"]

ACCEPT_ENCODING: Final = "gzip"
"""The one encoding that is unpacked here, with a limit to what it may unpack into."""

_LARGEST: Final = 16 << 20
"""Bytes; OKX's longest lists take a few million."""
_MOST_ROWS: Final = 20_000
_CODE: Final = re.compile(r"[0-9]{1,6}", re.ASCII)
_TRACE_HEADERS: Final = ("x-trace-id", "x-request-id", "traceid", "cf-ray")
_EVERY_ROW_FAILED, _SOME_ROWS_FAILED = "1", "2"


class TooLarge(Exception):
    """An answer longer than any of OKX's, or packed in a way that was not asked for."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """The envelope of an answer that could be read, and its rows."""

    answered: Answered
    rows: Sequence[Any]

    @property
    def speaks_in_rows(self) -> bool:
        """Whether the rows are the result: code 0, or 1 and 2 where each of them has its own sCode."""
        if self.answered.code in (_EVERY_ROW_FAILED, _SOME_ROWS_FAILED):
            return bool(self.rows) and all(isinstance(row, dict) and "sCode" in row for row in self.rows)
        return self.answered.code == "0"


async def read_body(response: httpx2.Response) -> bytes:
    """The whole body of a streamed answer.

    Raises:
        TooLarge: it is longer than any answer needs to be, as sent or unpacked.
    """
    if response.is_stream_consumed:  # a transport without a wire hands it over whole
        return response.content
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > _LARGEST:
            raise TooLarge
    packing = response.headers.get("content-encoding", "identity").lower()
    if packing == "identity":
        return bytes(body)
    if packing != ACCEPT_ENCODING:
        raise TooLarge
    try:
        unpacked = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(bytes(body), _LARGEST + 1)
    except zlib.error:
        return b""
    if len(unpacked) > _LARGEST:
        raise TooLarge
    return unpacked


def read_envelope(
    response: httpx2.Response, body: bytes, redaction: Redaction, *, one_object: bool = False
) -> Envelope | Answered:
    """OKX's envelope, whatever the status; where there is none, only what the status line says.

    Its words are redacted before they are shortened: half a secret would not be known again. With `one_object` the data
    may be an object in place of a list, and is the one row.
    """
    trace_id = next((response.headers[name] for name in _TRACE_HEADERS if name in response.headers), None)
    trace_id = cleaned(redaction.of(trace_id)) if trace_id else None
    nothing = Answered("", "", response.status_code, trace_id)
    try:
        envelope = json.loads(body, parse_float=Decimal)
        code, message, rows = envelope["code"], envelope.get("msg"), envelope.get("data")
    except (ValueError, ArithmeticError, KeyError, TypeError, AttributeError, RecursionError):
        return nothing
    if one_object and isinstance(rows, dict):
        rows = [rows]
    if code != "0" and not isinstance(rows, list):  # a gateway refuses without data
        rows = []
    if not isinstance(code, str) or not _CODE.fullmatch(code) or not isinstance(rows, list) or len(rows) > _MOST_ROWS:
        return nothing
    for row in rows:
        if isinstance(row, dict) and isinstance(row.get("sMsg"), str):
            row["sMsg"] = redaction.of(row["sMsg"])
    words = cleaned(redaction.of(message)) if isinstance(message, str) else ""
    return Envelope(Answered(code, words, response.status_code, trace_id), rows)
