"""Changing a file so that a full disk leaves it as it was: changes stay in memory until all are known."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

BLOCK_BYTES = 1 << 16


@contextmanager
def staged(path: str | os.PathLike) -> Iterator[Staged]:
    """Open a file for changes, which are written to the disk when the `with` block ends without an error.

    Changes behind the file's end are written first, since only they can fill the disk; if that fails, the
    file is as it was.  OSError if the file cannot be opened or written.
    """
    with open(path, "r+b", buffering=0) as file:
        changed = Staged(file)
        yield changed
        changed.commit()


class Staged(io.RawIOBase):
    """A file object for h5py.  Its writes go to memory and never fail: HDF5 would end the process if the disk
    were full."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._before = self._end = file.seek(0, os.SEEK_END)
        self._at = 0
        self._blocks: dict[int, bytearray] = {}

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._end)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def truncate(self, size: int | None = None) -> int:
        self._end = self._at if size is None else size
        return self._end

    def readinto(self, out: Any) -> int:
        count = max(min(len(out), self._end - self._at), 0)
        for block, inside, start, length in self._pieces(count):
            out[start : start + length] = block[inside : inside + length]
        return count

    def write(self, data: Any) -> int:
        for block, inside, start, length in self._pieces(len(data)):
            block[inside : inside + length] = data[start : start + length]
        self._end = max(self._end, self._at)
        return len(data)

    def _pieces(self, count: int) -> Iterator[tuple[bytearray, int, int, int]]:
        """The blocks that hold the next `count` bytes, each with the offset in the block, the offset in the
        `count` bytes, and the length of the piece.  The position in the file moves on."""
        start = 0
        while start < count:
            number, inside = divmod(self._at, BLOCK_BYTES)
            length = min(BLOCK_BYTES - inside, count - start)
            yield self._block(number), inside, start, length
            start, self._at = start + length, self._at + length

    def _block(self, number: int) -> bytearray:
        if number not in self._blocks:
            block = bytearray(BLOCK_BYTES)
            self._file.seek(number * BLOCK_BYTES)
            self._file.readinto(block)  # type: ignore[attr-defined]
            self._blocks[number] = block
        return self._blocks[number]

    def commit(self) -> None:
        """Write all changes to the file."""
        try:
            self._put(self._before, self._end)
        except OSError:
            self._file.truncate(self._before)
            raise
        self._put(0, min(self._before, self._end))
        self._file.truncate(self._end)

    def _put(self, first: int, end: int) -> None:
        """Write the blocks in memory, as far as they lie between the offsets `first` and `end`."""
        for number in sorted(self._blocks):
            at = number * BLOCK_BYTES
            low, high = max(first, at), min(end, at + BLOCK_BYTES)
            part = memoryview(self._blocks[number])[low - at : max(high - at, low - at)]
            self._file.seek(low)
            while part:
                part = part[self._file.write(part) :]
