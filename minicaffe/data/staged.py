"""A file whose changes stay in memory until all of them are there."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

BLOCK_BYTES = 1 << 16


@contextmanager
def staged(path: str | os.PathLike) -> Iterator[Staged]:
    """A file to change: what the block writes reaches the disk when it ends without an error.

    What comes behind the file's end is written first, which is where a disk is full; then the file is as it
    was.  OSError if it cannot be opened or written.
    """
    with open(path, "r+b", buffering=0) as file:
        changed = Staged(file)
        yield changed
        changed.commit()


class Staged(io.RawIOBase):
    """What h5py needs of a file.  It may not see a write fail: HDF5 ends the process over a full disk."""

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
        """The next `count` bytes block by block: the block, where in it, where among them, how many; moves
        on."""
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
        """Write what changed."""
        try:
            self._put(self._before, self._end)
        except OSError:
            self._file.truncate(self._before)
            raise
        self._put(0, min(self._before, self._end))
        self._file.truncate(self._end)

    def _put(self, first: int, end: int) -> None:
        """Write the blocks at hand, as far as they lie between these bytes."""
        for number in sorted(self._blocks):
            at = number * BLOCK_BYTES
            low, high = max(first, at), min(end, at + BLOCK_BYTES)
            part = memoryview(self._blocks[number])[low - at : max(high - at, low - at)]
            self._file.seek(low)
            while part:
                part = part[self._file.write(part) :]
