"""The check of a WebSocket login: its own codes for what REST says with others. Rules: OKX v5, "WebSocket login"."""

import re
from collections.abc import Mapping, Sequence
from hmac import compare_digest
from typing import Final

from okx_mcp.okx.signing import TIMESTAMP_VALID_S, login_prehash, sign
from okx_mcp.paper.api.keys import PaperKey
from okx_mcp.paper.refusals import RequestRefused

__all__ = ["logged_in"]

_UNIX_S: Final = re.compile(r"[0-9]{10}(\.[0-9]{1,6})?", re.ASCII)


def logged_in(login: Mapping[str, object], keys: Sequence[PaperKey], site: str, now_us: int) -> PaperKey:
    """The key that logs in.

    Raises:
        RequestRefused: with 60004, 60005, 60006, 60007, 60024 or 60032.
    """
    given = {name: str(login.get(name) or "") for name in ("apiKey", "passphrase", "timestamp", "sign")}
    if not given["apiKey"]:
        raise RequestRefused("60005", "Invalid apiKey")
    if not _UNIX_S.fullmatch(given["timestamp"]):
        raise RequestRefused("60004", "Invalid timestamp")
    if abs(now_us // 1_000_000 - int(given["timestamp"].partition(".")[0])) > TIMESTAMP_VALID_S:
        raise RequestRefused("60006", "Timestamp request expired")
    key = next((key for key in keys if _same(given["apiKey"], key.credentials.api_key.reveal())), None)
    if key is None or key.live or key.site != site:
        raise RequestRefused("60032", "API key doesn't exist")
    if not _same(given["passphrase"], key.credentials.passphrase.reveal()):
        raise RequestRefused("60024", "Wrong passphrase")
    if not _same(given["sign"], sign(key.credentials.secret_key, login_prehash(given["timestamp"]))):
        raise RequestRefused("60007", "Invalid sign")
    return key


def _same(given: str, expected: str) -> bool:
    return compare_digest(given.encode(), expected.encode())
