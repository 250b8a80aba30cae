"""What can be subscribed to, and on which of OKX's three paths."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

__all__ = ["Channel", "Path", "channel_of"]


class Path(StrEnum):
    """The three addresses below /ws/v5/, each a service of its own."""

    PUBLIC = "public"
    PRIVATE = "private"
    BUSINESS = "business"


class Channel(NamedTuple):
    """One subscription: OKX's channel name and the arguments that it takes, "" where it takes none."""

    name: str
    inst_id: str = ""
    inst_type: str = ""

    @property
    def path(self) -> Path:
        if self.name in _PRIVATE:
            return Path.PRIVATE
        return Path.BUSINESS if "candle" in self.name or self.name == "trades-all" else Path.PUBLIC

    def to_wire(self) -> dict[str, str]:
        arguments = {"channel": self.name, "instId": self.inst_id, "instType": self.inst_type}
        return {name: value for name, value in arguments.items() if value}

    def to_subscription(self) -> dict[str, str]:
        """The same with how it is to be pushed, which OKX's messages do not repeat."""
        return self.to_wire() | ({"extraParams": _POSITIONS_EVERY_2_S} if self.name == "positions" else {})

    def __str__(self) -> str:
        return " ".join(part for part in self if part)


_POSITIONS_EVERY_2_S: Final = '{"updateInterval":"2000"}'
"""Beside the push of each change, all that is open this often; without it every five seconds."""
_PRIVATE: Final = frozenset({"orders", "account", "positions"})


def channel_of(arg: Mapping[str, object]) -> Channel:
    """The channel that a message is about. OKX adds `uid` to the private ones, which is no part of it."""
    name, inst_id, inst_type = arg.get("channel"), arg.get("instId", ""), arg.get("instType", "")
    if isinstance(name, str) and isinstance(inst_id, str) and isinstance(inst_type, str):
        return Channel(name, inst_id, inst_type)
    raise ValueError("a channel is named by texts")
