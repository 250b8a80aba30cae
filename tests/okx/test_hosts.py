import pytest
from hypothesis import given
from hypothesis import strategies as st

from okx_mcp.okx.hosts import REST_URLS, Site, checked_base_url, is_loopback, stream_url

ACCEPTED = [
    ("https://openapi.okx.com", "https://openapi.okx.com"),
    ("https://www.okx.com", "https://www.okx.com"),
    ("https://eea.okx.com", "https://eea.okx.com"),
    ("https://us.okx.com", "https://us.okx.com"),
    ("https://app.okx.com", "https://app.okx.com"),
    ("https://www.okx.com/", "https://www.okx.com"),
    ("https://www.okx.com:443", "https://www.okx.com"),
    ("HTTPS://WWW.OKX.COM", "https://www.okx.com"),
    ("http://127.0.0.1:8787", "http://127.0.0.1:8787"),
    ("http://127.0.0.1", "http://127.0.0.1:80"),
    ("http://127.0.0.1:8787/", "http://127.0.0.1:8787"),
    ("http://localhost:8787", "http://localhost:8787"),
    ("http://LocalHost:8787", "http://localhost:8787"),
    ("http://[::1]:8787", "http://[::1]:8787"),
    ("http://[::1]", "http://[::1]:80"),
    ("http://127.0.0.1:65535", "http://127.0.0.1:65535"),
]

REFUSED = [
    # another scheme
    "http://www.okx.com",
    "http://www.okx.com:443",
    "https://127.0.0.1:8787",
    "https://localhost",
    "https://[::1]:8787",
    "ws://127.0.0.1:8787",
    "wss://www.okx.com",
    "ftp://www.okx.com",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "www.okx.com",
    "//www.okx.com",
    "https:www.okx.com",
    "https:/www.okx.com",
    "https:///www.okx.com",
    "",
    # another port of OKX's
    "https://www.okx.com:8443",
    "https://www.okx.com:80",
    "https://www.okx.com:0",
    # who it is said to be, and who it is
    "https://okx.com",
    "https://okx.com.evil.example",
    "https://www.okx.com.evil.example",
    "https://evil.example/www.okx.com",
    "https://evil.example#www.okx.com",
    "https://evil.example?www.okx.com",
    "https://wwwXokx.com",
    "https://www-okx.com",
    "https://notwww.okx.com",
    "https://x.www.okx.com",
    "https://tr.okx.com",
    "https://aws.okx.com",
    "https://www.okx.co",
    "https://www.okx.com.",
    "https://.www.okx.com",
    "https://www..okx.com",
    "https://xn--okx-something.com",
    "https://www.оkx.com",  # noqa: RUF001  a Cyrillic o
    "https://www.o\N{KELVIN SIGN}x.com",
    "https://www\N{IDEOGRAPHIC FULL STOP}okx\N{IDEOGRAPHIC FULL STOP}com",
    "https://\N{FULLWIDTH LATIN SMALL LETTER W}ww.okx.com",
    "https://www%2Eokx%2Ecom",
    # somebody's name and password
    "https://www.okx.com@evil.example",
    "https://user@www.okx.com",
    "https://user:password@www.okx.com",
    "https://@www.okx.com",
    "https://:@www.okx.com",
    "http://user@127.0.0.1:8787",
    "https://evil.example\\@www.okx.com",
    "https://www.okx.com\\@evil.example",
    "https://www.okx.com\\.evil.example",
    "https:\\\\www.okx.com",
    # more than an address
    "https://www.okx.com/api/v5",
    "https://www.okx.com//",
    "https://www.okx.com/;x",
    "https://www.okx.com/..",
    "https://www.okx.com?x=1",
    "https://www.okx.com/?x=1",
    "https://www.okx.com#x",
    "http://127.0.0.1:8787/api",
    # white space and control characters
    " https://www.okx.com",
    "https://www.okx.com ",
    "https://www.okx.com\n",
    "https://www.okx.com\r\nHost: evil.example",
    "https://www.ok\tx.com",
    "ht\ntps://www.okx.com",
    "https://www.okx.com\x00",
    "https://www.okx.com\x00.evil.example",
    "https://www .okx.com",
    # this machine, nearly
    "http://127.0.0.2:8787",
    "http://127.1:8787",
    "http://0.0.0.0:8787",
    "http://0:8787",
    "http://2130706433:8787",
    "http://0x7f000001:8787",
    "http://0x7f.0.0.1:8787",
    "http://0177.0.0.1:8787",
    "http://017700000001:8787",
    "http://127.0.0.1.:8787",
    "http://127.0.0.1.evil.example:8787",
    "http://localhost.:8787",
    "http://localhost.localdomain:8787",
    "http://localhost.evil.example",
    "http://[::]:8787",
    "http://[::ffff:127.0.0.1]:8787",
    "http://[::1%25lo]:8787",
    "http://[::1%lo]:8787",
    "http://[fe80::1]:8787",
    "http://::1:8787",
    "http://10.0.0.1:8787",
    "http://192.168.0.1",
    "http://169.254.169.254",
    # broken
    "http://127.0.0.1:0",
    "http://127.0.0.1:65536",
    "http://127.0.0.1:-1",
    "http://127.0.0.1:+80",
    "http://127.0.0.1: 80",
    "http://127.0.0.1:8_0",
    "http://127.0.0.1:\N{FULLWIDTH DIGIT EIGHT}0",
    "http://127.0.0.1:http",
    "http://[::1:8787",
    "http://::1]:8787",
    "http://",
    "https://:443",
]


@pytest.mark.parametrize(("url", "address"), ACCEPTED)
def test_an_address_of_okx_or_of_this_machine_is_taken_as_scheme_host_and_port(url: str, address: str) -> None:
    assert checked_base_url(url) == address


@pytest.mark.parametrize("url", REFUSED)
def test_any_other_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"address|allowed"):
        checked_base_url(url)


@given(
    prefix=st.text(max_size=6),
    scheme=st.sampled_from(["http", "https", "HTTPS", "ws"]),
    who=st.sampled_from(["", "a@", "a:b@", "127.0.0.1@", "www.okx.com@"]),
    host=st.sampled_from(["www.okx.com", "openapi.okx.com", "127.0.0.1", "localhost", "[::1]", "evil.example"]),
    tail=st.text(max_size=8),
)
def test_whatever_is_written_leads_to_a_listed_host_or_nowhere(
    prefix: str, scheme: str, who: str, host: str, tail: str
) -> None:
    try:
        address = checked_base_url(f"{prefix}{scheme}://{who}{host}{tail}")
    except ValueError:
        return

    scheme, _, rest = address.partition("://")
    host = rest if scheme == "https" else rest.rpartition(":")[0]
    assert (scheme, host) in {
        ("https", "www.okx.com"),
        ("https", "openapi.okx.com"),
        ("http", "127.0.0.1"),
        ("http", "localhost"),
        ("http", "[::1]"),
    }
    assert checked_base_url(address) == address


@pytest.mark.parametrize("site", Site)
def test_the_address_of_every_site_is_one_a_request_may_go_to(site: Site) -> None:
    assert checked_base_url(REST_URLS[site]) == REST_URLS[site]
    assert not is_loopback(REST_URLS[site])


@pytest.mark.parametrize("url", [address for _, address in ACCEPTED if address.startswith("http://")])
def test_an_http_address_that_passed_is_on_this_machine(url: str) -> None:
    assert is_loopback(url)


@pytest.mark.parametrize(
    ("base_url", "demo", "expected"),
    [
        ("https://openapi.okx.com", False, "wss://ws.okx.com:8443/ws/v5"),
        ("https://www.okx.com", True, "wss://wspap.okx.com:8443/ws/v5"),
        ("https://eea.okx.com", False, "wss://wseea.okx.com:8443/ws/v5"),
        ("https://eea.okx.com", True, "wss://wseeapap.okx.com:8443/ws/v5"),
        ("https://us.okx.com", False, "wss://wsus.okx.com:8443/ws/v5"),
        ("https://app.okx.com", True, "wss://wsuspap.okx.com:8443/ws/v5"),
        ("http://127.0.0.1:8787", True, "ws://127.0.0.1:8787/ws/v5"),
        ("http://[::1]:8787", True, "ws://[::1]:8787/ws/v5"),
    ],
)
def test_streams_come_from_the_same_site_and_environment(base_url: str, demo: bool, expected: str) -> None:
    assert stream_url(base_url, demo=demo) == expected


@pytest.mark.parametrize("base_url", ["https://ws.okx.com", "https://evil.example", "wss://ws.okx.com:8443"])
def test_streams_come_from_nowhere_else(base_url: str) -> None:
    with pytest.raises(ValueError, match="only https to OKX"):
        stream_url(base_url, demo=True)
