"""Files that are either whole or absent, and where those go that can be made again."""

from __future__ import annotations

import errno
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

Content = bytes | Callable[[BinaryIO], object]


def write_atomic(path: str | os.PathLike, content: Content) -> None:
    """Write `content` (bytes, or a function that writes to the open file) so that `path` is never seen
    half-written.

    The bytes go to a temporary file in the same folder, reach the disk (fsync), and take the name in one step
    (rename); then the folder is synced, so that the name survives a power cut too.  On any error the
    temporary file is removed and what `path` held before is untouched.

    Raises OSError (no such folder, no permission, disk full) as the system reports it.
    """
    write_together({path: content})


def write_together(contents: Mapping[Any, Content]) -> None:
    """Write several files as `write_atomic` does one.  None takes its name before all have reached the disk,
    so that a full disk leaves every one as it was; then they take their names in the order given.

    A name that stands for no file, such as /dev/stdout or a pipe, is written to, last: a file that takes its
    name would destroy it.  A folder's is refused before anything is written.
    """
    temporaries: dict[Path, Path] = {}
    streams = {path: content for path, content in contents.items() if _is_stream(Path(path))}
    try:
        for name, content in contents.items():
            if name in streams:
                continue
            path = Path(name)
            temporary = temporary_name(path)
            temporaries[path] = temporary
            with open(temporary, "xb") as file:
                _put(content, file)
                file.flush()
                os.fsync(file.fileno())
        for path, temporary in temporaries.items():
            os.replace(temporary, path)
    except BaseException:
        for temporary in temporaries.values():
            temporary.unlink(missing_ok=True)
        raise
    for folder in {path.parent for path in temporaries}:
        sync_folder(folder)
    for name, content in streams.items():
        with open(name, "wb") as stream:
            _put(content, stream)


def temporary_name(path: str | os.PathLike) -> Path:
    """A name beside `path` that nobody else has: hidden, with the number of the process that will give it
    up."""
    path = Path(path)
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")


def probe(path: str | os.PathLike) -> None:
    """Try whether a file can be written as `path`, without touching what is there: OSError if not."""
    temporary = temporary_name(path)
    open(temporary, "xb").close()
    temporary.unlink()


def _put(content: Content, file: BinaryIO) -> None:
    if callable(content):
        content(file)
    else:
        file.write(content)


def _is_stream(path: Path) -> bool:
    """Whether the name is that of a device or a pipe; IsADirectoryError for a folder."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "Is a directory", str(path))
    return path.exists() and not path.is_file()


def sync_folder(folder: str | os.PathLike) -> None:
    """Make renames in `folder` durable; a no-op where folders cannot be synced."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def user_cache() -> Path | None:
    """The platform's folder for things that can be made again; None for a user without a home."""
    try:
        if sys.platform == "win32":
            root = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        elif sys.platform == "darwin":
            root = Path.home() / "Library" / "Caches"
        else:
            root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:  # no HOME, and no entry in the password file
        return None
    return Path(root) / "minicaffe"
