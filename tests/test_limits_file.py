"""Limits as a person writes them: exact, known by name, and never guessed."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from okx_mcp.config import SettingsError, load_settings
from okx_mcp.limits_file import PROTECTIVE_LIMITS, known_names
from okx_mcp.trading.limits import Limits

KEYS: Final = {"OKX_API_KEY": "k" * 8, "OKX_SECRET_KEY": "s" * 8, "OKX_PASSPHRASE": "p" * 8}

Load = Callable[..., Limits]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def limits(text: str, *, environment: str = "paper", profile: str | None = None) -> Limits:
        file = tmp_path / "config.toml"
        file.write_text(text)
        flags = {"environment": environment, "profile": profile}
        environ = {} if environment == "paper" else KEYS
        return load_settings(environ, flags, config_file=file, state_dir=tmp_path).limits

    return limits


@pytest.mark.parametrize("environment", ["paper", "demo"])
def test_paper_and_demo_are_protected_without_a_word(load: Load, environment: str) -> None:
    limits = load("", environment=environment)

    assert limits == PROTECTIVE_LIMITS
    assert (limits.order_usd, limits.day_usd) == (Decimal(10_000), Decimal(50_000))
    assert (limits.collar, limits.minute_orders) == (Decimal("0.05"), 20)


@pytest.mark.parametrize(
    ("said", "missing"),
    [("", "order_usd and day_usd"), ("[limits]\norder_usd = 5", "day_usd"), ("[limits]\nday_usd = 5", "order_usd")],
)
def test_live_money_has_no_default_for_order_and_day(load: Load, said: str, missing: str) -> None:
    with pytest.raises(SettingsError, match=f"live trading needs its limits said: {missing} in"):
        load(f"allow_live = true\n{said}", environment="live")


def test_a_number_is_taken_to_the_last_digit(load: Load) -> None:
    limits = load("[limits]\norder_usd = 0.1\ncollar_percent = 2.5\nday_usd = 3")

    assert (limits.order_usd, limits.collar, limits.day_usd) == (Decimal("0.1"), Decimal("0.025"), Decimal(3))


def test_cancel_all_after_is_off_unless_it_is_said(load: Load) -> None:
    said = [
        load(text).cancel_all_after_s for text in ("", *(f"[limits]\ncancel_all_after_s = {s}" for s in (0, 10, 120)))
    ]

    assert said == [None, None, 10, 120]


def test_a_profiles_limits_go_over_those_of_the_file(load: Load) -> None:
    text = "[limits]\norder_usd = 1\nday_usd = 2\n[profiles.a.limits]\norder_usd = 3"

    of_all, of_a = load(text), load(text, profile="a")

    assert (of_all.order_usd, of_all.day_usd) == (Decimal(1), Decimal(2))
    assert (of_a.order_usd, of_a.day_usd) == (Decimal(3), Decimal(2))


@pytest.mark.parametrize(
    "wrong",
    [
        "order_usd = -1",
        'order_usd = "5"',
        "order_usd = true",
        "order_usd = nan",
        "order_usd = inf",
        "day_orders = 1.5",
        "day_orders = -1",
        "minute_orders = true",
        "open_orders = 1001",
        "collar_percent = 101",
        "burst_minutes = 1441",
        "burst_minutes = 0",
        "burst_orders = 0",
        "price_age_s = 0",
        "cancel_all_after_s = 9",
        "cancel_all_after_s = 121",
        "cancel_all_after_s = 10.0",
        "cancel_all_after_s = true",
        "instruments = []",
        'instruments = "BTC-USDT"',
        "instruments = [1]",
        "order_types = ['']",
        "order_types = ['limt']",
        "margin_modes = ['casch']",
        "leverage = -3",
        "order_usdt = 5",
    ],
)
def test_what_is_wrong_or_unknown_stops_the_start_and_is_named(load: Load, wrong: str) -> None:
    with pytest.raises(SettingsError, match=wrong.partition(" ")[0]):
        load(f"[limits]\n{wrong}")


def test_limits_are_a_table(load: Load) -> None:
    with pytest.raises(SettingsError, match=r"\[limits\]"):
        load("limits = 5")


def test_every_limit_has_a_name_in_the_file() -> None:
    fields = {"collar_percent" if name == "collar" else name for name in Limits.__dataclass_fields__}

    assert known_names() == fields
