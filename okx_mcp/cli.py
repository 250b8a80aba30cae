"""The okx-mcp command: serve (the default), try, paper, approve, halt, resume, journal."""

import argparse
import gc
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from okx_mcp import __version__

if TYPE_CHECKING:
    from okx_mcp.config import Settings

__all__ = ["main"]

_USAGE_ERROR = 2
_OF_TOOLS = ("toolsets", "read_only")
_WITHOUT_SETTINGS = ("try", "paper", "approve", "resume", "journal")
_SERVER_FLAGS = ("profile", "env", "site", "config")
_DESCRIPTION = "An MCP server that reads and trades an OKX account. Without a command it serves over stdio."
_EPILOG = (
    "Settings: OKX_ENV (paper, demo, live), OKX_SITE (global, eea, us), OKX_API_KEY, OKX_SECRET_KEY, OKX_PASSPHRASE, "
    "OKX_PROFILE, OKX_API_BASE_URL (another paper exchange on this machine), or a TOML file; see README.md."
)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command; ends the process."""
    _open_missing_streams()
    parser = _parser()
    given, unknown = parser.parse_known_args(arguments)
    if unknown:  # argparse would repeat what may be a secret
        parser.error(f"unknown argument {unknown[0].partition('=')[0] if unknown[0].startswith('-') else ''}")
    meaningless = [
        *(_SERVER_FLAGS if given.command in _WITHOUT_SETTINGS else ()),
        *(_OF_TOOLS if given.command not in (None, "serve") else ()),
    ]
    for flag in meaningless:
        if getattr(given, flag):
            parser.error(f"--{flag.replace('_', '-')} means nothing to {given.command}")
    match given.command:
        case "try":
            from okx_mcp.first_run import run_first_run

            sys.exit(run_first_run())
        case "paper":
            sys.exit(_run_paper(given))
        case "approve":
            sys.exit(_run_approve(given))
        case "halt" | "resume":
            sys.exit(_run_halt_or_resume(given))
        case "journal":
            sys.exit(_run_journal(given))
        case _:
            _serve(given)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Without the word that was not understood, for it may be a secret in the wrong place."""
        super().error(re.sub(r"invalid choice: '.*' \(", "invalid choice (", message))


def _open_missing_streams() -> None:
    """A client may start us with a standard stream closed; then the next file opened would take its place."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115  # open for good
            if stream.fileno() != number:
                os.dup2(stream.fileno(), number)
            setattr(sys, name, stream)


def _tell(line: str) -> None:
    """A line for the person who starts it. Nobody reading it is no reason not to serve."""
    with suppress(OSError):
        print(f"okx-mcp{line}", file=sys.stderr, flush=True)  # noqa: T201


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("okx-mcp", description=_DESCRIPTION, epilog=_EPILOG, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"okx-mcp {__version__}")
    parser.add_argument("--profile", help="a profile of the configuration file")
    parser.add_argument("--env", help="paper, demo or live")
    parser.add_argument("--site", help="global, eea or us: where the account was registered")
    parser.add_argument("--config", type=Path, help="the configuration file, in place of the usual one")
    parser.add_argument("--toolsets", help="only these tools: market, account, trade, reference; with commas")
    parser.add_argument("--read-only", action="store_true", help="only tools that change nothing")
    parser.add_argument("--state-dir", type=Path, help="where the journal and the paper account are kept")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("serve", help="serve MCP over stdio (the default)")
    commands.add_parser("try", help="watch a client place an order on a fresh paper exchange")
    paper = commands.add_parser("paper", help="run the paper exchange on this machine for any v5 client")
    paper.add_argument("--port", type=int, default=8787, help="0 picks a free one (default: 8787)")
    paper.add_argument("--seed", type=int, default=1, help="which invented market (default: 1)")
    paper.add_argument("--reset", action="store_true", help="start over with a fresh account")
    halt = commands.add_parser("halt", help="stop sending orders, in every server of this state folder")
    halt.add_argument("--cancel-all", action="store_true", help="cancel every open order of the account too")
    commands.add_parser("resume", help="let orders through again; for a person at a terminal")
    approve = commands.add_parser("approve", help="read the orders that wait, and approve or decline each")
    approve.add_argument("--set-secret", action="store_true", help="set the secret that live orders are approved with")
    journal = commands.add_parser("journal", help="what happened, and whether the record is what was written")
    journal.add_argument("action", nargs="?", choices=("list", "verify"), default="list")
    journal.add_argument("--day", help="only this day, UTC: 2026-11-26")
    journal.add_argument("--order", help="only this order: its ticket id or ordId")
    journal.add_argument("--json", action="store_true", help="JSON lines")
    return parser


def _settings(given: argparse.Namespace) -> "Settings":
    """Those of the server; ends the process where they are wrong."""
    from okx_mcp.config import SettingsError, load_settings

    try:
        return load_settings(
            os.environ,
            {"profile": given.profile, "environment": given.env, "site": given.site},
            config_file=given.config,
            state_dir=given.state_dir,
            toolsets=given.toolsets,
            read_only=given.read_only,
        )
    except SettingsError as error:
        _tell(f": {error}")
        sys.exit(_USAGE_ERROR)


def _serve(given: argparse.Namespace) -> NoReturn:
    gc.disable()  # until `serve` runs: nothing that starting makes is garbage
    settings = _settings(given)

    import threading

    from okx_mcp.logs import log_to_stderr
    from okx_mcp.server import create_server
    from okx_mcp.serving import serve

    log_to_stderr(settings)
    _tell(f" {__version__}: {settings.in_words}")
    closed = threading.Event()
    serve(create_server(settings, closed.set), closed)


def _run_halt_or_resume(given: argparse.Namespace) -> int:
    from okx_mcp.config import default_state_dir
    from okx_mcp.terminal.halting import run_halt, run_resume

    state_dir = given.state_dir or default_state_dir()
    if given.command == "resume":
        return run_resume(state_dir)
    return run_halt(state_dir, (lambda: _settings(given)) if given.cancel_all else None)


def _run_approve(given: argparse.Namespace) -> int:
    from okx_mcp.config import default_state_dir
    from okx_mcp.terminal.approving import run_approve, run_set_secret

    return (run_set_secret if given.set_secret else run_approve)(given.state_dir or default_state_dir())


def _run_journal(given: argparse.Namespace) -> int:
    import signal

    from okx_mcp.config import default_state_dir
    from okx_mcp.terminal.journal import list_journal, verify_journal

    if hasattr(signal, "SIGPIPE"):  # whoever reads only its beginning has read enough
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)

    state_dir = given.state_dir or default_state_dir()
    if given.action == "verify":
        return verify_journal(state_dir)
    return list_journal(state_dir, day=given.day, order=given.order, as_json=given.json)


def _run_paper(given: argparse.Namespace) -> int:
    from okx_mcp.config import default_state_dir
    from okx_mcp.paper.serve import run_paper

    return run_paper(given.port, given.seed, given.state_dir or default_state_dir(), reset=given.reset)
