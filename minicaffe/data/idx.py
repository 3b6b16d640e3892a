"""IDX files, the format of MNIST: one array of any rank, plain or gzip.

    00 00 type rank    the magic: two zero bytes, the type of the values, the number of axes
    extent ...         one big-endian uint32 per axis
    value ...          row by row, big-endian

Source: Y. LeCun, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, BinaryIO

import numpy as np

from ..errors import DataError, locate
from ..files import LARGEST_BYTES, PIECE_BYTES, check_room, open_file, read_start, unreadable, write_atomic
from .pieces import Pieces

TYPES: dict[int, np.dtype] = {
    0x08: np.dtype(np.uint8),
    0x09: np.dtype(np.int8),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
CODES = {dtype.newbyteorder("="): code for code, dtype in TYPES.items()}
GZIP = b"\x1f\x8b"
MOST_AXES, MOST_BYTES = 32, np.iinfo(np.int64).max  # of an array; a blob has no more axes in Caffe
KEPT_BYTES = 1 << 28  # of a plain file that is read as a whole: MNIST has 47 MB
LONGEST_HEADER = 4 + 4 * 255


def read(path: str | os.PathLike, largest_bytes: int = LARGEST_BYTES) -> np.ndarray:
    """The array in an IDX file, in memory.  Raises DataError as `stored`."""
    array = stored(path, largest_bytes)
    return array.whole() if isinstance(array, StoredArray) else array


def stored(
    path: str | os.PathLike, largest_bytes: int = LARGEST_BYTES, kept_bytes: int = KEPT_BYTES
) -> StoredArray | np.ndarray:
    """Open the array in an IDX file.  A file of more than `kept_bytes` stays on the disk (`StoredArray`);
    others are read into memory, since reading single rows from a file is slow.  So are gzip files of any
    size, which are recognized by their first bytes.

    Raises DataError if the file cannot be read, is not IDX, does not hold exactly what its header says, or
    would take more than `largest_bytes` when unpacked.
    """
    file = Pieces(path)
    if file.read(0, min(len(GZIP), file.nbytes)) == GZIP:
        return _unpacked(path, file.nbytes, largest_bytes)
    header = _Header(path, bytes(file.read(0, min(LONGEST_HEADER, file.nbytes))))
    if file.nbytes != header.expected:
        raise header.wrong_length(file.nbytes)
    array = StoredArray(file, header.start, header.shape, header.dtype)
    return array if file.nbytes > kept_bytes else array.whole()


class StoredArray:
    """An array in a file.  Its rows (axis 0) are read when they are asked for.

    shape, dtype  as the header says, in the byte order of the file
    """

    def __init__(self, file: Pieces, start: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self._file, self._start, self.dtype = file, start, dtype
        self.shape: tuple[Any, ...] = shape

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def reshape(self, shape: tuple[int, ...]) -> StoredArray:
        """The same values with other axes."""
        return StoredArray(self._file, self._start, shape, self.dtype)

    def part(self, rows: range) -> StoredArray:
        """The array of these consecutive rows, which stays in the file."""
        row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        return StoredArray(
            self._file, self._start + rows.start * row_bytes, (len(rows), *self.shape[1:]), self.dtype
        )

    def whole(self) -> np.ndarray:
        """The whole array, read into memory."""
        out = np.empty(self.shape, self.dtype)
        self._read(0, out)
        return out

    def __getitem__(self, rows: slice) -> np.ndarray:
        index = range(len(self))[rows]
        return self.take(np.arange(index.start, index.stop, index.step))

    def take(
        self, indices: np.ndarray, axis: int = 0, out: np.ndarray | None = None, mode: str = "raise"
    ) -> np.ndarray:
        """The rows with these numbers, read into memory; arguments and result are those of `np.take`."""
        if out is None:
            out = np.empty((len(indices), *self.shape[1:]), self.dtype)
        breaks = np.flatnonzero(np.diff(indices) != 1) + 1
        for first, end in pairwise([0, *breaks.tolist(), len(indices)]):  # runs of rows, read in one piece
            if first < end:
                self._read(int(indices[first]), out[first:end])
        return out

    def _read(self, row: int, out: np.ndarray) -> None:
        row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        self._file.read_into(self._start + row * row_bytes, out.reshape(-1).view(np.uint8).data)


class _Header:
    """The type and shape in the header of an IDX file; DataError if the file has none."""

    def __init__(self, path: str | os.PathLike, data: bytes) -> None:
        self.path = path
        if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in TYPES:
            raise DataError(
                f"{path}: not an IDX file: expected it to start with 00 00, a type"
                f" ({', '.join(f'{code:02x}' for code in TYPES)}) and a rank; got {_spell(data[:4])}",
                hint="the format is that of MNIST's train-images-idx3-ubyte",
            )
        rank, self.dtype, self.start = data[3], TYPES[data[2]], 4 + 4 * data[3]
        if len(data) < self.start:
            raise DataError(
                f"{path}: an IDX header for {rank} axes takes {self.start} bytes; the file has {len(data)}",
                hint="the file is cut short; fetch it again",
            )
        if rank > MOST_AXES:
            raise DataError(f"{path}: an array has {MOST_AXES} axes at most; got {rank}")
        self.shape = tuple(int(extent) for extent in np.frombuffer(data, ">u4", rank, 4))
        self.expected = self.start + math.prod(self.shape) * self.dtype.itemsize
        if math.prod(filter(None, self.shape)) * self.dtype.itemsize > MOST_BYTES:  # also of no values
            raise DataError(f"{path}: no array can have the shape {self.shape}")

    def wrong_length(self, nbytes: int, more: str = "") -> DataError:
        return DataError(
            f"{self.path}: its IDX header announces {_times(self.shape)} {self.dtype.name} values,"
            f" {self.expected} bytes in all; the file has {more}{nbytes}",
            hint=f"the file is {'cut short' if nbytes < self.expected else 'too long'}; fetch it again",
        )


def _unpacked(path: str | os.PathLike, packed_bytes: int, largest_bytes: int) -> np.ndarray:
    with _gzip(path) as file:
        header = _Header(path, file.read(LONGEST_HEADER))
        with locate(os.fspath(path)):
            check_room(header.expected, packed_bytes, largest_bytes)
        file.seek(header.start)
        out = np.empty(header.shape, header.dtype)
        count = header.start + _fill(file, out.reshape(-1).view(np.uint8).data)
        if count != header.expected:
            raise header.wrong_length(count)
        if file.read(1):
            raise header.wrong_length(count + 1, "at least ")
    out.flags.writeable = False
    return out


def _fill(file: Any, out: memoryview) -> int:
    """Read into `out` until it is full or the file ends; returns the number of bytes read."""
    count = 0
    while part := file.readinto(out[count:]):
        count += part
    return count


def write(path: str | os.PathLike, array: np.ndarray) -> None:
    """Write `array` as an IDX file, compressed by gzip if the name ends in .gz.  The same array gives the
    same bytes.

    Raises DataError for a type that IDX does not have.
    """
    if (code := CODES.get(array.dtype.newbyteorder("="))) is None:
        raise DataError(
            f"{path}: IDX has no type for {array.dtype} values", hint=f"use {', '.join(map(str, CODES))}"
        )
    data = first_bytes(array.shape, array.dtype) + array.astype(TYPES[code]).tobytes()
    if not os.fspath(path).endswith(".gz"):
        write_atomic(path, data)
        return

    def compress(file: BinaryIO) -> None:  # without the name and time of day that gzip would store
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
            packed.write(data)

    write_atomic(path, compress)


def first_bytes(shape: tuple[int, ...], dtype: np.dtype) -> bytes:
    """The header of an IDX file with an array of this shape and type; the values follow it."""
    return bytes([0, 0, CODES[dtype.newbyteorder("=")], len(shape)]) + np.array(shape, ">u4").tobytes()


def contents(path: str | os.PathLike) -> Iterator[bytes]:
    """The bytes of a file, piece by piece, unpacked if it is gzip; DataError if it cannot be read."""
    if read_start(path, len(GZIP)) == GZIP:
        with _gzip(path) as packed:
            while part := packed.read(PIECE_BYTES):
                yield part
        return
    file = Pieces(path)
    for at in range(0, file.nbytes, PIECE_BYTES):
        yield bytes(file.read(at, min(PIECE_BYTES, file.nbytes - at)))


@contextmanager
def _gzip(path: str | os.PathLike) -> Iterator[gzip.GzipFile]:
    """Open a gzip file for unpacking while the `with` block runs; exceptions about a damaged file become
    DataErrors."""
    try:
        with open_file(path) as file, gzip.open(file) as packed:
            yield packed
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{path}: expected a whole gzip file; {str(error).rstrip('.')}",
            hint="the file is damaged or cut short; fetch it again",
        ) from None
    except OSError as error:
        raise unreadable(path, error) from None


def _spell(data: bytes) -> str:
    return data.hex(" ") or "an empty file"


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "1"
