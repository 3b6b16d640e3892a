"""Files in the cache folder: the SHA-256 of the rest, 32 bytes, and the rest.  One that is there is whole: it
takes its name when it is complete."""

from __future__ import annotations

import functools
import hashlib
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from .. import log

CHECK_BYTES = 32
Made = TypeVar("Made")


def read(path: Path, make: Callable[[bytes], Made]) -> Made | None:
    """What `make` makes of the content; None if there is no such file.  One that is damaged is said to be so,
    and goes."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    try:
        if hashlib.sha256(content[CHECK_BYTES:]).digest() != content[:CHECK_BYTES]:
            raise ValueError("its check sum is wrong")
        made = make(content[CHECK_BYTES:])
    except Exception as error:  # whatever unpickling raises
        log.warning(f"{path} is damaged and made anew: {error}")
        with suppress(OSError):
            path.unlink()
        return None
    _note_use(path.parent)
    return made


@functools.cache
def _note_use(folder: Path) -> None:
    """Once in a process: cache.py removes what is not used for long."""
    with suppress(OSError):  # it may be another user's, or read-only
        os.utime(folder)


def write(path: Path, content: bytes) -> None:
    """Make the file, or take the place of the one that is there.  OSError if that cannot be."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        unfinished.write_bytes(hashlib.sha256(content).digest() + content)
        unfinished.replace(path)
    finally:
        with suppress(OSError):
            unfinished.unlink()


class Full:
    """Whether it was said, once in a process, that nothing more can be kept."""

    said = False


def complain(folder: Path, reason: str) -> None:
    """Say so, if it was not said yet."""
    if not Full.said:
        Full.said = True
        log.warning(f"Compiled kernels cannot be kept in {folder}: {reason}; every process compiles them")
