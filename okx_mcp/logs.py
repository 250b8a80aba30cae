"""Logging to standard error, with every secret taken out of every line, tracebacks included."""

import logging
import sys

from okx_mcp.okx.signing import Credentials
from okx_mcp.redaction import Redaction

__all__ = ["log_to_stderr"]


class _Redacting(logging.Formatter):
    def __init__(self, redaction: Redaction) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")
        self._redaction = redaction

    def format(self, record: logging.LogRecord) -> str:
        return self._redaction.of(super().format(record))


def log_to_stderr(credentials: Credentials | None) -> None:
    """Log warnings and worse, for the whole process, and nothing that anybody could sign with."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Redacting(Redaction(credentials)))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
