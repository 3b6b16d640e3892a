"""How each fork numbers the fields of its binary files, and whether bytes are a message of its schema."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from . import wire
from .extensions import FIRST, LAST
from .forks import is_forks, table
from .schema import BlobProto, pool

CAFFE = ""  # the name of what no fork is


class Meaning(NamedTuple):
    """A field of a message in a fork: its descriptor here; for an enum, our value of each of the fork's."""

    field: Any
    kind: int  # wire type of one value
    values: Mapping[int, int] | None = None


class ForkSchema:
    """The schema of one fork, by the numbers of its files.  Made with `of`."""

    def __init__(self, fork: str) -> None:
        self.fork = fork
        self._meanings: dict[str, dict[int, Meaning]] = {}
        self._numbers: dict[str, dict[int, int]] = {}
        self._differs: dict[str, bool] = {}

    def meanings(self, message: Any) -> dict[int, Meaning]:
        """What each number means in a message of this descriptor."""
        name = message.full_name
        if name not in self._meanings:
            entries = {} if _is_ours(message) else self._entries(message)
            own, theirs = {}, {}
            for field in message.fields:
                numbers = entries.get(field.name)
                if numbers and self.fork in numbers:
                    theirs[numbers[self.fork]] = self._meaning(field)
                elif is_forks(field.number) or numbers is None or _is_caffes(message):
                    own[field.number] = self._meaning(field)
            self._meanings[name] = own | theirs
        return self._meanings[name]

    def numbers(self, message: Any) -> dict[int, int]:
        """The number in this fork of each of our fields."""
        name = message.full_name
        if name not in self._numbers:
            meanings = self.meanings(message)
            self._numbers[name] = {meaning.field.number: number for number, meaning in meanings.items()}
        return self._numbers[name]

    def differs(self, message: Any) -> bool:
        """Whether this fork numbers anything in a message otherwise, or in a message in it."""
        name = message.full_name
        if name not in self._differs:
            self._differs[name] = False  # for one that holds itself
            self._differs[name] = any(
                number != meaning.field.number
                or (meaning.values is not None and any(a != b for a, b in meaning.values.items()))
                or (meaning.field.message_type is not None and self.differs(meaning.field.message_type))
                for number, meaning in self.meanings(message).items()
            )
        return self._differs[name]

    def explains(self, message: Any, content: wire.Bytes) -> bool:
        """Whether bytes are a message of this descriptor, with fields that the fork has and no others."""
        missing = {field.number for field in message.fields if field.is_required}
        try:
            for found in wire.fields(content):
                if not self.explains_field(message, found):
                    return False
                missing.discard(found.number)
        except ValueError:
            return False
        return not missing

    def explains_field(self, message: Any, found: wire.Field) -> bool:
        """Whether a field can stand in a message of this descriptor."""
        meaning = self.meanings(message).get(found.number)
        if meaning is None:
            return False
        inner = meaning.field.message_type
        if found.kind != meaning.kind:  # several numbers in one field, or one where several were meant
            return found.kind == wire.LENGTH and inner is None and meaning.field.is_repeated
        if inner is not None:
            return inner is BlobProto.DESCRIPTOR or self.explains(inner, found.value)
        if meaning.values is not None:
            return wire.read_varint(found.value, 0)[0] in meaning.values
        if meaning.field.type == meaning.field.TYPE_BOOL and found.kind == wire.VARINT:
            return wire.read_varint(found.value, 0)[0] <= 1  # a count, if it is more
        return meaning.field.type != meaning.field.TYPE_STRING or _is_text(found.value)

    def _entries(self, owner: Any) -> dict[str, dict[str, int]]:
        """The numbers that forks have for the fields of a message or the values of an enum, by name.  Caffe's
        are as the descriptor says: the table is not read for it."""
        return {} if self.fork == CAFFE else _tables().get(_plain(owner), {})

    def _meaning(self, field: Any) -> Meaning:
        if field.enum_type is not None:
            entries = self._entries(field.enum_type)
            own, theirs = {}, {}
            for value in field.enum_type.values:
                known = entries.get(value.name)
                if known and self.fork in known:
                    theirs[known[self.fork]] = value.number
                elif known is None or _is_caffes(field.enum_type):
                    own[value.number] = value.number
            return Meaning(field, wire.VARINT, own | theirs)
        kinds = {
            **dict.fromkeys((field.TYPE_DOUBLE,), wire.FIXED64),
            **dict.fromkeys((field.TYPE_FLOAT,), wire.FIXED32),
            **dict.fromkeys((field.TYPE_STRING, field.TYPE_BYTES, field.TYPE_MESSAGE), wire.LENGTH),
        }
        return Meaning(field, kinds.get(field.type, wire.VARINT))


@cache
def of(fork: str) -> ForkSchema:
    """The schema of a fork; of Caffe if it is CAFFE."""
    return ForkSchema(fork)


@cache
def names() -> tuple[str, ...]:
    """All forks, those first that more files are of: where two fit a file alike, the first is taken."""
    first = ("ssd", "faster-rcnn", "rfcn", "nvcaffe", "segnet", "enet", "pspnet", "intel")
    known = {fork for entry in table() for fork in entry.numbers}
    return (*first, *sorted(known - set(first)))


@cache
def _tables() -> dict[str, dict[str, dict[str, int]]]:
    found: dict[str, dict[str, dict[str, int]]] = {}
    for entry in table():
        found.setdefault(entry.owner, {})[entry.name] = entry.numbers
    return found


def _plain(descriptor: Any) -> str:
    return str(descriptor.full_name.removeprefix("caffe.").removeprefix("Forks."))


def _is_caffes(owner: Any) -> bool:
    return "Forks." not in owner.full_name


def _is_ours(message: Any) -> bool:
    return bool(message.fields) and all(FIRST <= field.number <= LAST for field in message.fields)


def _is_text(value: memoryview) -> bool:
    try:
        str(value, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


NET = pool.FindMessageTypeByName("caffe.NetParameter")
LAYERS = {number: NET.fields_by_number[number].message_type for number in (100, 2)}  # of today, of V1
