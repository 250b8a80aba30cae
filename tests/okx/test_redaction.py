"""A secret is taken out of a text in whatever form it got there, and nothing else is."""

import base64
import json
from typing import Final
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okx_mcp.okx.foreign_text import quoted
from okx_mcp.okx.redaction import Redaction, without_named_secrets
from okx_mcp.okx.signing import Credentials, Secret, rest_headers, rest_timestamp

KEY: Final = "3f0c2b7e-9a41-4d55-8c1e-0f5a6b7c8d9e"
SECRET: Final = "9F8E7D6C5B4A39281706F5E4D3C2B1A0"
PROXY: Final = "http://user:p%40ss-of-proxy@proxy.example:3128"

FORMS: Final = [
    str,
    lambda secret: json.dumps(secret)[1:-1],
    lambda secret: json.dumps({"msg": secret}),
    lambda secret: json.dumps(json.dumps({"msg": secret})),
    repr,
    lambda secret: repr(secret.encode()),
    quote,
    quote_plus,
    lambda secret: quote(secret, safe="").lower() if secret.isdigit() else quote(secret, safe=""),
    lambda secret: secret.encode().hex(),
    lambda secret: secret.encode().hex().upper(),
    lambda secret: base64.b64encode(secret.encode()).decode(),
    lambda secret: base64.b64encode(secret.encode()).decode().rstrip("="),
    lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
    quoted,
]
"""Ways in which a text turns up elsewhere."""

passphrases = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=8, max_size=32).filter(
    lambda text: text == text.strip() and text != "[secret]"  # which stands where a secret was
)


@given(passphrase=passphrases, form=st.sampled_from(FORMS))
def test_no_form_of_a_secret_is_left(passphrase: str, form: "type[str]") -> None:
    redaction = Redaction(Credentials(Secret(KEY), Secret(SECRET), Secret(passphrase)))

    for secret in (KEY, SECRET, passphrase):
        left = redaction.of(f"before <{form(secret)}> after")

        assert form(secret).strip("\"'=") not in left
        assert left.startswith("before <")
        assert left.endswith("> after")


@pytest.mark.parametrize(
    "form",
    ["p@ss-of-proxy", "p%40ss-of-proxy", base64.b64encode(b"user:p@ss-of-proxy").decode(), PROXY, "user:p@ss-of-proxy"],
)
def test_a_proxys_password_is_a_secret(form: str) -> None:
    left = Redaction(None, PROXY).of(f"no connection through {form}.")

    assert "ss-of-proxy" not in left
    assert form not in left


def test_a_proxy_without_a_password_is_none() -> None:
    text = "no connection through http://proxy.example:3128"

    assert Redaction(None, "http://proxy.example:3128").of(text) == text


@given(body=st.binary(max_size=50))
def test_a_signature_is_known_by_its_form_as_each_is_different(body: bytes) -> None:
    credentials = Credentials(Secret(KEY), Secret(SECRET), Secret("passphrase"))
    signature = rest_headers(credentials, rest_timestamp(0), "POST", "/api/v5/trade/order", body)["OK-ACCESS-SIGN"]

    for form in (signature, quote(signature, safe="")):
        assert Redaction(None).of(f"sign={form}&x") == "sign=[secret]&x"


@pytest.mark.parametrize(
    "text",
    [
        "The order was not sent.",
        "3f0c2b7e-9a41-4d55-8c1e-0f5a6b7c8d90",
        "a" * 64,
        "A" * 44 + "=",
        "https://openapi.okx.com/api/v5/public/instruments?instType=SPOT&instId=BTC-USDT-SWAP-LONGER-NAME=1",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redaction(Credentials(Secret(KEY), Secret(SECRET), Secret("pass phrase"))).of(text) == text


NAMED: Final = [
    "OK-ACCESS-KEY: unknown-1",
    "ok-access-sign=unknown-1",
    "{'OK-ACCESS-PASSPHRASE': 'unknown-1 with blanks'}",
    '{"secretKey":"unknown-1 \\" still"}',
    "(b'OK-ACCESS-KEY', b'unknown-1')",
    "('ok-access-passphrase', 'unknown-1')",
    "secret_key=unknown-1",
    "OKX_SECRET_KEY=unknown-1",
    "apiKey = unknown-1",
    "passphrase: 'unknown-1'",
    "Authorization: Bearer unknown-1",
    "proxy-authorization: Basic unknown-1",
    "Set-Cookie: session=unknown-1",
    "password=unknown-1&next=2",
]


@pytest.mark.parametrize("text", NAMED)
def test_what_stands_behind_the_name_of_a_secret_is_taken_out_though_nobody_knows_it(text: str) -> None:
    left = without_named_secrets(text)

    assert "unknown-1" not in left
    assert "[secret]" in left


@pytest.mark.parametrize(
    "text",
    ["The passphrase is wrong.", "Correct OKX_PASSPHRASE; if it is lost, make a new key.", "a key, a secret, a price"],
)
def test_a_name_alone_is_no_secret(text: str) -> None:
    assert without_named_secrets(text) == text
