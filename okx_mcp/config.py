"""Every setting there is, where it comes from, and what does not go together.

Command line over environment over file over default. Whatever is unknown, half given or contradictory refuses
to start, with one line that says which setting it is; nothing is guessed and no secret is repeated.
"""

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from okx_mcp.approval_file import IN_APPROVAL, ApprovalError, read_approval
from okx_mcp.limits_file import PROTECTIVE_LIMITS, LimitsError, known_names, read_limits
from okx_mcp.okx.foreign_text import visible
from okx_mcp.okx.hosts import REST_URLS, Site, checked_base_url, is_loopback
from okx_mcp.okx.signing import Credentials, Secret
from okx_mcp.private_files import NotPrivate, read_own_text
from okx_mcp.trading.approval_rules import ApprovalRules, default_channels
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.limits import Limits

__all__ = [
    "CONFIG_FILE",
    "Settings",
    "SettingsError",
    "ToolsetName",
    "approval_secret_file",
    "default_config_dir",
    "default_state_dir",
    "halt_file",
    "journal_file",
    "load_settings",
]

CONFIG_FILE: Final = "config.toml"
_APP: Final = "okx-mcp"

_VARIABLES: Final = {
    "OKX_PROFILE": "profile",
    "OKX_ENV": "environment",
    "OKX_SITE": "site",
    "OKX_API_KEY": "api_key",
    "OKX_SECRET_KEY": "secret_key",
    "OKX_PASSPHRASE": "passphrase",
    "OKX_API_BASE_URL": "api_base_url",
}
_OTHER_NAMES: Final = {
    "OKX_API_SECRET": "OKX_SECRET_KEY",
    "OKX_API_SECRET_KEY": "OKX_SECRET_KEY",
    "OKX_SECRET": "OKX_SECRET_KEY",
    "OKX_API_PASSPHRASE": "OKX_PASSPHRASE",
    "OKX_PASSWORD": "OKX_PASSPHRASE",
    "OKX_DEMO": "OKX_ENV",
    "OKX_SIMULATED": "OKX_ENV",
    "OKX_TRADE_FLAG": "OKX_ENV",
}
"""What other programs call our settings."""
_WORDS_OF_LEAVE: Final = ("allow_live", "allow_unbound_key")
_OF_TOOLS: Final = frozenset({"toolsets", "read_only"})
_TOP_LEVEL: Final = frozenset({"profile", *_WORDS_OF_LEAVE, "limits", "approval", "profiles"}) | _OF_TOOLS
_IN_PROFILE: Final = frozenset({"environment", "site", "api_key", "secret_key", "passphrase", "api_base_url", "proxy"})
_NO_TEXT_IN_PROFILE: Final = frozenset({"limits", "approval"}) | _OF_TOOLS
_HUMAN_ONLY: Final = ApprovalRules(default_channels(Environment.LIVE))
_CREDENTIALS: Final = ("api_key", "secret_key", "passphrase")

_Choice = TypeVar("_Choice", bound=StrEnum)


class SettingsError(Exception):
    """A setting that is wrong, in one line that names it and that a terminal can show."""

    def __init__(self, line: str) -> None:
        super().__init__(visible(line))


class ToolsetName(StrEnum):
    """Tools that belong together and can be left out together."""

    MARKET = "market"
    ACCOUNT = "account"
    TRADE = "trade"
    REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the server runs with.

    `credentials` is None on the embedded paper exchange, which has keys of its own. `allow_unbound_key`: live orders go
    out with a key that works from any address.
    """

    environment: Environment
    site: Site
    credentials: Credentials | None
    state_dir: Path
    profile: str | None = None
    api_base_url: str | None = None
    proxy: str | None = field(default=None, repr=False)  # its address may hold a password
    limits: Limits = PROTECTIVE_LIMITS
    approval: ApprovalRules = _HUMAN_ONLY
    allow_unbound_key: bool = False
    toolsets: frozenset[ToolsetName] = frozenset(ToolsetName)
    read_only: bool = False

    @property
    def in_words(self) -> str:
        """What a person who starts the server should know."""
        where = {
            Environment.PAPER: f"paper trading ({self.api_base_url or 'built in'}), invented prices, no real money",
            Environment.DEMO: f"demo trading at OKX, {self.site} site, no real money",
            Environment.LIVE: f"LIVE trading at OKX, {self.site} site, REAL MONEY",
        }[self.environment]
        only = ", read only" if self.read_only else ""
        return f"profile {visible(self.profile)}: {where}{only}" if self.profile else f"{where}{only}"

    @property
    def base_url(self) -> str | None:
        """Where requests go; None for the embedded paper exchange."""
        return self.api_base_url if self.environment is Environment.PAPER else REST_URLS[self.site]


def default_config_dir() -> Path:
    """The platform's folder for configuration."""
    import platformdirs

    return platformdirs.user_config_path(_APP, appauthor=False)


def default_state_dir() -> Path:
    """The platform's folder for state: the journal and the paper account."""
    import platformdirs

    return platformdirs.user_state_path(_APP, appauthor=False)


def halt_file(state_dir: Path) -> Path:
    """While anything stands there, no order is sent."""
    return state_dir / "HALT"


def journal_file(state_dir: Path) -> Path:
    """The journal of this state folder."""
    return state_dir / "journal.sqlite3"


def approval_secret_file(state_dir: Path) -> Path:
    """What is kept of the secret that approves orders in a terminal."""
    return state_dir / "approval-secret.json"


def load_settings(
    environ: Mapping[str, str],
    flags: Mapping[str, str | None],
    *,
    config_file: Path | None = None,
    state_dir: Path | None = None,
    toolsets: str | None = None,
    read_only: bool = False,
) -> Settings:
    """Put the settings together.

    Args:
        environ: the process's environment; only names that begin with OKX_ are looked at.
        flags: `profile`, `environment` and `site` from the command line, None where not given.
        config_file: a file named on the command line, which must then exist.
        toolsets: names from the command line, with commas.
        read_only: whether the command line says so; nothing takes it back.

    Raises:
        SettingsError: one line for standard error.
    """
    given = _from_environment(environ)
    given.update({name: value for name, value in flags.items() if value is not None})
    file = _read_file(config_file)
    profile = given.pop("profile", file.get("profile"))
    of_profile = _profile(file, profile)
    if any(name in given for name in _CREDENTIALS):
        # A key of one source with a secret of another is nobody's intention.
        of_profile = {name: value for name, value in of_profile.items() if name not in _CREDENTIALS}
    values = {**of_profile, **given}

    credentials = _credentials(values)
    on_paper = credentials is None or "api_base_url" in values
    environment = _choice(Environment, "environment", values, Environment.PAPER if on_paper else Environment.DEMO)
    api_base_url = _paper_address(values.get("api_base_url"), environment)
    _check_together(environment, credentials, api_base_url, allow_live=file.get("allow_live", False))
    embedded = environment is Environment.PAPER and api_base_url is None
    of_tools = {**file, **(file["profiles"][profile] if profile else {})}
    return Settings(
        environment=environment,
        site=_choice(Site, "site", values, Site.GLOBAL),
        credentials=None if embedded else credentials,
        state_dir=state_dir or default_state_dir(),
        profile=profile,
        api_base_url=api_base_url,
        proxy=_proxy(values.get("proxy")),
        limits=_limits(file, profile, environment),
        approval=_approval(file, profile, environment),
        allow_unbound_key=file.get("allow_unbound_key", False),
        toolsets=_toolsets(of_tools.get("toolsets") if toolsets is None else toolsets.split(",")),
        read_only=read_only or of_tools.get("read_only", False),
    )


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    given = {}
    for variable, value in environ.items():
        if not variable.startswith("OKX_"):
            continue
        if variable not in _VARIABLES:
            raise SettingsError(f"unknown setting {variable}{_did_you_mean(variable, _VARIABLES)}")
        if value.strip():
            given[_VARIABLES[variable]] = value.strip()
    return given


def _read_file(named: Path | None) -> dict[str, Any]:
    path = named or default_config_dir() / CONFIG_FILE
    if named is None and not path.exists():
        return {}
    if not path.is_file():
        raise SettingsError(f"the configuration file {path} cannot be read: it is not there, or not a file")
    try:
        text, others_can_read = read_own_text(path)
        file = tomllib.loads(text, parse_float=Decimal)
    except NotPrivate as refusal:
        raise SettingsError(f"the configuration file is not used: {refusal}") from None
    except OSError as error:
        raise SettingsError(f"the configuration file {path} cannot be read: {error.strerror}") from None
    except (ValueError, ArithmeticError, RecursionError):  # Decimal refuses some exponents
        raise SettingsError(f"the configuration file {path} is not TOML") from None
    _check_file(path, file)
    if others_can_read and any(name in each for each in file["profiles"].values() for name in (*_CREDENTIALS, "proxy")):
        raise SettingsError(f"{path} holds credentials and other users can read it: run chmod 600 on it")
    return file


def _check_file(path: Path, file: dict[str, Any]) -> None:
    _refuse_unknown(file, _TOP_LEVEL, str(path))
    for word in _WORDS_OF_LEAVE:
        if not isinstance(file.get(word, False), bool):
            raise SettingsError(f"{word} in {path} is true or false")
    if not isinstance(file.get("profile", ""), str):
        raise SettingsError(f"profile in {path} is the name of a profile, in quotes")
    _check_tables(file, "", path)
    _check_tools(file, str(path))
    profiles = file.setdefault("profiles", {})
    if not isinstance(profiles, dict) or not all(isinstance(profile, dict) for profile in profiles.values()):
        raise SettingsError(f"profiles in {path} are tables: [profiles.NAME]")
    for name, profile in profiles.items():
        _refuse_unknown(profile, _IN_PROFILE | _NO_TEXT_IN_PROFILE, f"[profiles.{name}] of {path}")
        _check_tools(profile, f"[profiles.{name}] of {path}")
        _check_tables(profile, f"profiles.{name}.", path)
        if not all(isinstance(value, str) for setting, value in profile.items() if setting not in _NO_TEXT_IN_PROFILE):
            raise SettingsError(f"every other setting in [profiles.{name}] of {path} is text in quotes")


def _refuse_unknown(table: Mapping[str, object], known: frozenset[str], where: str) -> None:
    for name in table:
        if name not in known:
            raise SettingsError(f"unknown setting {name} in {where}{_did_you_mean(name, known)}")


def _check_tables(table: Mapping[str, Any], under: str, path: Path) -> None:
    for name, known in (("limits", known_names()), ("approval", IN_APPROVAL)):
        where, settings = f"[{under}{name}] of {path}", table.get(name, {})
        if not isinstance(settings, dict):
            raise SettingsError(f"{where} is a table")
        _refuse_unknown(settings, known, where)


def _check_tools(table: Mapping[str, Any], where: str) -> None:
    if not isinstance(table.get("read_only", False), bool):
        raise SettingsError(f"read_only in {where} is true or false")
    names = table.get("toolsets", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SettingsError(f'toolsets in {where} is a list of names: ["market", "account"]')


def _toolsets(names: Sequence[str] | None) -> frozenset[ToolsetName]:
    """Those named; all where none are named at all."""
    if names is None:
        return frozenset(ToolsetName)
    try:
        chosen = frozenset(ToolsetName(name.strip()) for name in names)
    except ValueError:
        chosen = frozenset()
    if not chosen:
        raise SettingsError(f"toolsets are one or more of {', '.join(ToolsetName)}")
    return chosen


def _limits(file: Mapping[str, Any], profile: str | None, environment: Environment) -> Limits:
    try:
        return read_limits(_tables(file, profile, "limits"), is_live=environment is Environment.LIVE)
    except LimitsError as error:
        raise SettingsError(str(error)) from None


def _approval(file: Mapping[str, Any], profile: str | None, environment: Environment) -> ApprovalRules:
    try:
        return read_approval(_tables(file, profile, "approval"), environment)
    except (ApprovalError, LimitsError) as error:
        raise SettingsError(str(error)) from None


def _tables(file: Mapping[str, Any], profile: str | None, name: str) -> list[Mapping[str, Any]]:
    """That for all profiles, and over it that of this one."""
    of_profile = {} if profile is None else file["profiles"][profile].get(name, {})
    return [file.get(name, {}), of_profile]


def _profile(file: Mapping[str, Any], name: str | None) -> dict[str, str]:
    if name is None:
        return {}
    profiles: dict[str, dict[str, str]] = file.get("profiles", {})
    if name not in profiles:
        raise SettingsError(f"unknown profile {name}{_did_you_mean(name, profiles)}")
    settings = {setting: value for setting, value in profiles[name].items() if setting in _IN_PROFILE}
    return {setting: value.strip() for setting, value in settings.items() if value.strip()}


def _credentials(values: Mapping[str, str]) -> Credentials | None:
    present = [name for name in _CREDENTIALS if name in values]
    if not present:
        return None
    missing = [f"OKX_{name.upper()}" for name in _CREDENTIALS if name not in values]
    if missing:
        raise SettingsError(f"half a set of credentials: {' and '.join(missing)} missing")
    for name in _CREDENTIALS:
        if not values[name].isascii() or not values[name].isprintable():
            raise SettingsError(f"OKX_{name.upper()} has a character that no OKX credential has")
    return Credentials(*(Secret(values[name]) for name in _CREDENTIALS))


def _choice(choices: type[_Choice], name: str, values: Mapping[str, str], default: _Choice) -> _Choice:
    text = values.get(name)
    if text is None:
        return default
    try:
        return choices(text)
    except ValueError:
        variable = next(each for each, setting in _VARIABLES.items() if setting == name)
        raise SettingsError(f"{name} ({variable}) is one of {', '.join(choices)}") from None


def _paper_address(address: str | None, environment: Environment) -> str | None:
    if address is None:
        return None
    if environment is not Environment.PAPER:
        raise SettingsError(f"OKX_API_BASE_URL names a paper exchange, and the environment is {environment}")
    try:
        checked = checked_base_url(address)
    except ValueError:
        checked = ""
    if not is_loopback(checked):
        raise SettingsError("OKX_API_BASE_URL: a paper exchange is on this machine (http://127.0.0.1:PORT)")
    return checked


def _proxy(address: str | None) -> str | None:
    if address is None:
        return None
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError("proxy is an address such as http://proxy.example:3128")
    return address


def _check_together(
    environment: Environment, credentials: Credentials | None, api_base_url: str | None, *, allow_live: bool
) -> None:
    needs_keys = environment is not Environment.PAPER or api_base_url is not None
    if needs_keys and credentials is None:
        raise SettingsError(
            f"the environment {environment} needs OKX_API_KEY, OKX_SECRET_KEY and OKX_PASSPHRASE"
            + ("" if api_base_url is None else " (the keys that this paper exchange printed)")
        )
    if environment is Environment.LIVE and not allow_live:
        raise SettingsError("the environment is live, but allow_live = true is not in the configuration file")


def _did_you_mean(name: str, known: Mapping[str, object] | frozenset[str]) -> str:
    near = [_OTHER_NAMES[name]] if name in _OTHER_NAMES else difflib.get_close_matches(name, list(known), 1, 0.5)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(sorted(known)) or 'none'}"
