"""Where compiled kernels are kept between runs: a folder of the user's cache, named after a digest of what
compiles them, our sources and the versions of Python and Numba.  In it is one for each module that has
kernels, named after a digest of what their code is made of (sources.py).

So an edit or upgrade starts new ones where it must, and copies of the same sources share them.  Folders that
no run has used for a month are removed.

What is kept is machine code and pickles: who can write them can run code as the user who loads them.  So a
folder is used only if nobody else can write into it (`foreign`).
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numba

from .. import log
from ..files import user_cache
from .sources import Sources

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PREFIX = "kernels-"
UNUSED_S = 30 * 24 * 3600


@functools.cache
def folder() -> Path | None:
    """The cache folder, made if need be.  Where the user can have none, a warning says so, and a folder takes
    its place that goes when the process ends; None if not even that can be made."""
    home, why = user_cache(), "there is no home folder"
    if home is not None:
        path = home / f"{PREFIX}{digest()}"
        try:
            if not (why := _prepared(path)):
                return path
        except OSError as error:
            why = f"{path}: {error.strerror or error}"
    log.warning(f"Compiled kernels cannot be kept, and every process compiles them: {why}")
    try:
        passing = tempfile.mkdtemp(prefix=f"minicaffe-{PREFIX}")
    except OSError:
        return None
    atexit.register(shutil.rmtree, passing, ignore_errors=True)
    return Path(passing)


def _prepared(path: Path) -> str:
    """Make a cache folder if need be; why it cannot be trusted, or nothing.  OSError if it cannot be made.

    Whether it can be written is found out when something is stored: one that cannot may hold all that is
    needed.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    if why := foreign(path):
        return f"{why}; delete it, or choose another place"
    with suppress(OSError):
        os.utime(path)
    _remove_unused(path)
    return ""


def kept() -> list[Path]:
    """All cache folders, those of other versions of the sources too."""
    home = user_cache()
    return [path for path in sorted(home.glob(f"{PREFIX}*")) if path.is_dir()] if home is not None else []


def foreign(path: Path) -> str:
    """Why others could have written what lies in a cache folder; empty if only this user could, or root.

    The folder above must not be everybody's either, who could put another in its place.  Its group may write
    there: such a folder is what a user gets whose group is the user's own.
    """
    if not hasattr(os, "geteuid"):  # Windows, where a user's folders are the user's alone
        return ""
    for place, writers in (path.parent, stat.S_IWOTH), (path, stat.S_IWOTH | stat.S_IWGRP):
        found = place.stat() if place != path else place.lstat()
        if stat.S_ISLNK(found.st_mode):
            return f"{place} is a link"
        if found.st_uid not in (os.geteuid(), 0):
            return f"{place} belongs to another user (uid {found.st_uid})"
        if found.st_mode & writers:
            return f"others can write into {place} (mode {stat.S_IMODE(found.st_mode):04o})"
    return ""


def _remove_unused(used: Path) -> None:
    for old in (*kept(), *used.iterdir()):
        with suppress(OSError):  # another process may be removing it too
            if old != used and old.is_dir() and time.time() - old.stat().st_mtime > UNUSED_S:
                shutil.rmtree(old, ignore_errors=True)


@contextmanager
def alone(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Wait until no other process is in a block of this name; where the system has no such locks, go on.
    Without `wait`, BlockingIOError if there is one."""
    if fcntl is None:
        yield
        return
    path.parent.mkdir(exist_ok=True)
    with open(path, "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def digest() -> str:
    """Of the sources of what compiles, and of what it is done with."""
    with_what = f"{sys.version_info[:2]} {numba.__version__} "
    ours = Sources.ours().digest(["kernels/compile_server.py"])
    return hashlib.sha256((with_what + ours).encode()).hexdigest()[:16]
