"""Binary messages, and arrays to and from BlobProto.

Protobuf reads a packed field one Python number at a time, which is too slow for blobs of a hundred million
values.  Here the values pass as bytes: on the wire a packed field is a tag, a length, and the little-endian
array itself.  NVIDIA Caffe stores arrays as raw bytes in fields that Caffe's schema does not have; protobuf
keeps those as unknown fields, from which they are read.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from .. import log
from ..errors import Place, SchemaError, WeightsError, fold, locate
from ..files import read_bytes, refuse_foreign
from . import fork_files, wire
from .schema import BlobProto, Message, NetParameter, SolverState

M = TypeVar("M", bound=Message)

LARGEST_BYTES = 2**31 - 1  # of a message
MAX_AXES = 32  # of a blob, in Caffe

_LITTLE: dict[int, np.dtype] = {4: np.dtype("<f4"), 8: np.dtype("<f8")}
_DATA, _DIFF, _DOUBLE_DATA, _DOUBLE_DIFF = 5, 6, 8, 9  # field numbers of BlobProto
_RAW_TYPE, _RAW_DIFF_TYPE, _RAW_DATA, _RAW_DIFF = 10, 11, 12, 13  # NVIDIA Caffe's
# NVIDIA Caffe's enum Type: DOUBLE, FLOAT, FLOAT16
_RAW_TYPES: dict[int | None, np.dtype[Any]] = {0: np.dtype("<f8"), 1: np.dtype("<f4"), 2: np.dtype("<f2")}
_TEXTUAL = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_MESSAGE)  # fields that are or hold strings


def parse(data: bytes | memoryview, kind: type[M], source: str = "<bytes>") -> M:
    """The message of class `kind` that `data` encodes; SchemaError if it does not.  A net whose fields have
    the numbers of a fork gets ours, and the log names the fork (`fork_files`)."""
    with locate(Place(file=source)):
        message, walk = _parsed(data, kind), _Walk()
        if message is not None:
            walk.through(message)
        if kind is NetParameter and (message is None or walk.odd):
            data, fork = fork_files.to_ours(data)
            if fork:
                log.info(f"{source}: its fields are numbered as those of the fork {fork}")
            message, walk = _parsed(data, kind), _Walk()
            if message is not None:
                walk.through(message)
        if message is None:
            hint = "the file is damaged, cut short, or of another kind"
            if ".solverstate" in Path(source).name and kind is not SolverState:
                hint = "it is the state of a solver; its weights lie in a .caffemodel beside it"
            elif (whole := bytes(data)).isascii() and b"\0" not in whole:
                hint = "it is text; weights and solver states are binary"
            raise SchemaError(f"not a whole binary {kind.DESCRIPTOR.name}", hint=hint)
        if walk.broken:
            raise SchemaError(walk.broken, hint="the file is damaged")
        return message


def _parsed(data: bytes | memoryview, kind: type[M]) -> M | None:
    try:
        return kind.FromString(data)  # type: ignore[arg-type, no-any-return]  # any buffer will do
    except DecodeError:
        return None


class _Walk:
    """A look at all of a message but its blobs.

    broken   what the first string field that is not UTF-8 is called; protobuf would return it as bytes
    odd      it has fields that Caffe does not, or not in such a layer, or that may be a fork's
    """

    def __init__(self) -> None:
        self.broken = ""
        self.odd = False

    def through(self, message: Message, path: str = "") -> None:
        self.odd = self.odd or len(UnknownFieldSet(message)) > 0  # type: ignore[arg-type]
        contested = fork_files.CONTESTED_IN.get(message.DESCRIPTOR.full_name)
        counts = fork_files.COUNTS.get(message.DESCRIPTOR.full_name, ())
        for field, value in message.ListFields():
            if field.number in counts:
                self.odd = True
            if contested and field.number in contested:
                self.odd = self.odd or not fork_files.belongs(field.name, fold(str(message.type)))
            if field.type in _TEXTUAL and field.message_type is not BlobProto.DESCRIPTOR:
                for i, item in enumerate(value if field.is_repeated else [value]):
                    if field.message_type:
                        self.through(
                            item, f"{path}{field.name}[{i}]." if field.is_repeated else f"{path}{field.name}."
                        )
                    elif isinstance(item, bytes) and not self.broken:
                        place = f"{path}{field.name}[{i}]" if field.is_repeated else f"{path}{field.name}"
                        self.broken = f"{place} is not UTF-8: {item[:40]!r}"


def read(path: str | Path, kind: type[M]) -> M:
    """The message of class `kind` in the file at `path`.  Raises DataError if the file cannot be read, is
    larger than a message can be, or of a kind that the package does not read (an archive, a web page, a Git
    LFS pointer); SchemaError as `parse`."""
    data = read_bytes(path, LARGEST_BYTES)
    refuse_foreign(data, path)
    return parse(data, kind, str(path))


def to_bytes(message: Message) -> bytes:
    """The message as it is written to a file: a net that was read from the file of a fork has the numbers of
    that fork."""
    data: bytes = message.SerializeToString()
    fork = unknown_fields(message).get(fork_files.MARK) if isinstance(message, NetParameter) else None
    return data if fork is None else fork_files.to_theirs(data, fork.decode())


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
    for field in wire.fields(blob.SerializeToString()):
        if field.number == kind and field.kind == wire.VARINT:
            found[kind].append(wire.read_varint(field.value, 0)[0])
        elif field.number in found and field.number != kind and field.kind == wire.LENGTH:
            found[field.number].append(field.value)
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
    encoded = bytearray()
    for values, fields in ((array, (_DATA, _DOUBLE_DATA)), (diff, (_DIFF, _DOUBLE_DIFF))):
        if values is None:
            continue
        double = values.dtype.itemsize == 8
        payload = np.ascontiguousarray(values, _LITTLE[8 if double else 4]).tobytes()
        encoded += wire.field(fields[double], payload)
    blob = BlobProto.FromString(bytes(encoded))
    blob.shape.dim.extend(array.shape)
    return blob
