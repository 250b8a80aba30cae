"""okx-mcp approve: a person at a terminal reads the orders that wait, and approves or declines each."""

import getpass
import sys
import time
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from okx_mcp.approval_secret import LEAST_CHARACTERS, ApprovalSecret, SecretUnusable, read_secret, write_secret
from okx_mcp.approval_socket import Answer, Request, Waiting, ask, sockets
from okx_mcp.config import approval_secret_file
from okx_mcp.okx.foreign_text import cleaned
from okx_mcp.terminal.saying import note, say

__all__ = ["run_approve", "run_set_secret"]

_TRIES: Final = 3
_PAUSE_S: Final = 1.0
_QUESTION: Final = "Place exactly this order? y: send it, n: decline it, Enter: leave it waiting: "
_NO_ANSWER: Final = (
    "The server that proposed it does not answer any more. Nothing is sent after it ended; what was sent before, "
    "okx-mcp journal lists."
)


def run_approve(state_dir: Path) -> int:
    """Show each order that waits, and pass on what the person says to it."""
    if not sys.stdin.isatty():
        say("Approving is for a person at a terminal.")
        return 1
    found = [(path, each) for path in sockets(state_dir) for each in _waiting_at(path)]
    if not found:
        say("No order waits for approval in a server that runs on this state folder.")
        _say_if_no_secret(state_dir)
        return 0
    try:
        return 0 if all(_decided(path, waiting) for path, waiting in found) else 1
    except (EOFError, KeyboardInterrupt):
        say("\nLeft. What was approved before is in okx-mcp journal.")
        return 1


def run_set_secret(state_dir: Path) -> int:
    """Set the approval secret, or another one for who knows the one that is set."""
    if not sys.stdin.isatty():
        say("Setting the approval secret is for a person at a terminal.")
        return 1
    path = approval_secret_file(state_dir)
    try:
        secret = _new_secret() if _knows(read_secret(path)) else None
        if secret is None:
            return 1
        write_secret(path, ApprovalSecret.of(secret))
    except SecretUnusable as unusable:
        say(f"{unusable}. Look who made it; once it is gone, a new secret can be set.")
        return 1
    except OSError as error:
        say(f"Nothing was changed: {path} cannot be written: {error.strerror}")
        return 1
    except (EOFError, KeyboardInterrupt):
        say("\nNothing was changed.")
        return 1
    note(state_dir, "approval_secret_set", {})
    say("The approval secret is set. Servers that run now go on with what they found when they started.")
    return 0


def _waiting_at(path: Path) -> tuple[Waiting, ...]:
    answer = ask(path, Request(wants="list"))
    return answer.waiting if answer else ()


def _decided(path: Path, waiting: Waiting) -> bool:
    """Whether to go on to the next order; not after wrong secrets."""
    for line in waiting.lines:
        say(cleaned(line))
    _forget_what_was_typed()
    print(_QUESTION, end="", flush=True)  # noqa: T201  # a question to a person
    match sys.stdin.readline().strip().lower():
        case "y" | "yes":
            return _approved(path, waiting)
        case "n" | "no":
            answer = ask(path, Request(wants="decline", ticket_id=waiting.ticket_id, digest=waiting.digest))
            say(answer.words if answer else _NO_ANSWER)
        case _:
            say("It waits on.")
    return True


def _forget_what_was_typed() -> None:
    """A key that was pressed before the order stood on the screen says nothing about it."""
    import termios

    termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def _approved(path: Path, waiting: Waiting) -> bool:
    for _ in range(_TRIES):
        secret = getpass.getpass("Approval secret: ") if waiting.needs_secret else ""
        answer: Answer | None = ask(
            path,
            Request(wants="approve", ticket_id=waiting.ticket_id, digest=waiting.digest, secret=SecretStr(secret)),
        )
        say(answer.words if answer else _NO_ANSWER)
        if answer is None or not answer.is_wrong_secret:
            return True
    return False


def _knows(kept: ApprovalSecret | None) -> bool:
    """Whether this person knows the secret that is set; True where none is."""
    if kept is None:
        return True
    for _ in range(_TRIES):
        if kept.matches(getpass.getpass("Approval secret that is set: ")):
            return True
        time.sleep(_PAUSE_S)
        say("This is not the approval secret.")
    return False


def _new_secret() -> str | None:
    """What this person typed twice; None, with the reason said, where that is no secret."""
    secret = getpass.getpass(f"New approval secret, {LEAST_CHARACTERS} characters or more: ")
    if len(secret) < LEAST_CHARACTERS:
        say(f"It has {len(secret)} characters, and {LEAST_CHARACTERS} are the least. Nothing was changed.")
        return None
    if getpass.getpass("Once more: ") != secret:
        say("The two differ. Nothing was changed.")
        return None
    return secret


def _say_if_no_secret(state_dir: Path) -> None:
    try:
        is_set = read_secret(approval_secret_file(state_dir)) is not None
    except SecretUnusable as unusable:
        say(f"{unusable}. No live order can be approved in a terminal.")
        return
    if not is_set:
        say(
            "Live orders need an approval secret: okx-mcp approve --set-secret, and then a new start of the server. "
            "A ticket whose server has ended is never sent, and is not listed."
        )
