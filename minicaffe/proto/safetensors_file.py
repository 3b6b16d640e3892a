"""Weights in safetensors files: 8 bytes with the length of the header, the header as JSON, then the arrays.

    {"__metadata__": {"net": ...},
     "conv1/0": {"dtype": "F32", "shape": [20, 1, 5, 5], "data_offsets": [0, 2000]}, ...}

Everything is little-endian, and offsets count from the end of the header.  The arrays must fill the rest of
the file without gaps or overlaps, which the reader has to check.

Source: github.com/huggingface/safetensors, "Format".
"""

from __future__ import annotations

import json
import math
import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import WeightsError, locate
from ..files import read_start, read_whole, refuse_foreign
from . import named
from .schema import NetParameter

METADATA = "__metadata__"
TYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}
BFLOAT16 = "BF16"  # the upper half of a float32
LARGEST_HEADER = 100_000_000  # bytes, in the reference implementation
ALIGNMENT = 8


def write(net: NetParameter) -> bytes:
    """The bytes of a file with a net's weights; WeightsError if two layers have the same name."""
    header: dict[str, Any] = {}
    if prototxt := named.description(net):
        header[METADATA] = {named.NET: prototxt}
    parts, at = [], 0
    for name, array in named.to_arrays(net).items():
        kind = "F64" if array.dtype == np.float64 else "F32"
        parts.append(np.ascontiguousarray(array, TYPES[kind]).tobytes())
        offsets = [at, at := at + len(parts[-1])]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": offsets}
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % ALIGNMENT)
    return b"".join([struct.pack("<Q", len(encoded)), encoded, *parts])


def read(path: str | Path) -> NetParameter:
    """The weights in a file.  WeightsError, naming file and array, if it is damaged or does not hold
    weights."""
    if os.path.isfile(path):  # before all of it is read; of a pipe nothing can be read twice
        first = read_start(path, 512)
        if _header_end(first, os.path.getsize(path)) is None:
            raise _no_header(first, path)
    data = read_whole(path)
    if (found := _header(data)) is None:
        raise _no_header(data[:512], path)
    header, start = found
    with locate(str(path)):
        metadata = header.pop(METADATA, {})
        body = memoryview(data)[start:]
        spans, arrays = [], {}
        for name, entry in header.items():
            with locate(f"array {name!r}"):
                span, arrays[name] = _array(entry, body)
                spans.append(span)
        at = 0
        for begin, end in sorted(spans):
            if begin != at:
                raise WeightsError(f"not a whole safetensors file: an array begins at {begin}, not {at}")
            at = end
        if at != len(body):
            raise WeightsError(f"not a whole safetensors file: {len(body)} bytes of arrays; expected {at}")
        prototxt = metadata.get(named.NET, "") if isinstance(metadata, dict) else None
        if not isinstance(prototxt, str):
            raise WeightsError(f"{METADATA} holds no text")
        return named.from_arrays(arrays, prototxt)


def _header(data: bytes) -> tuple[dict[str, Any], int] | None:
    """The header of a file and the offset at which the arrays begin; None if it has no valid header."""
    if (end := _header_end(data, len(data))) is not None:
        with suppress(ValueError, RecursionError):
            header = json.loads(data[8:end])
            if isinstance(header, dict):
                return header, end
    return None


def _header_end(data: bytes, nbytes: int) -> int | None:
    """The offset at which the header ends, from the first bytes of a file of `nbytes` bytes; None if there is
    no valid length."""
    length = int.from_bytes(data[:8], "little")
    return 8 + length if 2 <= length <= min(LARGEST_HEADER, nbytes - 8) else None


def _no_header(start: bytes, path: str | Path) -> WeightsError:
    """The error for a file without a valid header; `start` is what it begins with."""
    refuse_foreign(start, path)
    return WeightsError(f"{path}: not a whole safetensors file: it has no header")


def _array(entry: Any, body: memoryview) -> tuple[tuple[int, int], np.ndarray]:
    """The offsets and the values of the array that an entry of the header describes."""
    try:
        kind, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        numbers = all(type(number) is int and number >= 0 for number in (*shape, begin, end))
    except (TypeError, KeyError, ValueError):
        numbers = False
    if not numbers:
        raise WeightsError("its header needs a dtype, a shape and two data_offsets")
    if kind not in (*TYPES, BFLOAT16):
        raise WeightsError(
            f"values of type {kind!r} are no weights; expected {', '.join(TYPES)} or {BFLOAT16}"
        )
    dtype = np.dtype("<u2" if kind == BFLOAT16 else TYPES[kind])
    if not begin <= end <= len(body) or end - begin != math.prod(shape) * dtype.itemsize:
        raise WeightsError(f"bytes {begin} to {end} of {len(body)} cannot hold the shape {tuple(shape)}")
    values = np.frombuffer(body[begin:end], dtype)
    if kind == BFLOAT16:
        values = (values.astype("<u4") << 16).view("<f4")
    try:
        return (begin, end), values.reshape(shape)
    except (ValueError, OverflowError):  # more axes than NumPy has, or longer ones
        raise WeightsError(f"no array has the shape {tuple(shape)}") from None
