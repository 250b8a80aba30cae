"""Logging to standard error, with every secret taken out of every line, tracebacks included."""

import base64
import logging
import sys
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from okx_mcp.okx.signing import Credentials, Secret

__all__ = ["log_to_stderr"]

_REDACTED: Final = "[secret]"
_SHORTEST: Final = 4
"""A shorter text would be found in half of all lines; no OKX credential is that short."""


class _Redacting(logging.Formatter):
    def __init__(self, secrets: Iterable[Secret]) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")
        forms = {form for secret in secrets for form in _forms(secret.reveal()) if len(form) >= _SHORTEST}
        self._forms = sorted(forms, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        for form in self._forms:
            line = line.replace(form, _REDACTED)
        return line


def _forms(text: str) -> set[str]:
    """The ways in which a text turns up: as it is, quoted, in hex, in base64."""
    raw = text.encode()
    return {text, quote(text, safe=""), raw.hex(), base64.b64encode(raw).decode().rstrip("=")}


def log_to_stderr(credentials: Credentials | None) -> None:
    """Log warnings and worse, for the whole process, and nothing that anybody could sign with."""
    secrets = [] if credentials is None else [credentials.api_key, credentials.secret_key, credentials.passphrase]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Redacting(secrets))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
