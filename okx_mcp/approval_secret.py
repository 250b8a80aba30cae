"""The secret that a person types to approve orders in a terminal, kept only as a salted slow hash.

Who reads the file cannot approve with it, and has to try secret after secret, a quarter of a second each.
"""

import hashlib
import hmac
import json
import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from okx_mcp.private_files import NotPrivate, read_private

__all__ = ["LEAST_CHARACTERS", "ApprovalSecret", "SecretUnusable", "read_secret", "write_secret"]

LEAST_CHARACTERS: Final = 12
_COST, _BLOCK, _PARALLEL = 2**15, 8, 3
"""OWASP's parameters for scrypt with 32 MiB."""
_KNOWN: Final = frozenset({(_COST, _BLOCK, _PARALLEL)})
_HEX: Final = re.compile(r"[0-9a-f]{96}", re.ASCII)
"""16 bytes of salt and 32 of hash."""
_MOST_MEMORY: Final = 64 * 2**20
_LONGEST_FILE: Final = 1_000
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)


class SecretUnusable(Exception):
    """The file is there and cannot be trusted or read; so nothing is approved by it."""


@dataclass(frozen=True, slots=True)
class ApprovalSecret:
    """What is kept of a secret: scrypt's parameters, the salt and the hash, both in hex."""

    cost: int
    block: int
    parallel: int
    salt: str
    digest: str

    @classmethod
    def of(cls, text: str) -> "ApprovalSecret":
        """Keep this one, with a salt of its own."""
        salt = secrets.token_hex(16)
        return cls(_COST, _BLOCK, _PARALLEL, salt, _slow_hash(text, salt, _COST, _BLOCK, _PARALLEL))

    def matches(self, text: str) -> bool:
        """Whether this is the secret. Takes a quarter of a second, and as long whatever is wrong."""
        tried = _slow_hash(text, self.salt, self.cost, self.block, self.parallel)
        return hmac.compare_digest(tried, self.digest)


def read_secret(path: Path) -> ApprovalSecret | None:
    """What is kept of the secret; None where none was set.

    Raises:
        SecretUnusable: it is a link, another user's, open to others, or not what we wrote.
    """
    try:
        kept = _parsed(read_private(path, _LONGEST_FILE))
    except FileNotFoundError:
        return None
    except NotPrivate as error:
        raise SecretUnusable(str(error)) from None
    except OSError as error:
        raise SecretUnusable(f"{path} cannot be read: {error.strerror}") from None
    if kept is None:
        raise SecretUnusable(f"{path} is not what okx-mcp wrote")
    return kept


def _parsed(text: bytes) -> ApprovalSecret | None:
    try:
        kept = ApprovalSecret(**json.loads(text))
        is_ours = (kept.cost, kept.block, kept.parallel) in _KNOWN and _HEX.fullmatch(kept.salt + kept.digest)
    except (ValueError, TypeError, RecursionError):
        return None
    return kept if is_ours else None


def write_secret(path: Path, secret: ApprovalSecret) -> None:
    """Keep it from now on: whole or not at all, readable by its owner alone.

    Raises:
        OSError: it could not be written, and what was kept before still is.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump({name: getattr(secret, name) for name in ApprovalSecret.__slots__}, file)
            file.flush()
            os.fsync(descriptor)
        fresh.replace(path)
    except OSError:
        with suppress(OSError):
            fresh.unlink()
        raise


def _slow_hash(text: str, salt: str, cost: int, block: int, parallel: int) -> str:
    given = text.encode("utf-8", "surrogateescape")
    return hashlib.scrypt(
        given, salt=bytes.fromhex(salt), n=cost, r=block, p=parallel, maxmem=_MOST_MEMORY, dklen=32
    ).hex()
