"""Taking secrets out of text, in every form in which they turn up."""

import base64
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from okx_mcp.okx.signing import Credentials

__all__ = ["Redaction"]

_REDACTED: Final = "[secret]"
_SHORTEST: Final = 4
"""A shorter text would be found in half of all lines; no OKX credential is that short."""


class Redaction:
    """Knows the secrets of these credentials and takes them out of a text."""

    def __init__(self, credentials: Credentials | None) -> None:
        secrets = () if credentials is None else (credentials.api_key, credentials.secret_key, credentials.passphrase)
        forms = {form for secret in secrets for form in _forms(secret.reveal()) if len(form) >= _SHORTEST}
        self._forms = sorted(forms, key=len, reverse=True)

    def of(self, text: str) -> str:
        """The text without any of the secrets."""
        for form in self._forms:
            text = text.replace(form, _REDACTED)
        return text


def _forms(text: str) -> Iterator[str]:
    """The text as it is, quoted, in hex, in base64."""
    raw = text.encode()
    yield from (text, quote(text, safe=""), raw.hex(), raw.hex().upper(), base64.b64encode(raw).decode().rstrip("="))
