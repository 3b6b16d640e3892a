"""Binary messages, and arrays to and from BlobProto.

Protobuf hands out a packed field one Python number at a time.  A blob may hold a hundred million of them, so
they pass as bytes instead: a packed field on the wire is a tag, a length, and the little-endian array itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
from google.protobuf.message import DecodeError

from ..errors import SchemaError, WeightsError
from .schema import BlobProto, Message
from .text import read_file

M = TypeVar("M", bound=Message)

_LITTLE: dict[int, np.dtype] = {4: np.dtype("<f4"), 8: np.dtype("<f8")}
_DATA, _DIFF, _DOUBLE_DATA, _DOUBLE_DIFF = 5, 6, 8, 9  # field numbers of BlobProto
_LENGTH_DELIMITED = 2  # wire type


def parse(data: bytes, kind: type[M], source: str = "<bytes>") -> M:
    """The message of class `kind` that `data` encodes; SchemaError if it does not."""
    try:
        return kind.FromString(data)
    except DecodeError:
        name = kind.DESCRIPTOR.name
        error = SchemaError(
            f"not a whole binary {name}", hint="the file is damaged, cut short, or of another kind"
        )
        error.places.append(source)
        raise error from None


def read(path: str | Path, kind: type[M]) -> M:
    """Parse the file at `path`."""
    return parse(read_file(path), kind, str(path))


def blob_shape(blob: BlobProto) -> tuple[int, ...]:
    """The axes of a blob; the four legacy fields win if any is set, as in Caffe."""
    if any(blob.HasField(name) for name in ("num", "channels", "height", "width")):
        return blob.num, blob.channels, blob.height, blob.width
    return tuple(blob.shape.dim)


def to_array(blob: BlobProto, *, diff: bool = False) -> np.ndarray:
    """The data (or diff) of a blob in its own shape, float64 if stored so, else float32.

    Raises WeightsError if the number of values does not fit the shape.
    """
    shape = blob_shape(blob)
    wire = blob.SerializeToString()
    double, single = (_DOUBLE_DIFF, _DIFF) if diff else (_DOUBLE_DATA, _DATA)
    chunks = list(_packed(wire, double))  # double data takes precedence
    dtype = _LITTLE[8 if chunks else 4]
    chunks = chunks or list(_packed(wire, single))
    values = np.frombuffer(b"".join(chunks), dtype)
    if values.size != math.prod(shape):
        raise WeightsError(f"a blob of shape {shape} holds {values.size} values; expected {math.prod(shape)}")
    return values.astype(dtype.newbyteorder("=")).reshape(shape)


def from_array(array: np.ndarray, diff: np.ndarray | None = None) -> BlobProto:
    """A blob with the array's shape, data and, if given, diff; float64 arrays go to the double fields."""
    wire = bytearray()
    for values, fields in ((array, (_DATA, _DOUBLE_DATA)), (diff, (_DIFF, _DOUBLE_DIFF))):
        if values is None:
            continue
        double = values.dtype.itemsize == 8
        payload = np.ascontiguousarray(values, _LITTLE[8 if double else 4]).tobytes()
        wire += _varint(fields[double] << 3 | _LENGTH_DELIMITED) + _varint(len(payload)) + payload
    blob = BlobProto.FromString(bytes(wire))
    blob.shape.dim.extend(array.shape)
    return blob


def _packed(wire: bytes, number: int) -> Iterator[bytes]:
    """The payloads of a length-delimited field in one serialized message without groups."""
    at = 0
    while at < len(wire):
        tag, at = _read_varint(wire, at)
        kind = tag & 7
        if kind == _LENGTH_DELIMITED:
            length, at = _read_varint(wire, at)
            if tag >> 3 == number:
                yield wire[at : at + length]
            at += length
        elif kind == 0:
            _, at = _read_varint(wire, at)
        else:  # fixed 8 or 4 bytes
            at += 8 if kind == 1 else 4


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7
