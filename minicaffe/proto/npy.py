"""NumPy's .npy files, which hold one array."""

from __future__ import annotations

import io
import math
import os
import tokenize

import numpy as np
from numpy.lib import format as npy

from ..errors import DataError, locate
from ..files import read_start, read_whole

# What NumPy raises for a damaged header, which it evaluates as a Python literal.
_FAILURES = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    EOFError,
    OverflowError,
    SyntaxError,
    RecursionError,
    MemoryError,
    tokenize.TokenError,
)


def read(path: str | os.PathLike) -> np.ndarray:
    """The array in a .npy file; DataError, naming the file, if it is damaged."""
    if os.path.isfile(path) and read_start(path, len(npy.MAGIC_PREFIX)) != npy.MAGIC_PREFIX:
        raise DataError(f"{os.fspath(path)}: not a whole .npy file")  # before all of it is read
    data = read_whole(path)
    with locate(os.fspath(path)):
        return parse(data)


def parse(content: bytes) -> np.ndarray:
    """The array in the bytes of a .npy file.  No Python object is unpickled, and memory is allocated only
    after checking that the values are there.

    Raises DataError if the file is damaged or holds Python objects.
    """
    file = io.BytesIO(content)
    try:
        version = npy.read_magic(file)
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, by_columns, dtype = header(file)
        if dtype.hasobject:
            raise DataError("Python objects are no numbers")
        if min(shape, default=0) < 0 or len(content) - file.tell() != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"{len(content) - file.tell()} bytes for an array of shape {shape}")
        values = np.frombuffer(content, dtype, offset=file.tell()) if dtype.itemsize else np.empty(0, dtype)
        return values.reshape(shape, order="F" if by_columns else "C").astype(dtype.newbyteorder("="))
    except DataError:
        raise
    except _FAILURES as error:
        raise DataError(f"not a whole .npy file ({str(error)[:200]})") from None
