"""Canary credentials on every way out of the program: results, errors, logs at every level, crashes, reprs, files.

The exchange repeats them in its words and headers, in every form in which a text turns up elsewhere; tools, threads and
tasks crash with them; settings are wrong in a way that touches them. Nothing that leaves may hold one, nor a piece of
one that is ten characters long. What is looked for is made here, and not with the code that takes it out.
"""

import asyncio
import base64
import io
import json
import logging
import pickle
import random
import signal
import string
import sys
import threading
import traceback
import urllib.parse
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from mcp import Client, MCPError
from mcp.server.mcpserver import MCPServer

from okx_mcp.config import Settings, SettingsError, load_settings
from okx_mcp.logs import log_to_stderr
from okx_mcp.okx.signing import Credentials, Secret
from okx_mcp.paper.api.keys import PaperKey
from okx_mcp.paper.exchange import PaperExchange
from okx_mcp.server import ServerParts, create_server
from tests.proving.loopback import Loopback
from tests.proving.malformed import greeting
from tests.proving.tally import Story, Tally
from tests.whole.stdio import Person, resting_order, server_command, server_environ

__all__ = ["VIOLATIONS", "run"]

VIOLATIONS: Final = ("leaked",)

_PIECE: Final = 10
_SAID: Final = 300
_FORMS: Final[tuple[Callable[[str], str], ...]] = (
    str,
    repr,
    json.dumps,
    lambda secret: json.dumps(json.dumps(secret)),
    urllib.parse.quote,
    lambda secret: urllib.parse.quote(secret, safe=""),
    urllib.parse.quote_plus,
    lambda secret: secret.encode().hex(),
    lambda secret: secret.encode().hex().upper(),
    lambda secret: base64.b64encode(secret.encode()).decode(),
    lambda secret: base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
)
_ECHOED_AT: Final = (
    "/public/time",
    "/account/config",
    "/account/balance",
    "/account/instruments",
    "/account/trade-fee",
    "/market/ticker",
    "/public/price-limit",
    "/trade/order",
    "/trade/orders-pending",
    "/trade/cancel-order",
    "/system/status",
)
_CODES: Final = ("50000", "50004", "50014", "50113", "51000", "51008", "99999", "1", "0")
_MARKED: Final = string.ascii_letters + string.digits + "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ "


def run(numbers: range, seed: int, folder: Path) -> Tally:
    """The cases of these numbers."""
    tally = Tally()
    for number in numbers:
        draw = random.Random(f"{seed}/{number}")  # noqa: S311  # a seed that fails is a seed that replays
        story = Story(number)
        case = _Case(draw, story, tally, folder / str(number))
        case.folder.mkdir(mode=0o700)
        kind = draw.choice(_KINDS)
        tally.faults[kind.__name__.strip("_")] += 1
        story.tell(kind.__name__.strip("_"))
        with _captured() as said:
            kind(case)
        case.looks_at("standard output and error", said.getvalue())
        for file in case.folder.rglob("*"):
            if file.is_file() and file.name != "config.toml":
                case.looks_at(f"the file {file.name}", file.read_bytes().decode("latin-1"))
        tally.n += 1
    return tally


class _Case:
    """One set of canaries, and what is done with it."""

    def __init__(self, draw: random.Random, story: Story, tally: Tally, folder: Path) -> None:
        self.draw = draw
        self.folder = folder
        self._story = story
        self._tally = tally
        hexes = "0123456789abcdef"
        parts = ("".join(draw.choices(hexes, k=length)) for length in (8, 4, 4, 4, 12))
        passphrase = "".join(draw.choices(_MARKED, k=draw.randint(12, 32))).strip()
        self.key = "-".join(parts)
        self.secret = "".join(draw.choices(hexes.upper(), k=32))
        self.passphrase = passphrase if len(passphrase) >= _PIECE else f"{passphrase}Aa1!Aa1!Aa1!"
        self.password = "".join(draw.choices(string.ascii_letters, k=16))
        self.proxy = f"http://user:{self.password}@127.0.0.1:9"
        self.all = (self.key, self.secret, self.passphrase, self.password)

    @property
    def credentials(self) -> Credentials:
        return Credentials(Secret(self.key), Secret(self.secret), Secret(self.passphrase))

    def an_echo(self) -> str:
        """Some of the secrets, in some form, somewhere in a sentence."""
        secrets = self.draw.sample(self.all[:3], self.draw.randint(1, 3))
        told = " ".join(self.draw.choice(_FORMS)(secret) for secret in secrets)
        return f"{'word ' * self.draw.choice((0, 3, 37, 39))}{told}{self.draw.choice(('', ' and more', '!'))}"

    def settings(self, address: str | None = None) -> Settings:
        environ = {"OKX_API_KEY": self.key, "OKX_SECRET_KEY": self.secret, "OKX_PASSPHRASE": self.passphrase}
        if address:
            environ |= {"OKX_ENV": "paper", "OKX_API_BASE_URL": address}
        config = self.folder / "config.toml"
        config.touch(0o600)
        return load_settings(environ, {}, config_file=config, state_dir=self.folder / "state")

    def looks_at(self, where: str, text: str) -> None:
        """Blame every secret, every form and every piece of one that is there."""
        for secret in self.all:
            forms = {form(secret).strip("\"'=") for form in _FORMS}
            pieces = {secret[at : at + _PIECE] for at in range(len(secret) - _PIECE + 1)}
            found = next((each for each in (*forms, *pieces) if each in text), None)
            if found is not None:
                at = text.index(found)
                self._story.tell(f"{found!r} in {text[max(0, at - 100) : at + 100]!r}")
                self._tally.blame(self._story.fails("leaked", f"a secret is in {where}"))


@contextmanager
def _captured() -> Iterator[io.StringIO]:
    """Everything this process would say, the log at its lowest level; and afterwards everything as it was."""
    said = io.StringIO()
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook, logging.raiseExceptions
    handlers, level = logging.root.handlers[:], logging.root.level
    streams = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = said
    try:
        yield said
    finally:
        sys.stdout, sys.stderr = streams
        sys.excepthook, threading.excepthook, sys.unraisablehook, logging.raiseExceptions = hooks
        logging.captureWarnings(capture=False)
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)


# --- what is done with them ---------------------------------------------------------------------------------------


def _echoes(case: _Case) -> None:
    """The exchange repeats them, in codes that are refusals and in codes that are not, in words and in headers."""
    asyncio.run(_calls(case, _Echoing(case)))


def _crashes_in_tools(case: _Case) -> None:
    """A part of the server breaks with them in its words."""

    def breaks(server: MCPServer, parts: ServerParts) -> None:
        del server

        async def fails(*_: object, **__: object) -> None:
            raise case.draw.choice((ValueError, KeyError, OSError, RuntimeError))(case.an_echo())

        for name in case.draw.sample(("ticker", "balance", "account_config", "system_status"), 2):
            setattr(parts.exchange, name, fails)

    asyncio.run(_calls(case, _Echoing(case, is_honest=True), breaks))


def _crashes_elsewhere(case: _Case) -> None:
    """In threads, tasks, hooks and finalizers, and in the log's own messages."""
    log_to_stderr(replace(case.settings(), proxy=case.proxy))
    logging.root.setLevel(logging.DEBUG)
    log = logging.getLogger(case.draw.choice(("httpx2", "httpcore2.http11", "mcp", "asyncio", "okx_mcp")))
    words = case.an_echo()
    thread = threading.Thread(target=int, args=(words,))
    thread.start()
    thread.join()
    try:
        raise ValueError(words) from KeyError(case.proxy)  # noqa: TRY301
    except ValueError as error:
        log.exception("failed with %s", words)
        sys.excepthook(type(error), error, error.__traceback__)
        error.add_note(case.password)
        log.debug("noted", exc_info=error)
    log.debug("request=%r headers=%r", case.proxy, [(b"OK-ACCESS-KEY", case.key.encode()), ("x", words)])
    log.info("%d", words)
    log.warning("%s %s", words)  # noqa: PLE1206
    log.error({"passphrase": case.passphrase, "deep": [words, {case.secret: case.key}]})
    warnings.warn(words, stacklevel=1)

    async def task_fails() -> None:
        asyncio.get_running_loop().call_soon(int, words)
        await asyncio.sleep(0)

    asyncio.run(task_fails())


def _wrong_settings(case: _Case) -> None:
    """A file and an environment that hold them, bent until they are refused."""
    lines = [
        "[profiles.a]",
        f"api_key = {json.dumps(case.key)}",
        f"secret_key = {json.dumps(case.secret)}",
        f"passphrase = {json.dumps(case.passphrase)}",
        f'proxy = "{case.proxy}"',
    ]
    for _ in range(case.draw.randint(1, 3)):
        at = case.draw.randrange(len(lines))
        line = lines[at]
        lines[at] = case.draw.choice(
            (
                line[: case.draw.randint(0, len(line))],
                f"{line} {line}",
                line.replace("=", ":"),
                line.replace('"', ""),
                "",
            )
        )
    config = case.folder / "config.toml"
    config.write_text("\n".join(lines))
    config.chmod(case.draw.choice((0o600, 0o600, 0o644)))
    environ = case.draw.choice(({}, {"OKX_API_KEY": case.key}, {"OKX_PASSPHRASES": case.passphrase}))
    flags = {"profile": "a", "site": case.draw.choice((None, case.secret)), "environment": None}
    try:
        settings = load_settings(environ, flags, config_file=config, state_dir=case.folder)
    except SettingsError as error:
        case.looks_at("the refusal", str(error))
        case.looks_at("its traceback", "".join(traceback.format_exception(error)))
    else:
        case.looks_at("the settings", f"{settings!r} {settings} {settings.in_words}")


def _reprs(case: _Case) -> None:
    """Whatever holds them is shown, copied and pickled."""
    settings = replace(case.settings("http://127.0.0.1:9"), proxy=case.proxy)
    parts = ServerParts(settings)
    held: list[Any] = [
        settings,
        settings.credentials,
        parts,
        parts.exchange,
        parts.desk,
        vars(settings.credentials.__class__),
    ]
    for each in held:
        case.looks_at(f"a repr of {type(each).__name__}", f"{each!r} {each}")
        case.looks_at("its fields", str(getattr(each, "__dict__", "")))
        with suppress(Exception):
            case.looks_at("its pickle", pickle.dumps(each).decode("latin-1"))
    with suppress(TypeError):
        case.looks_at("JSON", json.dumps(settings.credentials, default=str))
    asyncio.run(parts.aclose())


def _ends_by_a_signal(case: _Case) -> None:
    """The real server, on an exchange that repeats them, is stopped in the middle of its work."""
    asyncio.run(_signalled(case, _Echoing(case)))


async def _signalled(case: _Case, echoing: "_Echoing") -> None:
    loopback = Loopback(echoing.handle)
    await loopback.open()
    command = server_command(case.folder, server_environ(echoing.exchange, loopback.address))
    pipe = asyncio.subprocess.PIPE
    server = await asyncio.create_subprocess_exec(
        command.command, *command.args, env=command.env, stdin=pipe, stdout=pipe, stderr=pipe
    )
    assert server.stdin is not None
    assert server.stdout is not None
    calls: list[dict[str, Any]] = [
        {"jsonrpc": "2.0", "id": tool, "method": "tools/call", "params": {"name": tool, "arguments": {}}}
        for tool in ("get_balance", "system_status")
    ]
    server.stdin.write(b"".join(json.dumps(each).encode() + b"\n" for each in (*greeting("2025-11-25"), *calls)))
    said = await server.stdout.readline()
    await asyncio.sleep(case.draw.choice((0.0, 0.1, 0.3)))
    with suppress(ProcessLookupError):
        server.send_signal(case.draw.choice((signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGABRT)))
    output, log = await server.communicate()
    loopback.close()
    case.looks_at("what the server said", (said + output + log).decode("utf-8", "replace"))


_KINDS: Final = (
    _ends_by_a_signal,
    _echoes,
    _echoes,
    _echoes,
    _crashes_in_tools,
    _crashes_elsewhere,
    _wrong_settings,
    _wrong_settings,
    _reprs,
)


class _Echoing:
    """A paper exchange that knows the canaries as its key, and repeats them."""

    def __init__(self, case: _Case, *, is_honest: bool = False) -> None:
        self.exchange = PaperExchange(keys=[PaperKey(case.credentials)], rate_limits=False)
        self._case = case
        self._where = () if is_honest else case.draw.sample(_ECHOED_AT, case.draw.randint(1, 4))
        self._words = case.an_echo()
        self._code = case.draw.choice(_CODES)

    def handle(
        self, method: str, target: bytes, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        status, fields, answer = self.exchange.handle(method, target, headers, body)
        if not target.decode("latin-1").partition("?")[0].endswith(tuple(self._where) or "\0"):
            return status, fields, answer
        words = f"{self._words} {headers.get('ok-access-sign', '')}"
        envelope = json.loads(answer)
        rows = [
            {**row, "sCode": self._code, "sMsg": words, "title": words, "cancelSourceReason": words}
            if isinstance(row, dict)
            else row
            for row in envelope.get("data", [])
        ]
        told = {**envelope, "code": self._code, "msg": words, "data": rows}
        return status, {**fields, "x-trace-id": words.encode("ascii", "replace").decode()}, json.dumps(told).encode()


async def _calls(
    case: _Case, echoing: _Echoing, breaks: Callable[[MCPServer, ServerParts], None] = lambda *_: None
) -> None:
    """A client calls every tool; all it gets is looked at."""
    loopback = Loopback(echoing.handle)
    await loopback.open()
    settings = case.settings(loopback.address)
    log_to_stderr(settings)
    logging.root.setLevel(case.draw.choice((logging.DEBUG, logging.WARNING)))
    parts = ServerParts(settings)
    server = create_server(settings, parts=parts)
    breaks(server, parts)
    order = resting_order(echoing.exchange)
    person = Person("accept", {"place": True})
    try:
        async with Client(server, elicitation_callback=case.draw.choice((None, person.answer))) as client:
            for tool, arguments in (
                ("system_status", {}),
                ("get_ticker", {"inst_id": "BTC-USDT"}),
                ("get_balance", {}),
                ("place_limit_order", order),
                ("cancel_order", {"order_id": "1", "inst_id": "BTC-USDT"}),
                ("halt_trading", {}),
            ):
                try:
                    async with asyncio.timeout(2):
                        case.looks_at(
                            f"the result of {tool}", (await client.call_tool(tool, arguments)).model_dump_json()
                        )
                except (MCPError, TimeoutError) as error:
                    case.looks_at(f"the error of {tool}", str(error))
    finally:
        loopback.close()
    case.looks_at("a question to the person", "\n".join(person.asked))
