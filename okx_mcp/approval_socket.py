"""Between `okx-mcp approve` and the server that proposed a ticket: a Unix socket in the state folder.

The server itself checks the secret and sends the order, so there is no approval that somebody could write into a file.
What is shown comes from the server's own tickets, and a ticket whose server is gone is not shown at all.
"""

import json
import logging
import os
import secrets
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import anyio
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from okx_mcp.approval_secret import ApprovalSecret, SecretUnusable
from okx_mcp.trading.approval import Approval, Channel
from okx_mcp.trading.environment import Environment
from okx_mcp.trading.refusals import JournalUnavailable, NotApproved
from okx_mcp.views.order_ticket import ticket_lines

if TYPE_CHECKING:
    from anyio.abc import Listener, SocketStream, TaskGroup

    from okx_mcp.okx.clock import Clock
    from okx_mcp.trading.desk import OrderDesk
    from okx_mcp.trading.orders import AnyTicket, Receipt

__all__ = ["Answer", "ApprovalSocket", "Request", "Waiting", "ask", "sockets"]

_NAME: Final = "approve-*.sock"
_LONGEST_REQUEST: Final = 4 * 1024
_LONGEST_ANSWER: Final = 1024 * 1024
_SAID_WITHIN_S: Final = 5.0
_ANSWERED_WITHIN_S: Final = 120.0
"""An order is settled within half a minute; before it come its turn and a slow hash."""
_LONGEST_PAUSE_S: Final = 60.0
_GONE: Final = (
    "This ticket does not wait for approval any more: it was used, declined, or has expired. Nothing was sent."
)


class Waiting(BaseModel):
    """A ticket that waits, as its person reads it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ticket_id: str
    digest: str
    lines: tuple[str, ...]
    needs_secret: bool


class Request(BaseModel):
    """What a terminal asks of a server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wants: Literal["list", "approve", "decline"]
    ticket_id: str = ""
    digest: str = ""
    secret: SecretStr = SecretStr("")


class Answer(BaseModel):
    """What the server says to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    words: str = ""
    waiting: tuple[Waiting, ...] = ()
    is_wrong_secret: bool = False


# --- the server's end ---------------------------------------------------------------------------------------------


class ApprovalSocket:
    """Opened with the first ticket that a person may approve in a terminal, gone with the server.

    Args:
        secret: what was kept of the approval secret when the server started. A later one counts from the next start on,
            so whoever replaces the file does not approve with it here.
        of_receipt: what became of an order, in words.
        of_failure: an expected failure in words, None for any other.
    """

    def __init__(
        self,
        folder: Path,
        desk: "OrderDesk",
        clock: "Clock",
        secret: ApprovalSecret | SecretUnusable | None,
        beside: "TaskGroup | None",
        *,
        of_receipt: Callable[["Receipt"], str],
        of_failure: Callable[[Exception], str | None],
    ) -> None:
        self._path = folder / _NAME.replace("*", secrets.token_hex(4))
        self._desk = desk
        self._clock = clock
        self._secret = secret if isinstance(secret, ApprovalSecret) else None
        self._unusable = secret if isinstance(secret, SecretUnusable) else None
        self._beside = beside
        self._of_receipt = of_receipt
        self._of_failure = of_failure
        self._wrong = 0
        self._one_try = anyio.Lock()
        self._opening = anyio.Lock()
        self._is_open = False

    @property
    def why_not(self) -> str | None:
        """Why no order can be approved in a terminal; None if they can."""
        if Channel.TERMINAL not in self._desk.rules.channels:
            return "Orders are not approved in a terminal here."
        if not hasattr(socket, "AF_UNIX"):
            return "Orders cannot be approved in a terminal on this system: it has no Unix sockets."
        if self._unusable is not None:
            return f"Orders cannot be approved in a terminal: {self._unusable}."
        if self._desk.account.environment is Environment.LIVE and self._secret is None:
            return "Live orders are approved in a terminal with a secret, and none was set when this server started."
        return None

    async def open(self) -> None:
        """Listen, if it does not yet.

        Raises:
            NotApproved: nobody could approve an order there.
        """
        if self.why_not is not None:
            raise NotApproved(self.why_not)
        async with self._opening:
            if self._is_open or self._beside is None:
                return
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sweep(self._path.parent)
            try:
                listener = await anyio.create_unix_listener(self._path, mode=0o600)
            except OSError as error:
                raise NotApproved(f"Orders cannot be approved in a terminal: {self._path}: {error}.") from None
            self._is_open = True
            self._beside.start_soon(self._listen, listener)

    def close(self) -> None:
        """Leave nothing behind."""
        if self._is_open:
            with suppress(OSError):
                self._path.unlink()

    async def _listen(self, listener: "Listener[SocketStream]") -> None:
        async with listener:
            await listener.serve(self._serve)

    async def _serve(self, stream: "SocketStream") -> None:
        """One line in, one out. Who hangs up, or says nothing, gets nothing; an order that is on its way goes on."""
        async with stream:
            try:
                with anyio.fail_after(_SAID_WITHIN_S):
                    text = await _line_from(stream)
                answer = await self._answer(Request.model_validate_json(text))
                await stream.send(answer.model_dump_json().encode() + b"\n")
            except (TimeoutError, ValidationError, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return

    async def _answer(self, request: Request) -> Answer:
        try:
            if request.wants == "list":
                return Answer(waiting=tuple(map(self._shown, self._desk.waiting_for_terminal())))
            ticket = self._waiting(request)
            if ticket is None:
                return Answer(words=_GONE)
            if request.wants == "decline":
                receipt = await self._desk.decline(ticket.id, "A person declined it in a terminal.", by_person=True)
            elif not await self._is_right(request.secret):
                with suppress(JournalUnavailable):  # it sends nothing, so it needs no record
                    await self._desk.note_wrong_secret(ticket)
                return Answer(words="This is not the approval secret. Nothing was sent.", is_wrong_secret=True)
            else:
                receipt = await self._desk.commit(Approval(ticket.id, request.digest, Channel.TERMINAL))
            return Answer(words=self._of_receipt(receipt))
        except Exception as error:
            words = self._of_failure(error)
            if words is None:
                logging.getLogger(__name__).exception("an approval in a terminal failed")
                words = "It failed inside okx-mcp; the server's log says why. Look with check_order what became of it."
            return Answer(words=words)

    def _shown(self, ticket: "AnyTicket") -> Waiting:
        return Waiting(
            ticket_id=ticket.id,
            digest=ticket.digest,
            lines=tuple(ticket_lines(ticket)),
            needs_secret=self._secret is not None,
        )

    def _waiting(self, request: Request) -> "AnyTicket | None":
        named = (request.ticket_id, request.digest)
        return next((each for each in self._desk.waiting_for_terminal() if (each.id, each.digest) == named), None)

    async def _is_right(self, given: SecretStr) -> bool:
        """Whether it is the secret; where none is set none is asked for. One try at a time, after a growing pause."""
        if self._secret is None:
            return self._desk.account.environment is not Environment.LIVE
        async with self._one_try:
            if self._wrong:
                await self._clock.sleep(min(2.0**self._wrong, _LONGEST_PAUSE_S))
            is_right = await anyio.to_thread.run_sync(self._secret.matches, given.get_secret_value())
            self._wrong = 0 if is_right else self._wrong + 1
        return is_right


async def _line_from(stream: "SocketStream") -> bytes:
    text = b""
    with suppress(anyio.EndOfStream):
        while not text.endswith(b"\n") and len(text) < _LONGEST_REQUEST:
            text += await stream.receive()
    return text


def _sweep(folder: Path) -> None:
    """Take away what servers left that were killed."""
    for path in sockets(folder):
        try:
            _connected(path).close()
        except ConnectionRefusedError:
            with suppress(OSError):
                path.unlink()
        except OSError:
            continue


# --- the terminal's end -------------------------------------------------------------------------------------------


def sockets(folder: Path) -> Iterator[Path]:
    """Where servers of this state folder listen, or did once."""
    for path in sorted(folder.glob(_NAME)):
        found = path.lstat()
        if stat.S_ISSOCK(found.st_mode) and found.st_uid == os.getuid():
            yield path


def ask(path: Path, request: Request) -> Answer | None:
    """What the server there says; None where none listens, or it does not say anything that could be read."""
    said = {**request.model_dump(mode="json"), "secret": request.secret.get_secret_value()}
    try:
        with _connected(path) as connection:
            connection.sendall(json.dumps(said).encode() + b"\n")
            with connection.makefile("rb") as file:
                return Answer.model_validate_json(file.readline(_LONGEST_ANSWER))
    except (OSError, ValidationError):
        return None


def _connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(_ANSWERED_WITHIN_S)
    try:
        connection.connect(os.fspath(path))
    except OSError:
        connection.close()
        raise
    return connection
