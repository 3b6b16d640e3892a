"""Weights in NumPy's .npz archives: zip files with one .npy file for each array."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from ..errors import DataError, MiniCaffeError, Place, WeightsError, locate
from ..files import LARGEST_BYTES, check_room, open_file, refuse_foreign_file
from . import named, npy
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
    MemoryError,
)

LONGEST_NAME = 65_000  # bytes; zip files count them with 16 bits, and .npy is added


def write(net: NetParameter) -> bytes:
    """The bytes of an archive with a net's weights.  WeightsError if two layers have the same name, or a name
    that a zip file cannot store."""
    arrays = named.to_arrays(net)
    for name in arrays:
        if "\0" in name or len(name.encode()) > LONGEST_NAME:
            what = f"an archive holds no names with a NUL, or of more than {LONGEST_NAME} bytes"
            layer = Place(layer=name.rpartition("/")[0][:100])
            raise WeightsError(what, hint="store it as .safetensors").within(layer)
    if prototxt := named.description(net):
        arrays[named.NET] = np.array(prototxt)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def read(path: str | Path, largest_bytes: int = LARGEST_BYTES) -> NetParameter:
    """The weights in an archive.

    Raises WeightsError, naming file and array, if it is damaged or does not hold weights; DataError, before
    anything is unpacked, if it would take more than `largest_bytes` of memory.
    """
    refuse_foreign_file(path, b"PK")
    with open_file(path) as file, locate(str(path)):
        try:
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
                check_room(sum(entry.file_size for entry in entries), os.path.getsize(path), largest_bytes)
                arrays = {
                    name: _array(archive, entry, name)
                    for entry in entries
                    for name in [entry.filename.removesuffix(".npy")]
                }
        except MiniCaffeError:
            raise
        except _FAILURES as error:
            raise WeightsError(f"not a whole .npz file ({str(error)[:200]})") from None
        prototxt = arrays.pop(named.NET, np.array(""))
        if prototxt.dtype.kind != "U" or prototxt.ndim:
            raise WeightsError(f"array {named.NET!r} should be the net as text; it has type {prototxt.dtype}")
        return named.from_arrays(arrays, str(prototxt))


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> np.ndarray:
    with locate(f"array {name!r}"):
        try:
            return npy.parse(archive.read(entry))
        except DataError as error:
            raise WeightsError(error.message) from None
