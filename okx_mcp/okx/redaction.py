"""Taking secrets out of text: by their value in every form in which they turn up, and by the name before them."""

import base64
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus, unquote, urlsplit

from okx_mcp.okx.signing import Credentials

__all__ = ["Redaction", "without_named_secrets"]

_REDACTED: Final = "[secret]"
_PIECE: Final = 8
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
        self._secrets = [*(key.reveal() for key in keys), *_of_proxy(proxy)]
        forms = {form for secret in self._secrets for form in _forms(secret) if len(form) >= _SHORTEST}
        self._forms = sorted(forms, key=len, reverse=True)
        as_written = sorted(filter(lambda secret: len(secret) >= _SHORTEST, self._secrets), key=len, reverse=True)
        self._as_written = [
            re.compile("".join(map(_escaped_or_not, re.sub(" +", " ", secret)))) for secret in as_written
        ]

    def of(self, text: str) -> str:
        """The text without any of the secrets, and without what has the form of a signature."""
        for pattern in self._as_written:
            text = pattern.sub(_REDACTED, text)
        for form in self._forms:
            text = text.replace(form, _REDACTED)
        return _SIGNATURE.sub(_REDACTED, text)

    def thoroughly(self, text: str) -> str:
        """The same, and without pieces of a secret: whoever writes a log shortens what is long, in any place."""
        text = self.of(text)
        for secret in self._secrets:
            if any(piece in text for piece in _pieces(secret, _PIECE)):
                for length in range(len(secret) - 1, _PIECE - 1, -1):
                    for piece in _pieces(secret, length):
                        text = text.replace(piece, _REDACTED)
        return text


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
    """The text quoted for a URL, in hex, in base64."""
    raw = text.encode()
    for quoted in (quote(text, safe=""), quote(text), quote_plus(text)):
        yield from (quoted, re.sub("%..", lambda code: code[0].lower(), quoted))
    yield from (raw.hex(), raw.hex().upper())
    yield from (packed(raw).decode().rstrip("=") for packed in (base64.b64encode, base64.urlsafe_b64encode))


def _however_written(secret: str) -> re.Pattern[str]:
    """Finds it as text, code or JSON show it, one in the other as deep as you like, or cleaned."""
    return re.compile("".join(map(_escaped_or_not, re.sub(" +", " ", secret))))


def _escaped_or_not(character: str) -> str:
    match character:
        case "\\":
            return r"\\+"
        case '"' | "'":
            return r"\\*[\"']"
        case " ":
            return r"\s+"
        case _:
            return re.escape(character)


def _pieces(secret: str, length: int) -> Iterator[str]:
    return (secret[start : start + length] for start in range(len(secret) - length + 1))
