"""Protobuf's wire format: the fields of a serialized message, and writing them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, LENGTH, GROUP, END_GROUP, FIXED32 = range(6)  # wire types
Bytes = bytes | memoryview


class Field(NamedTuple):
    """A field of a message: `whole` are its bytes with the tag, `value` those behind the tag (and length)."""

    number: int
    kind: int  # wire type
    value: memoryview
    whole: memoryview


def fields(data: Bytes) -> Iterator[Field]:
    """The fields of a message in wire order; those in a group belong to it.  ValueError if `data` is no whole
    message."""
    wire = memoryview(data)
    end, at = len(wire), 0
    while at < end:
        start = at
        tag = wire[at]
        at += 1
        if tag > 127:
            tag, at = read_varint(wire, start)
        number, kind = tag >> 3, tag & 7
        begin = at
        if kind == LENGTH:
            length, begin = read_varint(wire, at)
            at = begin + length
        elif kind == VARINT:
            _, at = read_varint(wire, at)
        elif kind == FIXED32 or kind == FIXED64:
            at += 4 if kind == FIXED32 else 8
        elif kind == GROUP:
            at = _behind_group(wire, at)
        else:
            raise ValueError("a group ends that did not begin")
        if at > end or number == 0:
            raise ValueError("a field is cut short")
        yield Field(number, kind, wire[begin:at], wire[start:at])


def _behind_group(wire: memoryview, at: int) -> int:
    depth = 1
    while depth:
        tag, at = read_varint(wire, at)
        kind = tag & 7
        if kind == LENGTH:
            length, at = read_varint(wire, at)
            at += length
        elif kind == VARINT:
            _, at = read_varint(wire, at)
        elif kind in (GROUP, END_GROUP):
            depth += 1 if kind == GROUP else -1
        else:
            at += 8 if kind == FIXED64 else 4
    return at


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: Bytes, at: int) -> tuple[int, int]:
    """The number that begins at `at`, and where it ends; ValueError if it does not."""
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7
    raise ValueError("a number is cut short")


def field(number: int, value: int | Bytes) -> bytes:
    """One field on the wire: a number, or what has a length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | LENGTH) + varint(len(value)) + value


def renumbered(found: Field, number: int) -> bytes:
    """The bytes of a field, under another number."""
    _, at = read_varint(found.whole, 0)
    return varint(number << 3 | found.kind) + found.whole[at:]
