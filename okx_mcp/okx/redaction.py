"""Taking secrets out of text: by their value in every form in which they turn up, and by the name before them."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus, unquote, urlsplit

from okx_mcp.okx.foreign_text import cleaned
from okx_mcp.okx.signing import Credentials

__all__ = ["Redaction", "without_named_secrets"]

_REDACTED: Final = "[secret]"
_SHORTEST: Final = 4
"""A shorter text would be found in half of all lines; no OKX credential is that short."""

# Base64 of 32 bytes, also in a URL: every signature of ours. It is different each time, so only its form is known.
_SIGNATURE: Final = re.compile(r"(?<![\w+/-])(?:[\w+/-]|%2[BF]){43}(?:=|%3D)(?![\w+/=-])", re.ASCII | re.IGNORECASE)

_NAMED: Final = re.compile(
    r"""
    (?P<name>
        ok-access-(?:key|sign|passphrase) | (?:proxy-)?authorization | (?:set-)?cookie
        | (?:okx_)?api_?key | (?:okx_)?(?:api_?)?secret(?:_?key)? | (?:okx_)?passphrase | password | signature
    )
    (?P<between> ["']? \s* [:=] \s* | ["'] \s* , \s* (?=b?["']) )
    (?: b?"(?:\\.|[^"\\])*" | b?'(?:\\.|[^'\\])*' | (?:(?:basic|bearer)\s+)? [^\s,;&"'\])}]+ )
    """,
    re.IGNORECASE | re.VERBOSE,
)


class Redaction:
    """Knows the secrets of these credentials and of this proxy's address, and takes them out of a text."""

    def __init__(self, credentials: Credentials | None, proxy: str | None = None) -> None:
        keys = () if credentials is None else (credentials.api_key, credentials.secret_key, credentials.passphrase)
        secrets = [*(key.reveal() for key in keys), *_of_proxy(proxy)]
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= _SHORTEST}
        self._forms = sorted(forms, key=len, reverse=True)

    def of(self, text: str) -> str:
        """The text without any of the secrets, and without what has the form of a signature."""
        for form in self._forms:
            text = text.replace(form, _REDACTED)
        return _SIGNATURE.sub(_REDACTED, text)


def without_named_secrets(text: str) -> str:
    """The text without what stands behind the name of a secret: a header, a setting, a field."""
    return _NAMED.sub(rf"\g<name>\g<between>{_REDACTED}", text)


def _of_proxy(address: str | None) -> Iterator[str]:
    if address is None:
        return
    parts = urlsplit(address)
    if parts.password:
        yield parts.netloc.rpartition("@")[0]
        yield unquote(parts.password)
        yield f"{unquote(parts.username or '')}:{unquote(parts.password)}"  # in base64 it is Proxy-Authorization


def _forms(text: str) -> Iterator[str]:
    """The text as it is, as code and JSON show it, cleaned, quoted, in hex, in base64."""
    raw = text.encode()
    in_json = json.dumps(text)[1:-1]
    yield from (
        text,
        in_json,
        json.dumps(in_json)[1:-1],
        repr(text)[1:-1],
        cleaned(text),
        cleaned(text).replace('"', "'"),
    )
    for quoted in (quote(text, safe=""), quote(text), quote_plus(text)):
        yield from (quoted, re.sub("%..", lambda code: code[0].lower(), quoted))
    yield from (raw.hex(), raw.hex().upper())
    yield from (packed(raw).decode().rstrip("=") for packed in (base64.b64encode, base64.urlsafe_b64encode))
