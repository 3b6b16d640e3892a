"""Writing what a command makes: files all whole or none at all; devices and pipes as a stream."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import DataError
from ..files import write_together


def write(contents: Mapping[str, bytes]) -> None:
    """Write files by name, together; DataError if that cannot be, and then no file has changed.

    A name that stands for no file, such as /dev/stdout, /dev/null or a pipe, is written to: a file that takes
    its name would destroy it.
    """
    streams = {path: content for path, content in contents.items() if _is_stream(path)}
    try:
        for path in contents:
            if Path(path).is_dir():  # or else the files before it would have taken their names
                raise IsADirectoryError(0, "Is a directory")
        write_together({path: content for path, content in contents.items() if path not in streams})
        for path, content in streams.items():
            with open(path, "wb") as stream:
                stream.write(content)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot write {' and '.join(contents)}: {reason}") from None


def _is_stream(path: str) -> bool:
    try:
        return Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir()
    except (OSError, ValueError):  # no name that a file can have: writing says why
        return False
