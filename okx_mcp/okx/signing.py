"""Who we are to OKX: credentials, and the signature that proves them on every private request.

Both sides of the wire use this module: the client signs with it, the paper exchange checks with it.
Rules: OKX v5, overview, "REST authentication" and "WebSocket login".
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

__all__ = [
    "TIMESTAMP_VALID_S",
    "Credentials",
    "Secret",
    "login_prehash",
    "rest_headers",
    "rest_prehash",
    "rest_timestamp",
    "sign",
]

TIMESTAMP_VALID_S: Final = 30
"""OKX refuses a request whose timestamp is further than this from its own clock (50102)."""


class Secret:
    """Text that no repr, log line, traceback or pickle shows; `reveal()` is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    __hash__ = None  # type: ignore[assignment]  # a hash of a short secret would be a hint at it

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not written anywhere")


@dataclass(frozen=True, slots=True)
class Credentials:
    """An OKX API key with its secret and passphrase. All three are kept out of every repr."""

    api_key: Secret
    secret_key: Secret
    passphrase: Secret

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that tell one key from another and reveal none of it."""
        return hashlib.sha256(b"okx-mcp key " + self.api_key.reveal().encode()).hexdigest()[:12]


def rest_timestamp(unix_ms: int) -> str:
    """ISO 8601 in UTC with milliseconds and `Z`, as OK-ACCESS-TIMESTAMP wants it."""
    moment = datetime.fromtimestamp(unix_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{unix_ms % 1000:03d}Z"


def rest_prehash(timestamp: str, method: str, request_path: str, body: bytes) -> bytes:
    """The bytes that are signed: `request_path` with its query and `body`, both exactly as sent."""
    return f"{timestamp}{method.upper()}{request_path}".encode() + body


def login_prehash(unix_s: str) -> bytes:
    """The bytes that are signed to log in on a WebSocket; `unix_s` are Unix seconds, not ISO 8601."""
    return f"{unix_s}GET/users/self/verify".encode()


def sign(secret_key: Secret, prehash: bytes) -> str:
    """Base64 of HMAC-SHA256."""
    digest = hmac.new(secret_key.reveal().encode(), prehash, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def rest_headers(
    credentials: Credentials, timestamp: str, method: str, request_path: str, body: bytes
) -> dict[str, str]:
    """The four headers of a private request. Neither the host nor the demo header nor expTime is signed."""
    return {
        "OK-ACCESS-KEY": credentials.api_key.reveal(),
        "OK-ACCESS-SIGN": sign(credentials.secret_key, rest_prehash(timestamp, method, request_path, body)),
        "OK-ACCESS-TIMESTAMP": timestamp,
        "OK-ACCESS-PASSPHRASE": credentials.passphrase.reveal(),
    }
