"""A folder that appears whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ... import log
from ...errors import DataError
from ...files import sync_folder, temporary_name

MANY = 64  # files


@contextmanager
def new_folder(home: Path) -> Iterator[Path]:
    """A folder to write to, which takes the name `home` when the block ends without an error, and else is
    removed; what earlier runs for `home` left when they were killed is removed too."""
    if os.path.lexists(home):
        raise DataError(f"{home}: exists already", hint="remove it, or name another folder with -o")
    scratch = temporary_name(home)
    try:
        _remove_abandoned(home)
        scratch.mkdir()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _cannot(home, error) from None
    try:
        yield scratch
        os.rename(scratch, home)
        sync_folder(home.parent)
    except OSError as error:
        raise _cannot(home, error) from None
    except DataError as error:  # of a writer, which knows but the folder's other name
        error.message = error.message.replace(os.fspath(scratch), os.fspath(home))
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _remove_abandoned(home: Path) -> None:
    """Remove the folders of runs for `home` that have ended without doing so."""
    temporary = re.compile(re.escape(f".{home.name}.") + r"([0-9]{1,9})-[0-9a-f]+\.part")  # temporary_name
    for path in list(home.parent.iterdir()):
        if (found := temporary.fullmatch(path.name)) is None:
            continue
        if _runs(int(found[1])):
            log.warning(f"{path} belongs to process {found[1]}, which runs: left as it is")
            continue
        shutil.rmtree(path, ignore_errors=True)
        log.warning(f"removed {path}, which an interrupted run had left")


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError as error:
        return error.errno == errno.EPERM
    return True


def sync(folder: Path) -> None:
    """Make sure that all files below a folder have reached the disk: many of them at once, since to wait for
    each takes long."""
    if hasattr(os, "sync") and sum(len(names) for _, _, names in os.walk(folder)) > MANY:
        os.sync()
        return
    for where, _, names in os.walk(folder):
        for name in names:
            handle = os.open(os.path.join(where, name), os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        sync_folder(where)


def _cannot(home: Path, error: Exception) -> DataError:
    reason = getattr(error, "strerror", None) or str(error)
    if inside := re.search(r"errno = (\d+)", reason):  # as HDF5 words it
        reason = os.strerror(int(inside[1]))
    return DataError(f"cannot write {home}: {reason}")
