"""Reading pieces of a file from given offsets."""

from __future__ import annotations

import os
import weakref
from typing import Any

import numpy as np

from ..errors import DataError
from ..files import open_file, unreadable


class Pieces:
    """A regular file that is read piece by piece.

    nbytes  its length when it was opened

    The file is not mapped into memory: if another program shortens a mapped file, the system kills the
    process that reads it.  Here that is a DataError.  Raises DataError too if the file cannot be opened or is
    not a regular file.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = os.fspath(path)
        self._file = open_file(path)
        weakref.finalize(self, self._file.close)
        self.nbytes = os.fstat(self._file.fileno()).st_size

    def read(self, at: int, nbytes: int) -> memoryview:
        """`nbytes` bytes from offset `at` on."""
        if not 0 <= at <= at + nbytes <= self.nbytes:
            raise DataError(f"{self.path}: bytes {at} to {at + nbytes} are wanted of {self.nbytes}")
        data = np.empty(nbytes, np.uint8).data
        self.read_into(at, data)
        return data

    def read_into(self, at: int, out: memoryview) -> None:
        """Fill `out` with the bytes from offset `at` on."""
        while out.nbytes:
            try:
                count = _read_at(self._file, at, out)
            except OSError as error:
                raise unreadable(self.path, error) from None
            if not count:
                raise DataError(
                    f"{self.path}: the file ends at byte {at}; it had {self.nbytes} bytes when it was opened",
                    hint="another program has cut it short; fetch it again",
                )
            at, out = at + count, out[count:]


if hasattr(os, "preadv"):

    def _read_at(file: Any, at: int, out: memoryview) -> int:
        return os.preadv(file.fileno(), [out], at)

else:  # where a file has one position for all who share it; readers come one at a time

    def _read_at(file: Any, at: int, out: memoryview) -> int:
        file.seek(at)
        return file.readinto(out)
