"""The log: on standard error, one line of JSON for each event, without anything that anybody could sign with.

Whatever a message holds, it stays within its record: JSON escapes line ends and control characters. Secrets are taken
out by value and by name, of tracebacks too. What nobody caught, in whatever thread, is an event like any other.
"""

import faulthandler
import json
import logging
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Final

from okx_mcp.okx.redaction import Redaction, without_named_secrets

if TYPE_CHECKING:
    from okx_mcp.config import Settings

__all__ = ["log_to_stderr"]

_LONGEST_MESSAGE: Final = 2_000
_LONGEST_TRACEBACK: Final = 10_000
"""Characters; of a longer one the end is kept, where the error is."""

_log: Final = logging.getLogger(__name__)


def log_to_stderr(settings: "Settings") -> None:
    """Log warnings and worse, for the whole process, and make everything that Python would print itself an event."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneRecord(Redaction(settings.credentials, settings.proxy)))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.raiseExceptions = False  # else an event that cannot be written is printed as it is
    logging.captureWarnings(capture=True)
    faulthandler.disable()
    sys.excepthook = _uncaught
    threading.excepthook = lambda left: _uncaught(left.exc_type, left.exc_value, left.exc_traceback)
    sys.unraisablehook = lambda left: _uncaught(left.exc_type, left.exc_value, left.exc_traceback)


class _OneRecord(logging.Formatter):
    def __init__(self, redaction: Redaction) -> None:
        super().__init__()
        self._redaction = redaction

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S.%f}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": self._without_secrets(_message(record))[:_LONGEST_MESSAGE],
        }
        if record.exc_info:
            told["exception"] = self._without_secrets(self.formatException(record.exc_info))[-_LONGEST_TRACEBACK:]
        return json.dumps(told)

    def _without_secrets(self, text: str) -> str:
        return without_named_secrets(self._redaction.thoroughly(text))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  # a message that does not fit its arguments is an event all the same
        return str(record.msg)


def _uncaught(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    _log.critical("nobody caught this", exc_info=(kind, error, traceback) if error else None)
