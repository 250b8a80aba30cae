import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from okx_mcp.config import (
    CONFIG_FILE,
    Settings,
    SettingsError,
    ToolsetName,
    default_config_dir,
    default_state_dir,
    load_settings,
)
from okx_mcp.okx.hosts import REST_URLS, Site
from okx_mcp.okx.signing import Secret
from okx_mcp.trading.approval_rules import ApprovalRules, default_channels
from okx_mcp.trading.environment import Environment

LIMITS: Final = "[limits]\norder_usd = 100\nday_usd = 1000"
KEYS: Final = {"OKX_API_KEY": "k-from-env", "OKX_SECRET_KEY": "s-from-env", "OKX_PASSPHRASE": "p-from-env"}
SECRETS: Final = [f"{part}-from-{place}" for part in "ksp" for place in ("env", "file")]
IN_FILE: Final = 'api_key = "k-from-file"\nsecret_key = "s-from-file"\npassphrase = "p-from-file"\n'
PAPER_URL: Final = "http://127.0.0.1:8787"

Load = Callable[..., Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """The settings that come of an environment, flags and the text of a configuration file."""

    def load(environ: Mapping[str, str] | None = None, file: str = "", mode: int = 0o600, **flags: str) -> Settings:
        path = tmp_path / CONFIG_FILE
        path.write_text(file, "utf-8")
        path.chmod(mode)
        return load_settings(environ or {}, flags, config_file=path, state_dir=tmp_path / "state")

    return load


def refusal(load: Load, *arguments: object, **flags: object) -> str:
    """The one line with which these settings are refused; it holds no secret."""
    with pytest.raises(SettingsError) as refused:
        load(*arguments, **flags)
    line = str(refused.value)
    assert line
    assert len(line.splitlines()) == 1
    assert not any(secret in line for secret in SECRETS)
    return line


# --- defaults and precedence ------------------------------------------------------------------------------------


def test_without_any_setting_it_is_the_built_in_paper_exchange(load: Load, tmp_path: Path) -> None:
    settings = load()

    approval = ApprovalRules(default_channels(Environment.PAPER))
    assert settings == Settings(Environment.PAPER, Site.GLOBAL, None, tmp_path / "state", approval=approval)
    assert settings.base_url is None
    assert settings.in_words == "paper trading (built in), invented prices, no real money"


def test_with_credentials_it_is_demo_trading(load: Load) -> None:
    settings = load(KEYS)

    assert settings.environment is Environment.DEMO
    assert settings.base_url == "https://openapi.okx.com"
    assert settings.credentials is not None
    assert settings.credentials.api_key == Secret("k-from-env")
    assert settings.credentials.secret_key == Secret("s-from-env")
    assert settings.credentials.passphrase == Secret("p-from-env")


def test_paper_asked_for_by_name_has_keys_of_its_own(load: Load) -> None:
    assert load({**KEYS, "OKX_ENV": "paper"}).credentials is None


PROFILES: Final = """
profile = "from_file"
[profiles.from_file]
site = "eea"
environment = "paper"
[profiles.from_env]
site = "us"
environment = "paper"
[profiles.from_flag]
environment = "paper"
"""


@pytest.mark.parametrize(
    ("environ", "flags", "site"),
    [
        ({}, {}, Site.EEA),
        ({"OKX_PROFILE": "from_env"}, {}, Site.US),
        ({"OKX_PROFILE": "from_env"}, {"profile": "from_flag"}, Site.GLOBAL),
        ({"OKX_SITE": "us"}, {}, Site.US),
        ({"OKX_SITE": "us"}, {"site": "global"}, Site.GLOBAL),
        ({"OKX_SITE": "us", "OKX_PROFILE": "from_flag"}, {"profile": "from_file"}, Site.US),
        ({"OKX_SITE": ""}, {}, Site.EEA),
        ({"OKX_SITE": "  us "}, {}, Site.US),
    ],
)
def test_the_command_line_goes_before_the_environment_and_that_before_the_file(
    load: Load, environ: dict[str, str], flags: dict[str, str], site: Site
) -> None:
    assert load(environ, PROFILES, **flags).site is site


def test_credentials_of_a_profile_are_used(load: Load) -> None:
    settings = load({"OKX_PROFILE": "demo"}, f"[profiles.demo]\n{IN_FILE}")

    assert settings.environment is Environment.DEMO
    assert settings.credentials is not None
    assert settings.credentials.passphrase == Secret("p-from-file")


def test_credentials_of_the_environment_go_before_those_of_the_file(load: Load) -> None:
    settings = load({**KEYS, "OKX_PROFILE": "demo"}, f"[profiles.demo]\n{IN_FILE}")

    assert settings.credentials is not None
    assert settings.credentials.api_key == Secret("k-from-env")


@pytest.mark.parametrize("name", ["OKX_API_KEY", "OKX_SECRET_KEY", "OKX_PASSPHRASE"])
def test_credentials_of_two_sources_are_never_mixed(load: Load, name: str) -> None:
    with pytest.raises(SettingsError, match="half a set of credentials"):
        load({name: KEYS[name], "OKX_PROFILE": "demo"}, f"[profiles.demo]\n{IN_FILE}")


def test_a_profile_that_is_not_chosen_is_not_used(load: Load) -> None:
    assert load({}, f"[profiles.demo]\n{IN_FILE}").environment is Environment.PAPER


@pytest.mark.parametrize("site", Site)
@pytest.mark.parametrize("environment", [Environment.DEMO, Environment.LIVE])
def test_site_and_environment_are_settings_apart_and_both_are_named(
    load: Load, site: Site, environment: Environment
) -> None:
    settings = load({**KEYS, "OKX_SITE": site, "OKX_ENV": environment}, f"allow_live = true\n{LIMITS}")

    assert settings.base_url == REST_URLS[site]
    assert f"{site} site" in settings.in_words
    assert environment in settings.in_words.lower()


@pytest.mark.parametrize("name", ["PATH", "OKXNESS", "okx_env", "MY_OKX_ENV"])
def test_a_variable_that_does_not_begin_with_okx_is_not_looked_at(load: Load, name: str) -> None:
    assert load({name: "live"}).environment is Environment.PAPER


def test_without_a_file_of_its_own_name_there_is_nothing_in_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("okx_mcp.config.default_config_dir", lambda: tmp_path / "nowhere")

    assert load_settings({}, {}, state_dir=tmp_path).environment is Environment.PAPER


def test_the_file_in_the_configuration_folder_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / CONFIG_FILE).write_text(PROFILES)
    monkeypatch.setattr("okx_mcp.config.default_config_dir", lambda: tmp_path)

    assert load_settings({}, {}, state_dir=tmp_path).site is Site.EEA


def test_the_folders_are_okx_mcps_own() -> None:
    assert default_config_dir().name == default_state_dir().name == "okx-mcp"


# --- what is unknown --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("OKX_APIKEY", "OKX_API_KEY"),
        ("OKX_SECRET", "OKX_SECRET_KEY"),
        ("OKX_PASSPHRASES", "OKX_PASSPHRASE"),
        ("OKX_ENVIRONMENT", "OKX_ENV"),
        ("OKX_API_URL", "OKX_API_BASE_URL"),
        ("OKX_ALLOW_LIVE", None),
    ],
)
def test_an_unknown_variable_is_refused_with_the_likely_name(load: Load, variable: str, meant: str | None) -> None:
    line = refusal(load, {variable: "s-from-env"})

    assert variable in line
    assert meant is None or f"did you mean {meant}?" in line


@pytest.mark.parametrize(
    ("file", "setting"),
    [
        ("allow_live_trading = true", "allow_live_trading"),
        ("alow_live = true", "alow_live"),
        ('environment = "live"', "environment"),
        (f"[profiles.a]\n{IN_FILE}pasphrase = 's-from-file'", "pasphrase"),
        ("[profiles.a]\nallow_live = true", "allow_live"),
        ("[limits]\nnotional = 5", "limits"),
        ("[[profile]]\n", "profile"),
    ],
)
def test_an_unknown_name_in_the_file_is_refused(load: Load, file: str, setting: str) -> None:
    assert setting in refusal(load, {}, file)


@pytest.mark.parametrize(
    ("file", "setting"),
    [
        ("allow_live = 1", "allow_live"),
        ('allow_live = "true"', "allow_live"),
        ("profile = 1", "profile"),
        ('profile = ["a"]', "profile"),
        ("profile = 1979-05-27", "profile"),
        ("profile = {}", "profile"),
        ("profiles = 1", "profiles"),
        ("[profiles]\na = 1", "profiles"),
        ("[[profiles.a]]\n", "profiles"),
        ("[profiles.a]\nsite = 1", "profiles.a"),
        ("[profiles.a]\napi_key = ['k-from-file']", "profiles.a"),
    ],
)
def test_a_setting_of_the_wrong_kind_is_refused(load: Load, file: str, setting: str) -> None:
    assert setting in refusal(load, {}, file)


def test_an_unknown_profile_is_refused_with_the_likely_name(load: Load) -> None:
    assert "from_fil; did you mean from_file?" in refusal(load, {"OKX_PROFILE": "from_fil"}, PROFILES)
    assert "unknown profile x; known are none" in refusal(load, {"OKX_PROFILE": "x"})
    assert "unknown profile nobody" in refusal(load, {}, 'profile = "nobody"')


@pytest.mark.parametrize("file", ["allow_live =", "[profiles", "s-from-file", IN_FILE + "= = =", "a = 1\na = 2"])
def test_a_file_that_is_not_toml_is_refused_and_nothing_of_it_repeated(load: Load, file: str) -> None:
    line = refusal(load, {}, file)

    assert CONFIG_FILE in line
    assert "is not TOML" in line


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"profile = '\xff\xfe'")

    with pytest.raises(SettingsError, match="is not TOML"):
        load_settings({}, {}, config_file=path, state_dir=tmp_path)


@pytest.mark.parametrize("name", ["missing.toml", ""])
def test_a_file_that_was_named_and_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings({}, {}, config_file=tmp_path / name, state_dir=tmp_path)


@pytest.mark.parametrize("value", ["Live", "LIVE", "real", "prod", "1", "paper,demo"])
def test_an_environment_that_does_not_exist_is_refused(load: Load, value: str) -> None:
    line = refusal(load, {**KEYS, "OKX_ENV": value}, "allow_live = true")

    assert "OKX_ENV" in line
    assert "paper, demo, live" in line


@pytest.mark.parametrize("value", ["EU", "www.okx.com", "usa", "tr"])
def test_a_site_that_does_not_exist_is_refused(load: Load, value: str) -> None:
    line = refusal(load, {**KEYS, "OKX_SITE": value})

    assert "OKX_SITE" in line
    assert "global, eea, us" in line


@pytest.mark.parametrize("flag", ["environment", "site", "profile"])
def test_an_empty_flag_is_refused(load: Load, flag: str) -> None:
    assert flag in refusal(load, {}, "", **{flag: ""})


# --- credentials ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [list(KEYS)[start:end] for start, end in ((0, 1), (1, 2), (2, 3), (0, 2), (1, 3))])
@pytest.mark.parametrize("environment", [None, "paper", "demo", "live"])
def test_half_a_set_of_credentials_is_refused_and_what_is_missing_named(
    load: Load, missing: list[str], environment: str | None
) -> None:
    given = {name: value for name, value in KEYS.items() if name not in missing}

    line = refusal(load, given | ({"OKX_ENV": environment} if environment else {}), "allow_live = true")

    assert "half a set of credentials" in line
    assert all((name in line) == (name in missing) for name in KEYS)


@pytest.mark.parametrize("empty", ["", "   ", "\t"])
def test_an_empty_credential_is_a_missing_one(load: Load, empty: str) -> None:
    file = f'[profiles.a]\napi_key = "{empty}"\nsecret_key = "s-from-file"\npassphrase = "p-from-file"'

    assert "OKX_SECRET_KEY missing" in refusal(load, {**KEYS, "OKX_SECRET_KEY": empty})
    assert "OKX_API_KEY missing" in refusal(load, {"OKX_PROFILE": "a"}, file)


def test_white_space_around_a_setting_is_no_part_of_it(load: Load) -> None:
    file = '[profiles.a]\napi_key = " k"\nsecret_key = "s "\npassphrase = " p "\nsite = " us "'

    settings = load({"OKX_PROFILE": "a"}, file)

    assert settings.site is Site.US
    assert settings.credentials is not None
    assert settings.credentials.passphrase == Secret("p")


@pytest.mark.parametrize("character", ["\n", "\r\nX-Header: 1", "\x00", "é", "\N{FULLWIDTH DIGIT ONE}", "\x7f"])
@pytest.mark.parametrize("name", KEYS)
def test_a_credential_that_no_header_can_carry_is_refused(load: Load, name: str, character: str) -> None:
    assert name in refusal(load, {**KEYS, name: f"s-from-env{character}s-from-env"})


@pytest.mark.skipif(os.name != "posix", reason="no file modes")
@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o660, 0o666, 0o602, 0o620, 0o777])
def test_a_file_with_credentials_that_others_can_read_is_refused(load: Load, mode: int) -> None:
    line = refusal(load, {}, f"[profiles.a]\n{IN_FILE}", mode)

    assert "chmod 600" in line


@pytest.mark.skipif(os.name != "posix", reason="no file modes")
def test_a_file_without_credentials_may_be_read_by_anybody(load: Load) -> None:
    assert load({}, PROFILES, 0o644).site is Site.EEA


@pytest.mark.parametrize("environment", ["demo", "live"])
def test_an_account_at_okx_needs_credentials(load: Load, environment: str) -> None:
    line = refusal(load, {"OKX_ENV": environment}, "allow_live = true")

    assert all(name in line for name in KEYS)
    assert environment in line


# --- live -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "file"),
    [
        ({"OKX_ENV": "live"}, ""),
        ({"OKX_ENV": "live"}, "allow_live = false"),
        ({"OKX_PROFILE": "a"}, '[profiles.a]\nenvironment = "live"'),
    ],
)
def test_live_without_leave_in_the_file_is_refused(load: Load, environ: dict[str, str], file: str) -> None:
    assert "allow_live" in refusal(load, KEYS | environ, file)


def test_leave_to_trade_live_alone_does_not_make_it_live(load: Load) -> None:
    assert load(KEYS, "allow_live = true").environment is Environment.DEMO


@pytest.mark.parametrize(
    ("environ", "flags"), [({"OKX_ENV": "live"}, {}), ({}, {"environment": "live"}), ({"OKX_PROFILE": "a"}, {})]
)
def test_two_settings_together_make_it_live(load: Load, environ: dict[str, str], flags: dict[str, str]) -> None:
    settings = load(KEYS | environ, f'allow_live = true\n{LIMITS}\n[profiles.a]\nenvironment = "live"', **flags)

    assert settings.environment is Environment.LIVE
    assert "REAL MONEY" in settings.in_words


def test_leave_to_trade_with_a_key_that_works_from_anywhere_is_the_files_alone(load: Load) -> None:
    assert not load(KEYS).allow_unbound_key
    assert load(KEYS, "allow_unbound_key = true").allow_unbound_key
    assert "OKX_ALLOW_UNBOUND_KEY" in refusal(load, {**KEYS, "OKX_ALLOW_UNBOUND_KEY": "true"})
    assert "allow_unbound_key" in refusal(load, KEYS, 'allow_unbound_key = "true"')
    assert "allow_unbound_key" in refusal(load, KEYS, "[profiles.a]\nallow_unbound_key = true")


@pytest.mark.parametrize("name", ["a\\u001b[31mb", "a\\nb", "a\\u202eb", "a\\u200bb"])
def test_no_name_in_the_file_steers_the_terminal_that_shows_it(load: Load, name: str) -> None:
    unknown = refusal(load, {}, f'"{name}" = 1')
    profile = load({}, f'profile = "{name}"\n[profiles."{name}"]\n').in_words

    assert all(text.isprintable() and "a" in text for text in (unknown, profile))


# --- another paper exchange -------------------------------------------------------------------------------------


def test_another_paper_exchange_is_used_with_its_keys(load: Load) -> None:
    settings = load({**KEYS, "OKX_ENV": "paper", "OKX_API_BASE_URL": f"{PAPER_URL}/"})

    assert settings.base_url == settings.api_base_url == PAPER_URL
    assert settings.credentials is not None
    assert PAPER_URL in settings.in_words


@pytest.mark.parametrize("environment", ["demo", "live"])
def test_an_address_is_for_paper_only(load: Load, environment: str) -> None:
    environ = {**KEYS, "OKX_API_BASE_URL": PAPER_URL, "OKX_ENV": environment}

    line = refusal(load, environ, "allow_live = true")

    assert "OKX_API_BASE_URL" in line
    assert environment in line


def test_an_address_of_a_paper_exchange_means_paper(load: Load) -> None:
    assert load({**KEYS, "OKX_API_BASE_URL": PAPER_URL}).environment is Environment.PAPER


@pytest.mark.parametrize(
    "address",
    ["https://www.okx.com", "http://10.0.0.1", "http://127.0.0.1.evil.example", "http://u:s-from-env@127.0.0.1:1", "x"],
)
def test_an_address_is_on_this_machine_only(load: Load, address: str) -> None:
    assert "OKX_API_BASE_URL" in refusal(load, {**KEYS, "OKX_ENV": "paper", "OKX_API_BASE_URL": address})


def test_another_paper_exchange_needs_the_keys_it_printed(load: Load) -> None:
    line = refusal(load, {"OKX_API_BASE_URL": PAPER_URL})

    assert all(name in line for name in KEYS)
    assert "that this paper exchange printed" in line


# --- the way there ----------------------------------------------------------------------------------------------


def test_a_proxy_is_taken_from_a_profile_only(load: Load) -> None:
    file = '[profiles.a]\nproxy = "http://user:s-from-file@proxy.example:3128"'

    assert load({**KEYS, "OKX_PROFILE": "a"}, file).proxy == "http://user:s-from-file@proxy.example:3128"
    assert load({**KEYS, "HTTPS_PROXY": "http://proxy.example"}).proxy is None


@pytest.mark.parametrize(
    "proxy", ["proxy.example:3128", "s-from-file", "ftp://u:s-from-file@h", "http://", "http://h:x", "http://[", "//h"]
)
def test_a_proxy_that_is_no_address_of_one_is_refused(load: Load, proxy: str) -> None:
    assert "proxy" in refusal(load, {**KEYS, "OKX_PROFILE": "a"}, f'[profiles.a]\nproxy = "{proxy}"')


# --- secrets ----------------------------------------------------------------------------------------------------


def test_no_secret_is_in_any_text_of_the_settings(load: Load) -> None:
    file = f'[profiles.a]\n{IN_FILE}proxy = "http://user:s-from-file@proxy.example:3128"'

    for settings in (load(KEYS), load({"OKX_PROFILE": "a"}, file)):
        texts = [repr(settings), str(settings), f"{settings}", settings.in_words]
        assert not any(secret in text for text in texts for secret in SECRETS)


# --- which tools ------------------------------------------------------------------------------------------------

TOOLS_IN_FILE: Final = """
read_only = true
toolsets = ["market"]
[profiles.trader]
read_only = false
toolsets = ["trade", "account"]
[profiles.plain]
"""


def test_all_tools_are_there_unless_some_are_chosen(load: Load) -> None:
    assert (load().toolsets, load().read_only) == (frozenset(ToolsetName), False)


@pytest.mark.parametrize(
    ("profile", "toolsets", "read_only"),
    [(None, {"market"}, True), ("plain", {"market"}, True), ("trader", {"trade", "account"}, False)],
)
def test_tools_are_chosen_for_all_profiles_or_for_one(
    load: Load, profile: str | None, toolsets: set[str], read_only: bool
) -> None:
    settings = load(file=TOOLS_IN_FILE, **({"profile": profile} if profile else {}))

    assert {each.value for each in settings.toolsets} == toolsets
    assert settings.read_only is read_only


def test_the_command_line_chooses_tools_and_only_adds_that_it_reads(tmp_path: Path) -> None:
    path = tmp_path / CONFIG_FILE
    path.write_text(TOOLS_IN_FILE, "utf-8")

    def chosen(**options: Any) -> Settings:
        flags = {"profile": "trader"}
        return load_settings({}, flags, config_file=path, state_dir=tmp_path, **options)

    assert chosen(toolsets="market, reference").toolsets == {"market", "reference"}
    assert chosen(read_only=True).read_only
    assert "read only" in chosen(read_only=True).in_words
    assert not chosen().read_only


@pytest.mark.parametrize(
    "file",
    [
        'toolsets = "market"',
        "toolsets = [1]",
        "toolsets = []",
        'toolsets = ["markets"]',
        'read_only = "yes"',
        "[profiles.a]\nread_only = 1",
        '[profiles.a]\ntoolsets = "market"',
    ],
)
def test_a_choice_of_tools_that_is_none_is_refused(load: Load, file: str) -> None:
    assert re.search("toolsets|read_only", refusal(load, file=file))


@pytest.mark.parametrize("names", ["", "market,,", "Market", "all"])
def test_toolsets_that_do_not_exist_are_refused_on_the_command_line_too(tmp_path: Path, names: str) -> None:
    (tmp_path / CONFIG_FILE).touch()

    with pytest.raises(SettingsError, match="one or more of market, account, trade, reference"):
        load_settings({}, {}, config_file=tmp_path / CONFIG_FILE, state_dir=tmp_path, toolsets=names)
