"""Files of one JSON object per line, written and read while others do the other."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import log
from ..errors import DataError
from ..files import LARGEST_TEXT_BYTES, open_file, unreadable

LONGEST_BYTES = 1 << 24  # of a line


class Writer:
    """Appends objects to a file; each becomes a line in one write.

    A disk that is full loses lines, not the training: it is reported once, and a line that was cut does not
    spoil the next.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self._torn = _ends_torn(self.path)
        self._failed = False

    def append(self, entry: dict[str, Any]) -> None:
        line = json.dumps(finite(entry), separators=(",", ":")) + "\n"
        data = (("\n" if self._torn else "") + line).encode()
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                self._torn = os.write(handle, data) < len(data)
            finally:
                os.close(handle)
        except OSError as error:
            if not self._failed:
                log.error(f"cannot write {self.path}: {error.strerror or error}; training goes on")
            self._failed = True


class Reader:
    """Reads what is appended to a file; a look that finds nothing new costs one system call."""

    def __init__(self, path: str | os.PathLike, *, from_end: bool = False) -> None:
        self.path = Path(path)
        self._failed = False
        self._offset = self._size() if from_end else 0

    def new(self) -> Iterator[dict[str, Any]]:
        """The objects of the lines that were completed since the last look; what is no object is skipped.  A
        file that has become shorter is another one, and read from its start."""
        size = self._size()
        if size < self._offset:
            self._offset = 0
        if size <= self._offset:
            return
        try:
            if size - self._offset > LARGEST_TEXT_BYTES:
                raise unreadable(self.path, f"it has more than {LARGEST_TEXT_BYTES} bytes")
            with open_file(self.path) as file:
                file.seek(self._offset)
                while line := file.readline(LONGEST_BYTES):
                    if not line.endswith(b"\n") and len(line) < LONGEST_BYTES:  # it is being written
                        break
                    self._offset += len(line)
                    entry = _parse(line)
                    if entry is not None:
                        yield entry
        except (DataError, OSError) as error:
            if not self._failed:
                log.warning(str(unreadable(self.path, error) if isinstance(error, OSError) else error))
            self._failed = True

    def _size(self) -> int:
        try:
            return os.stat(self.path).st_size
        except OSError:
            return 0


def read(path: str | os.PathLike) -> list[dict[str, Any]]:
    """All objects of a file; none if it does not exist.  A last line that is being written is left out."""
    return list(Reader(path).new())


def finite(value: Any) -> Any:
    """A copy with None, null in JSON, in the place of numbers that are not finite."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line.removeprefix(b"\xef\xbb\xbf"))  # a byte order mark, in the first line
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _ends_torn(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except OSError:  # there is none, or it is empty
        return False
