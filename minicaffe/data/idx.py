"""IDX files, the format of MNIST: one array of any rank, plain or gzip.

    00 00 type rank    the magic: two zero bytes, the type of the values, the number of axes
    extent ...         one big-endian uint32 per axis
    value ...          row by row, big-endian

Source: Y. LeCun, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import gzip
import math
import mmap
import os
import zlib
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..files import write_atomic

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


def read(path: str | os.PathLike) -> np.ndarray:
    """The array in an IDX file, read-only: a view of the mapped file if it is plain, decoded into memory if
    it is gzip (told by its first bytes, not by its name).

    Raises DataError if the file cannot be read, is not IDX, or does not hold exactly what its header says.
    """
    data = contents(path)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in TYPES:
        raise DataError(
            f"{path}: not an IDX file: expected it to start with 00 00, a type"
            f" ({', '.join(f'{code:02x}' for code in TYPES)}) and a rank; got {_spell(data[:4])}",
            hint="the format is that of MNIST's train-images-idx3-ubyte",
        )
    rank, dtype = data[3], TYPES[data[2]]
    start = 4 + 4 * rank
    if len(data) < start:
        raise DataError(
            f"{path}: an IDX header for {rank} axes takes {start} bytes; the file has {len(data)}",
            hint="the file is cut short; fetch it again",
        )
    shape = tuple(int(extent) for extent in np.frombuffer(data, ">u4", rank, 4))
    expected = start + math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        raise DataError(
            f"{path}: its IDX header announces {_times(shape)} {dtype.name} values, {expected} bytes in all;"
            f" the file has {len(data)}",
            hint=f"the file is {'cut short' if len(data) < expected else 'too long'}; fetch it again",
        )
    return np.frombuffer(data, dtype, offset=start).reshape(shape)


def write(path: str | os.PathLike, array: np.ndarray) -> None:
    """Write `array` as an IDX file, gzip if the name ends in .gz; the same array gives the same bytes.

    Raises DataError for a type that IDX does not have.
    """
    code = CODES.get(array.dtype.newbyteorder("="))
    if code is None:
        raise DataError(
            f"{path}: IDX has no type for {array.dtype} values", hint=f"use {', '.join(map(str, CODES))}"
        )
    header = bytes([0, 0, code, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    data = header + array.astype(TYPES[code]).tobytes()
    if not os.fspath(path).endswith(".gz"):
        write_atomic(path, data)
        return

    def compress(file) -> None:  # without the name and time of day that gzip would store
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
            packed.write(data)

    write_atomic(path, compress)


def contents(path: str | os.PathLike) -> bytes | mmap.mmap:
    """The bytes of a file: mapped if it is plain, decoded if it is gzip; DataError if it cannot be read."""
    try:
        with open(path, "rb") as file:
            if file.read(len(GZIP)) == GZIP:
                file.seek(0)
                with gzip.open(file) as packed:
                    return packed.read()
            if not Path(path).stat().st_size:  # nothing to map
                return b""
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{path}: expected a whole gzip file; {str(error).rstrip('.')}",
            hint="the file is damaged or cut short; fetch it again",
        ) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}", hint="check the path") from None


def _spell(data: bytes) -> str:
    return data.hex(" ") or "an empty file"


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "1"
