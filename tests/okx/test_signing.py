import copy
import dataclasses
import json
import pickle
import traceback

import pytest

from okx_mcp.okx.signing import (
    Credentials,
    Secret,
    login_prehash,
    rest_headers,
    rest_prehash,
    rest_timestamp,
    sign,
)

# Recomputed from the documented rule; the first is asserted in several public test suites too.
_NAUTILUS = "chNOOS4KvNXR_Xq4k4c9qsfoKWvnDecLATCRlcBwyKDYnWgO"
_DOCS = "22582BD0CFF14C41EDBF1AB98506286D"
_MOMENT = "2020-12-08T09:08:57.715Z"
_ORDER = b'{"instId":"BTC-USD-200925","tdMode":"isolated","side":"buy","ordType":"limit","px":"432.11","sz":"2"}'
_LEVERAGE = b'{"instId":"BTC-USDT","lever":"5","mgnMode":"isolated"}'

_SHOWN_NOWHERE = "s3cret-never-shown"


@pytest.mark.parametrize(
    ("secret", "timestamp", "method", "path", "body", "signature"),
    [
        (_NAUTILUS, _MOMENT, "GET", "/api/v5/account/balance", b"", "PJ61e1nb2F2Qd7D8SPiaIcx2gjdELc+o0ygzre9z33k="),
        (
            _NAUTILUS,
            _MOMENT,
            "GET",
            "/api/v5/account/balance?ccy=BTC",
            b"",
            "ebNz0sDoc3LoFm1hqjP8LDT0fnRlDERj5C+I4ZqB4Cw=",
        ),
        (_NAUTILUS, _MOMENT, "POST", "/api/v5/trade/order", _ORDER, "nEpHMx6gZYYjWVfzXtwccJAPmWrrmDHvV4cNsi10d6o="),
        (_DOCS, _MOMENT, "GET", "/api/v5/account/balance?ccy=BTC", b"", "HiZhvSfMtWJA3uUIVXV3a/bSXNPCWvYFXoGCVS8V4zY="),
        (
            _DOCS,
            _MOMENT,
            "POST",
            "/api/v5/account/set-leverage",
            _LEVERAGE,
            "eCnnCgWLjlQ9XnpUkrcny3qNq3WW/81KNrDr/XR6Xv8=",
        ),
        (
            "testSecretKey",
            "1970-01-01T00:16:40.000Z",
            "GET",
            "/api/endpoint?ordId=123&instId=BTC-USDT",
            b"",
            "OgD8AgLooULyrfBkOlmPjj8fcNHPoI+QoorXtCEgpuA=",
        ),
    ],
)
def test_a_rest_request_is_signed_as_in_the_vectors(
    secret: str, timestamp: str, method: str, path: str, body: bytes, signature: str
) -> None:
    assert sign(Secret(secret), rest_prehash(timestamp, method, path, body)) == signature


@pytest.mark.parametrize(
    ("secret", "signature"),
    [
        (_NAUTILUS, "ENpPNQ8mQv8YzDMPhBsB4SrjaKK+FaEh2nozTRW6KU0="),
        (_DOCS, "+LdIr8lkkvhr5hoA3g9TMC0+uQJ849ftAcocA/ouu4M="),
    ],
)
def test_a_websocket_login_is_signed_as_in_the_vectors(secret: str, signature: str) -> None:
    assert sign(Secret(secret), login_prehash("1538054050")) == signature


def test_the_method_is_signed_in_capitals_however_it_is_written() -> None:
    assert rest_prehash("T", "post", "/p", b"{}") == b"TPOST/p{}"


@pytest.mark.parametrize(
    ("unix_ms", "written"),
    [
        (1_607_418_537_715, "2020-12-08T09:08:57.715Z"),
        (0, "1970-01-01T00:00:00.000Z"),
        (1_000_000, "1970-01-01T00:16:40.000Z"),
        (1_751_000_000_007, "2025-06-27T04:53:20.007Z"),
        (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
    ],
)
def test_a_timestamp_is_iso_8601_in_utc_with_three_digits_of_milliseconds(unix_ms: int, written: str) -> None:
    assert rest_timestamp(unix_ms) == written


def test_a_private_request_carries_the_four_headers_and_the_secret_in_none_of_them() -> None:
    credentials = Credentials(Secret("the-key"), Secret("the-secret"), Secret("the-passphrase"))

    headers = rest_headers(credentials, _MOMENT, "GET", "/api/v5/account/balance", b"")

    assert headers == {
        "OK-ACCESS-KEY": "the-key",
        "OK-ACCESS-SIGN": sign(Secret("the-secret"), f"{_MOMENT}GET/api/v5/account/balance".encode()),
        "OK-ACCESS-TIMESTAMP": _MOMENT,
        "OK-ACCESS-PASSPHRASE": "the-passphrase",
    }
    assert not any("the-secret" in value for value in headers.values())


@pytest.fixture
def secret() -> Secret:
    return Secret(_SHOWN_NOWHERE)


@pytest.fixture
def credentials() -> Credentials:
    return Credentials(*(Secret(f"{_SHOWN_NOWHERE}-{part}") for part in ("key", "secret", "passphrase")))


def test_a_secret_is_told_only_on_being_asked(secret: Secret) -> None:
    assert secret.reveal() == _SHOWN_NOWHERE


def test_a_secret_shows_in_no_form_of_text(secret: Secret, credentials: Credentials) -> None:
    shown = [
        written
        for each in (secret, credentials, [secret], {"key": credentials}, (secret,))
        for written in (repr(each), str(each), f"{each}", f"{each!s:>40}", "%s %r" % (each, each), ascii(each))  # noqa: UP031
    ]

    assert not any(_SHOWN_NOWHERE in each for each in shown)


@pytest.mark.parametrize(
    "write_down",
    [
        pickle.dumps,
        lambda value: pickle.dumps(value, protocol=0),
        lambda value: pickle.dumps([value]),
        json.dumps,
        copy.copy,
        copy.deepcopy,
        dict,
        vars,
        iter,
        bytes,
        hash,
    ],
)
def test_a_secret_is_written_down_nowhere(secret: Secret, write_down: object) -> None:
    assert callable(write_down)

    with pytest.raises(TypeError) as refused:
        write_down(secret)

    assert _SHOWN_NOWHERE not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize("write_down", [dataclasses.asdict, dataclasses.astuple, pickle.dumps, copy.deepcopy])
def test_credentials_are_written_down_nowhere(credentials: Credentials, write_down: object) -> None:
    assert callable(write_down)

    with pytest.raises(TypeError) as refused:
        write_down(credentials)

    assert _SHOWN_NOWHERE not in "".join(traceback.format_exception(refused.value))


def test_a_traceback_that_lists_local_variables_shows_no_secret(credentials: Credentials) -> None:
    def sign_in(credentials: Credentials) -> None:
        raise RuntimeError(f"{credentials} did not fit")

    with pytest.raises(RuntimeError) as raised:
        sign_in(credentials)

    trace = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    assert _SHOWN_NOWHERE not in "".join(trace.format())


def test_secrets_are_equal_by_their_text(secret: Secret) -> None:
    assert secret == Secret(_SHOWN_NOWHERE)
    assert secret != Secret("another")
    assert secret != _SHOWN_NOWHERE


def test_a_fingerprint_tells_keys_apart_and_nothing_of_them(credentials: Credentials) -> None:
    other = dataclasses.replace(credentials, api_key=Secret("another-key"))
    same_key = dataclasses.replace(credentials, secret_key=Secret("another-secret"))

    assert len(credentials.fingerprint) == 12
    assert int(credentials.fingerprint, 16) >= 0
    assert credentials.fingerprint != other.fingerprint
    assert credentials.fingerprint == same_key.fingerprint
