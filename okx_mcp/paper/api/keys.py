"""API keys of the paper exchange, and the check that a private request is signed by one of them.

Every refusal that OKX documents for a request's headers is made here, with its code.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import shake_256
from hmac import compare_digest
from ipaddress import ip_address, ip_network
from typing import Final

from okx_mcp.okx.catalog import Permission
from okx_mcp.okx.signing import TIMESTAMP_VALID_S, Credentials, Secret, rest_prehash, sign
from okx_mcp.paper.refusals import RequestRefused

__all__ = ["PaperKey", "SignedRequest", "authenticate", "owner_key"]

_KEY: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z\Z", re.ASCII)

_HEADERS: Final = (
    ("ok-access-key", "50103", "OK-ACCESS-KEY"),
    ("ok-access-sign", "50106", "OK-ACCESS-SIGN"),
    ("ok-access-timestamp", "50107", "OK-ACCESS-TIMESTAMP"),
    ("ok-access-passphrase", "50104", "OK-ACCESS-PASSPHRASE"),
)


@dataclass(frozen=True, slots=True)
class PaperKey:
    """A registered key. `ips` are addresses or networks it is bound to; none means any.

    A key of another site, or a live one, is known only so that using it here can be refused as OKX does.
    """

    credentials: Credentials
    permissions: frozenset[str] = frozenset({"read_only", "trade"})
    ips: tuple[str, ...] = ()
    live: bool = False
    site: str = "global"
    label: str = "paper"

    @property
    def perm(self) -> str:
        """As account/config shows it."""
        return ",".join(name for name in ("read_only", "withdraw", "trade") if name in self.permissions)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a signature covers, as it arrived, and the headers around it (names in lower case)."""

    method: str
    target: str
    body: bytes
    headers: Mapping[str, str]
    client_ip: str


def owner_key(seed: int) -> PaperKey:
    """The key of a paper account: the same for a seed every time, as it protects nothing but play money."""
    digest = shake_256(f"okx-mcp paper key {seed}".encode()).hexdigest(32)
    api_key = "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))
    secret = digest[32:].upper()
    return PaperKey(Credentials(Secret(api_key), Secret(secret), Secret("paper-trading")))


def authenticate(
    request: SignedRequest, keys: Sequence[PaperKey], site: str, now_us: int, permission: Permission
) -> PaperKey:
    """The key that signed a request and may make it."""
    for header, code, name in _HEADERS:
        if not request.headers.get(header):
            raise _rejected(code, f"Request header {name} can not be empty.")
    _check_timestamp(request.headers["ok-access-timestamp"], now_us)
    key = _registered(request.headers["ok-access-key"], keys)
    if key.site != site:
        raise _unknown_key()
    if key.live or request.headers.get("x-simulated-trading") != "1":
        raise _rejected("50101", "APIKey does not match current environment.")
    if not _allows(key.ips, request.client_ip):
        raise _rejected("50110", f"Your IP {request.client_ip} is not included in your API key's IP whitelist.")
    if not _same(request.headers["ok-access-passphrase"], key.credentials.passphrase.reveal()):
        raise _rejected("50105", "Request header OK-ACCESS-PASSPHRASE incorrect.")
    if not _same(request.headers["ok-access-sign"], _signature(request, key)):
        raise _rejected("50113", "Invalid Sign")
    if permission.value not in key.permissions:
        raise RequestRefused("50120", f"This API key doesn't have the {permission.value} permission.")
    return key


def _check_timestamp(text: str, now_us: int) -> None:
    if not _TIMESTAMP.match(text):
        raise _rejected("50112", "Invalid OK-ACCESS-TIMESTAMP")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _rejected("50112", "Invalid OK-ACCESS-TIMESTAMP") from None
    since_epoch = moment - datetime(1970, 1, 1, tzinfo=UTC)
    age_us = now_us - (since_epoch.days * 86_400 + since_epoch.seconds) * 1_000_000 - since_epoch.microseconds
    if abs(age_us) > TIMESTAMP_VALID_S * 1_000_000:
        raise _rejected("50102", "Timestamp request expired")


def _registered(api_key: str, keys: Sequence[PaperKey]) -> PaperKey:
    """The registered key: 50111 for what is no key at all, 50119 for one that is not known here."""
    for key in keys:
        if _same(api_key, key.credentials.api_key.reveal()):
            return key
    if _KEY.match(api_key):
        raise _unknown_key()
    raise _rejected("50111", "Invalid OK-ACCESS-KEY")


def _signature(request: SignedRequest, key: PaperKey) -> str:
    prehash = rest_prehash(request.headers["ok-access-timestamp"], request.method, request.target, request.body)
    return sign(key.credentials.secret_key, prehash)


def _allows(ips: Sequence[str], client_ip: str) -> bool:
    if not ips:
        return True
    try:
        address = ip_address(client_ip)
    except ValueError:
        return False
    return any(address in ip_network(allowed, strict=False) for allowed in ips)


def _same(given: str, expected: str) -> bool:
    return compare_digest(given.encode(), expected.encode())


def _unknown_key() -> RequestRefused:
    return _rejected("50119", "API key doesn't exist")


def _rejected(code: str, message: str) -> RequestRefused:
    """Refused at the gateway, so without `data`."""
    return RequestRefused(code, message, bare=True)
