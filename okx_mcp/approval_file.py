"""Who may approve orders, as it stands in the configuration file's [approval] table."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from okx_mcp.limits_file import amount, names, whole
from okx_mcp.okx.names import OrdType, Side, TdMode
from okx_mcp.trading.approval import Channel
from okx_mcp.trading.approval_rules import ApprovalRules, default_channels
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.policy import Policy

__all__ = ["IN_APPROVAL", "ApprovalError", "read_approval"]

IN_APPROVAL: Final = frozenset({"channels", "questions_per_hour", "policy"})
_IN_POLICY: Final = frozenset(
    {"name", "instruments", "order_usd", "day_usd", "sides", "order_types", "distance_percent", "exits", "margin_modes"}
)
_HAS_TO_BE_SAID: Final = ("name", "instruments", "order_usd", "day_usd")
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "sides": tuple(Side),
    "order_types": tuple(OrdType),
    "margin_modes": tuple(TdMode),
}
_MOST_QUESTIONS: Final = 1_000_000
_LONGEST_NAME: Final = 40


class ApprovalError(Exception):
    """A rule for approvals that is wrong, in one line that names it."""


def read_approval(tables: list[Mapping[str, Any]], environment: Environment) -> ApprovalRules:
    """The rules of these [approval] tables, later ones over earlier ones.

    Raises:
        ApprovalError, LimitsError: one is unknown, of the wrong kind, or missing.
    """
    given: dict[str, Any] = {}
    for table in tables:
        given |= table
    policies = given.get("policy", [])
    if not isinstance(policies, list) or not all(isinstance(each, dict) for each in policies):
        raise ApprovalError("policies are written [[approval.policy]]")
    channels = default_channels(environment)
    if "channels" in given:
        channels = frozenset(map(Channel, names("channels", given["channels"], tuple(Channel))))
    rules = ApprovalRules(channels, tuple(map(_policy, policies)))
    if "questions_per_hour" in given:
        most = whole("questions_per_hour", given["questions_per_hour"], 0, _MOST_QUESTIONS)
        rules = replace(rules, questions_per_hour=most)
    if len({policy.name for policy in rules.policies}) < len(rules.policies):
        raise ApprovalError("two policies have the same name")
    if Channel.POLICY in rules.channels and not rules.policies:
        raise ApprovalError("channels name policy, and there is no [[approval.policy]]")
    return rules


def _policy(table: Mapping[str, Any]) -> Policy:
    name = table.get("name")
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= _LONGEST_NAME:
        raise ApprovalError(f"a policy has a name in quotes, of at most {_LONGEST_NAME} letters")
    for setting in table:
        if setting not in _IN_POLICY:
            raise ApprovalError(
                f"unknown setting {setting} in policy {name}; known are {', '.join(sorted(_IN_POLICY))}"
            )
    missing = [setting for setting in _HAS_TO_BE_SAID if setting not in table]
    if missing:
        raise ApprovalError(f"policy {name} says nothing about {' and '.join(missing)}")
    return Policy(
        name=name,
        instruments=names("instruments", table["instruments"]),
        order_usd=amount("order_usd", table["order_usd"]),
        day_usd=amount("day_usd", table["day_usd"]),
        distance=_percent(table),
        exits=_yes_or_no(table),
        **{each: names(each, table[each], choices) for each, choices in _CHOICES.items() if each in table},
    )


def _percent(table: Mapping[str, Any]) -> Decimal | None:
    given = table.get("distance_percent")
    return None if given is None else amount("distance_percent", given) / 100


def _yes_or_no(table: Mapping[str, Any]) -> bool:
    given = table.get("exits", False)
    if not isinstance(given, bool):
        raise ApprovalError("exits is true or false")
    return given
