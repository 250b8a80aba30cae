"""The [approval] table of the configuration file: what it says, what stands without it, and what refuses to start."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from okx_mcp.config import SettingsError, load_settings
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.approval_rules import ApprovalRules
from okx_mcp.trading.policy import Policy
from tests.test_limits_file import KEYS

LIVE: Final = "allow_live = true\n[limits]\norder_usd = 1\nday_usd = 1\n"
POLICY: Final = '[[approval.policy]]\nname = "p"\ninstruments = ["BTC-*"]\norder_usd = 100\nday_usd = 1000\n'

Load = Callable[..., ApprovalRules]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def rules(text: str, *, environment: str = "paper", profile: str | None = None) -> ApprovalRules:
        file = tmp_path / "config.toml"
        file.write_text(text)
        flags = {"environment": environment, "profile": profile}
        environ = {} if environment == "paper" else KEYS
        return load_settings(environ, flags, config_file=file, state_dir=tmp_path).approval

    return rules


@pytest.mark.parametrize("environment", ["paper", "demo"])
def test_paper_and_demo_take_a_clients_card_for_an_approval(load: Load, environment: str) -> None:
    assert load("", environment=environment).channels == {Channel.ELICITATION, Channel.TERMINAL, Channel.HOST}


def test_live_money_takes_a_person_alone_unless_its_owner_says_otherwise(load: Load) -> None:
    said = load(f'{LIVE}[approval]\nchannels = ["elicitation", "host"]', environment="live")

    assert load(LIVE, environment="live").channels == {Channel.ELICITATION, Channel.TERMINAL}
    assert said.channels == {Channel.ELICITATION, Channel.HOST}


def test_a_profiles_approval_goes_over_that_of_the_file(load: Load) -> None:
    text = (
        '[approval]\nchannels = ["terminal"]\nquestions_per_hour = 5\n'
        '[profiles.a.approval]\nchannels = ["host"]\n[profiles.a]\n'
    )

    of_all, of_a = load(text), load(text, profile="a")

    assert list(of_all.channels) == [Channel.TERMINAL]
    assert list(of_a.channels) == [Channel.HOST]
    assert of_all.questions_per_hour == of_a.questions_per_hour == 5


def test_a_policy_is_read_to_the_last_digit_and_is_off_until_its_channel_is_named(load: Load) -> None:
    more = 'sides = ["buy"]\norder_types = ["post_only"]\ndistance_percent = 2.5\nexits = true\n'
    off = load(POLICY)
    on = load(f'[approval]\nchannels = ["policy"]\n{POLICY}{more}')

    policy = Policy("p", ("BTC-*",), Decimal(100), Decimal(1000), ("buy",), ("post_only",), Decimal("0.025"), True)
    assert (len(off.policies), off.active_policies) == (1, ())
    assert on.active_policies == (policy,)


WRONG: Final = {
    "[approval]\nchanels = []": "unknown setting chanels in .*; did you mean channels",
    "[approval]\nchannels = []": "channels is a list of names in quotes, and not an empty one",
    '[approval]\nchannels = "host"': "channels is a list of names",
    '[approval]\nchannels = ["card"]': "channels are among elicitation, terminal, host, policy; not card",
    '[approval]\nchannels = ["policy"]': r"channels name policy, and there is no \[\[approval.policy\]\]",
    "[approval]\nquestions_per_hour = 1.5": "questions_per_hour is a whole number",
    "[approval]\nquestions_per_hour = -1": "questions_per_hour is a whole number",
    "[approval.policy]\nname = 'p'": r"policies are written \[\[approval.policy\]\]",
    "approval = 1": r"\[approval\] of .* is a table",
    "[[approval.policy]]\norder_usd = 1": "a policy has a name in quotes",
    '[[approval.policy]]\nname = "p\\nq"': "a policy has a name in quotes",
    '[[approval.policy]]\nname = "p"\norder_usd = 1': "policy p says nothing about instruments and day_usd",
    f"{POLICY}order_us = 1": "unknown setting order_us in policy p",
    f'{POLICY}sides = ["long"]': "sides are among buy, sell; not long",
    f"{POLICY}distance_percent = -1": "distance_percent is a number that is not negative",
    f"{POLICY}exits = 1": "exits is true or false",
    POLICY + POLICY: "two policies have the same name",
    "[profiles.a.approval]\nx = 1": r"unknown setting x in \[profiles.a.approval\]",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_refuses_to_start_in_one_line_that_names_it(load: Load, text: str) -> None:
    with pytest.raises(SettingsError, match=WRONG[text]) as refused:
        load(text)

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("variable", ["OKX_APPROVAL", "OKX_CHANNELS", "OKX_APPROVAL_CHANNELS"])
def test_no_environment_variable_says_who_approves(variable: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"unknown setting {variable}"):
        load_settings({variable: "host"}, {}, state_dir=tmp_path)


def test_any_other_rule_has_another_digest(load: Load) -> None:
    texts = [
        "",
        '[approval]\nchannels = ["host"]',
        "[approval]\nquestions_per_hour = 5",
        POLICY,
        f"{POLICY}sides = ['buy']",
    ]

    assert len({load(text).digest for text in texts}) == len(texts)
    assert load("").digest == load('[approval]\nchannels = ["host", "terminal", "elicitation"]').digest
