"""The token: who has it may do what the page can do.  It is kept in a file that only its owner reads."""

from __future__ import annotations

import hmac
import os
import re
import secrets
import stat
from pathlib import Path

from ..errors import DataError
from ..files import sync_folder, temporary_name

FILE = "token"
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 random bytes


def token(scratch: Path, *, new: bool = False) -> str:
    """The token of a workspace: the one it had, unless a new one is wanted or others could have read it."""
    if not new and (kept := _kept(scratch / FILE)) is not None:
        return kept
    made = secrets.token_urlsafe(32)
    write_private(scratch / FILE, made + "\n")
    return made


def is_right(given: str, token: str) -> bool:
    """Whether a token is the right one, in a time that does not tell how much of it is right."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())


def _kept(path: Path) -> str | None:
    """The token in a file; None if there is none, or if somebody else could have read or written it."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with open(handle, "rb") as file:
        facts = os.fstat(handle)
        private = not facts.st_mode & (stat.S_IRWXG | stat.S_IRWXO) and facts.st_uid == os.getuid()
        if not (stat.S_ISREG(facts.st_mode) and private):
            return None
        found = file.read(100).decode("ascii", "replace").strip()
    return found if TOKEN.fullmatch(found) else None


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, from its first byte on.  DataError if that fails."""
    temporary = temporary_name(path)
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(handle, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(handle)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None
    sync_folder(path.parent)
