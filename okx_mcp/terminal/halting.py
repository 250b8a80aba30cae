"""okx-mcp halt and okx-mcp resume. Halting needs no settings and no exchange: nothing can keep it from working."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import anyio

from okx_mcp.config import Settings, halt_file
from okx_mcp.okx.errors import OkxError
from okx_mcp.terminal.saying import note, now_ms, say
from okx_mcp.trading.halt import Halt, Halted
from okx_mcp.trading.refusals import UnsettledOrder

__all__ = ["run_halt", "run_resume"]

_BY_A_PERSON = "A person halted it in a terminal."
_WORD = "resume"


def run_halt(state_dir: Path, settings: Callable[[], Settings] | None) -> int:
    """Halt every server of this state folder; with `settings` cancel every open order of the account too."""
    try:
        halted = Halt(halt_file(state_dir)).halt(_BY_A_PERSON, now_ms())
    except OSError as error:
        say(f"Trading could NOT be halted: {error}")
        return 1
    say(f"Trading is halted: {halted.why} No order is sent until okx-mcp resume.")
    try:
        return 0 if settings is None else anyio.run(_cancel_all, settings())
    finally:
        note(state_dir, "halted", {"why": halted.why})  # may be waited for, so it comes last


def run_resume(state_dir: Path) -> int:
    """Take the halt away, once a person at a terminal has read why it is there and typed the word."""
    halt = Halt(halt_file(state_dir))
    halted = halt.found()
    if halted is None:
        say("Trading is not halted.")
        return 0
    if not sys.stdin.isatty():
        say("Resuming is for a person at a terminal.")
        return 1
    say(f"Trading is halted{_since(halted)}: {halted.why}")
    print(f"Type {_WORD} to let orders through again: ", end="", flush=True)  # noqa: T201  # a question to a person
    if sys.stdin.readline().strip() != _WORD:
        say("Trading stays halted.")
        return 1
    try:
        halt.resume()
    except OSError as error:
        say(f"Trading stays halted, for the halt cannot be taken away: {error}")
        return 1
    note(state_dir, "resumed", {"why": halted.why})
    say("Orders are let through again.")
    return 0


async def _cancel_all(settings: Settings) -> int:
    from okx_mcp.server import ServerParts

    parts = ServerParts(settings)
    try:
        left = await parts.desk.cancel_all()
    except (OkxError, UnsettledOrder) as error:
        say(f"Open orders at {settings.in_words}: {error}")
        return 1
    finally:
        await parts.aclose()
    for order in left:
        say(f"Still open: {order.ord_id}: {order.side} {order.terms} {order.inst_id}")
    if not left:
        say(f"No order is open any more at {settings.in_words}: the exchange was asked.")
    return 1 if left else 0


def _since(halted: Halted) -> str:
    if halted.since_ms is None:
        return ""
    try:
        return f" since {time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(halted.since_ms / 1000))}"
    except (ValueError, OverflowError, OSError):  # a file that somebody else wrote
        return ""
