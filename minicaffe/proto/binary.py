"""Binary messages, and arrays to and from BlobProto.

Protobuf reads a packed field one Python number at a time, which is too slow for blobs of a hundred million
values.  Here the values pass as bytes: on the wire a packed field is a tag, a length, and the little-endian
array itself.  NVIDIA Caffe stores arrays as raw bytes in fields that Caffe's schema does not have; protobuf
keeps those as unknown fields, from which they are read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from ..errors import Place, SchemaError, WeightsError, locate
from ..files import read_bytes, refuse_foreign
from .schema import BlobProto, Message, SolverState

M = TypeVar("M", bound=Message)

LARGEST_BYTES = 2**31 - 1  # of a message
MAX_AXES = 32  # of a blob, in Caffe

_LITTLE: dict[int, np.dtype] = {4: np.dtype("<f4"), 8: np.dtype("<f8")}
_DATA, _DIFF, _DOUBLE_DATA, _DOUBLE_DIFF = 5, 6, 8, 9  # field numbers of BlobProto
_RAW_TYPE, _RAW_DIFF_TYPE, _RAW_DATA, _RAW_DIFF = 10, 11, 12, 13  # NVIDIA Caffe's
# NVIDIA Caffe's enum Type: DOUBLE, FLOAT, FLOAT16
_RAW_TYPES: dict[int | None, np.dtype[Any]] = {0: np.dtype("<f8"), 1: np.dtype("<f4"), 2: np.dtype("<f2")}
_LENGTH_DELIMITED = 2  # wire type
_TEXTUAL = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_MESSAGE)  # fields that are or hold strings


def parse(data: bytes | memoryview, kind: type[M], source: str = "<bytes>") -> M:
    """The message of class `kind` that `data` encodes; SchemaError if it does not."""
    with locate(Place(file=source)):
        try:
            message = kind.FromString(data)  # type: ignore[arg-type]  # any buffer will do
        except DecodeError:
            hint = "the file is damaged, cut short, or of another kind"
            if ".solverstate" in Path(source).name and kind is not SolverState:
                hint = "it is the state of a solver; its weights lie in a .caffemodel beside it"
            elif (whole := bytes(data)).isascii() and b"\0" not in whole:
                hint = "it is text; weights and solver states are binary"
            raise SchemaError(f"not a whole binary {kind.DESCRIPTOR.name}", hint=hint) from None
        _check_strings(message)
        return message


def _check_strings(message: Message, path: str = "") -> None:
    """SchemaError if a string field of the message, or of a message in it, is not UTF-8; protobuf would
    return it as bytes."""
    for field, value in message.ListFields():
        if field.type in _TEXTUAL and field.message_type is not BlobProto.DESCRIPTOR:
            for i, item in enumerate(value if field.is_repeated else [value]):
                place = f"{path}{field.name}[{i}]" if field.is_repeated else f"{path}{field.name}"
                if field.message_type:
                    _check_strings(item, f"{place}.")
                elif isinstance(item, bytes):
                    raise SchemaError(f"{place} is not UTF-8: {item[:40]!r}", hint="the file is damaged")


def read(path: str | Path, kind: type[M]) -> M:
    """The message of class `kind` in the file at `path`.  Raises DataError if the file cannot be read, is
    larger than a message can be, or of a kind that the package does not read (an archive, a web page, a Git
    LFS pointer); SchemaError as `parse`."""
    data = read_bytes(path, LARGEST_BYTES)
    refuse_foreign(data, path)
    return parse(data, kind, str(path))


def is_legacy(blob: BlobProto) -> bool:
    """Whether a blob gives its shape in the old fields num, channels, height and width."""
    return any(blob.HasField(name) for name in ("num", "channels", "height", "width"))


def blob_shape(blob: BlobProto) -> tuple[int, ...]:
    """The shape of a blob.  If any of the four legacy fields is set, they count and `shape` does not, as in
    Caffe."""
    if is_legacy(blob):
        return blob.num, blob.channels, blob.height, blob.width
    return tuple(blob.shape.dim)


def checked_shape(blob: BlobProto) -> tuple[int, ...]:
    """The shape of a blob, after checking that it has as many values as the shape says; the values are not
    read.  Raises WeightsError as `to_array`."""
    shape = blob_shape(blob)
    _check_axes(shape)
    count = len(blob.double_data) or len(blob.data)
    if count != math.prod(shape) and not is_raw(blob):
        raise _other_count(shape, count)
    return shape


def _check_axes(shape: tuple[int, ...]) -> None:
    if len(shape) > MAX_AXES or any(d < 0 for d in shape):
        raise WeightsError(f"a blob of shape {shape} cannot be: up to {MAX_AXES} axes, none negative")


def _other_count(shape: tuple[int, ...], count: int) -> WeightsError:
    return WeightsError(f"a blob of shape {shape} holds {count} values; expected {math.prod(shape)}")


def to_array(blob: BlobProto, *, diff: bool = False) -> np.ndarray:
    """The data of a blob, or with `diff` its gradients, in the blob's shape: float64 if stored as such, else
    float32.

    Raises WeightsError if the number of values does not fit the shape, or if raw data has a type that weights
    cannot have.
    """
    shape = blob_shape(blob)
    values = _values(blob, diff)
    _check_axes(shape)
    if values.size != math.prod(shape):
        raise _other_count(shape, values.size)
    try:
        return values.astype(values.dtype.newbyteorder("=")).reshape(shape)
    except ValueError:  # no values, but axes that NumPy cannot count
        raise WeightsError(f"a blob of shape {shape} is too large") from None


def has_diff(blob: BlobProto) -> bool:
    """Whether a blob holds gradients."""
    return bool(blob.diff or blob.double_diff) or _RAW_DIFF in unknown_fields(blob)


def is_raw(blob: BlobProto) -> bool:
    """Whether NVIDIA Caffe wrote a blob with its data or gradients as raw bytes."""
    return not unknown_fields(blob).keys().isdisjoint((_RAW_DATA, _RAW_DIFF))


def unknown_fields(message: Message) -> dict[int, Any]:
    """The fields of a message that the schema does not know, as value by field number; if a field is
    repeated, its last value, as in protobuf.

    A field whose wire type differs from the schema's is unknown too.  This tells NVIDIA Caffe's enum
    forward_type (number 145) from Caffe's message parameter_param, which has the same number.
    """
    fields: Any = UnknownFieldSet(message)  # type: ignore[arg-type]
    return {field.field_number: field.data for field in fields}


def _values(blob: BlobProto, diff: bool) -> np.ndarray:
    """All values of a blob as a flat little-endian array: the raw bytes if there are any, else the double
    field, else the float field."""
    single, double, raw, kind = (
        (_DIFF, _DOUBLE_DIFF, _RAW_DIFF, _RAW_DIFF_TYPE)
        if diff
        else (_DATA, _DOUBLE_DATA, _RAW_DATA, _RAW_TYPE)
    )
    found: dict[int, list] = {single: [], double: [], raw: [], kind: []}
    for number, value in _fields(blob.SerializeToString()):
        if number in found and isinstance(value, int) == (number == kind):
            found[number].append(value)
    if found[raw]:
        return _raw_values(found[raw][-1], found[kind][-1] if found[kind] else None)
    return np.frombuffer(b"".join(found[double] or found[single]), _LITTLE[8 if found[double] else 4])


def _raw_values(data: memoryview, kind: int | None) -> np.ndarray:
    dtype = _RAW_TYPES.get(kind)
    if dtype is None:
        said = "without a type" if kind is None else f"of type {kind}"
        raise WeightsError(f"raw data {said}; expected DOUBLE (0), FLOAT (1) or FLOAT16 (2)")
    if data.nbytes % dtype.itemsize:
        raise WeightsError(f"{data.nbytes} bytes of raw data are no array of {dtype.itemsize}-byte numbers")
    values = np.frombuffer(data, dtype)
    return values.astype(_LITTLE[4]) if dtype.itemsize == 2 else values


def from_array(array: np.ndarray, diff: np.ndarray | None = None) -> BlobProto:
    """The blob with an array's shape and values and, if given, gradients.  float64 arrays go to the double
    fields."""
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


def _fields(data: bytes) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a serialized message in wire order, as number and value.  Groups and fields of fixed
    width are left out."""
    wire = memoryview(data)
    at = depth = 0
    while at < len(wire):
        tag, at = _read_varint(wire, at)
        kind = tag & 7
        value: int | memoryview | None = None
        if kind == _LENGTH_DELIMITED:
            length, at = _read_varint(wire, at)
            value = wire[at : at + length]
            at += length
        elif kind == 0:
            value, at = _read_varint(wire, at)
        elif kind in (3, 4):  # a group, which only an unknown field can be, begins or ends
            depth += 1 if kind == 3 else -1
        else:  # fixed 8 or 4 bytes
            at += 8 if kind == 1 else 4
        if value is not None and depth == 0:
            yield tag >> 3, value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7
