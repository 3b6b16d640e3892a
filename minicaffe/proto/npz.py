"""NumPy's archives: a zip file with one .npy file for each array."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from ..errors import WeightsError, locate
from ..files import read_bytes
from . import binary, named
from .schema import NetParameter

# What zipfile and zlib raise for files that are damaged.
_FAILURES = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


def write(net: NetParameter) -> bytes:
    """The archive of a net's weights; WeightsError for layers of the same name."""
    arrays = named.to_arrays(net)
    if prototxt := named.description(net):
        arrays[named.NET] = np.array(prototxt)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def read(path: str | Path) -> NetParameter:
    """The weights in an archive.  WeightsError, naming file and array, if it is damaged or holds others."""
    data = read_bytes(path, binary.LARGEST_BYTES)
    with locate(str(path)):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                contents = {
                    info.filename.removesuffix(".npy"): archive.read(info) for info in archive.infolist()
                }
        except _FAILURES as error:
            raise WeightsError(f"not a whole .npz file ({error})") from None
        arrays = {}
        for name, content in contents.items():
            with locate(f"array {name!r}"):
                arrays[name] = _array(content)
        prototxt = arrays.pop(named.NET, np.array(""))
        if prototxt.dtype.kind != "U" or prototxt.ndim:
            raise WeightsError(f"array {named.NET!r} should be the net as text; it has type {prototxt.dtype}")
        return named.from_arrays(arrays, str(prototxt))


def _array(content: bytes) -> np.ndarray:
    """The array of a .npy file, of which nothing is unpickled or allocated before it is known to be there."""
    file = io.BytesIO(content)
    try:
        version = npy.read_magic(file)
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, by_columns, dtype = header(file)
        if dtype.hasobject:
            raise WeightsError("Python objects are no numbers")
        values = np.frombuffer(content, dtype, offset=file.tell()) if dtype.itemsize else np.empty(0, dtype)
        return values.reshape(shape, order="F" if by_columns else "C").astype(dtype.newbyteorder("="))
    except (ValueError, TypeError, EOFError, OverflowError) as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"not a whole .npy file ({error})") from None
