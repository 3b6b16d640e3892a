"""What forks of Caffe add to its schema: the table in forks.tsv, which `tools/compile_schema.py` compiles
into the descriptor beside caffe.proto.

Text names fields, so that one schema can hold the fields of all forks.  Binary files number them, and forks
gave one number to different fields; here every field has a number that is its alone.  The messages that only
forks have are nested in a message `Forks`, which keeps their names apart from ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

FIRST, LAST = 51000, 51999  # numbers of what forks add to messages and enums of Caffe
SCALARS = ("int32", "int64", "uint32", "float", "double", "bool", "string", "bytes")
VALUE = "value"  # the type of an enum's value


class Entry(NamedTuple):
    """A field of a message, or a value of an enum.

    owner     the message or enum, as forks call it
    name, number, type, repeated, default   here
    numbers   its number in each fork that has it
    """

    owner: str
    name: str
    number: int
    type: str
    repeated: bool
    default: str
    numbers: dict[str, int]


def is_forks(number: int) -> bool:
    """Whether a field or enum value of a message of Caffe's is one that forks added."""
    return FIRST <= number <= LAST


@cache
def table() -> tuple[Entry, ...]:
    """All of forks.tsv.  Nothing of it is read where only nets of Caffe are."""
    lines = Path(__file__).with_name("forks.tsv").read_text(encoding="utf-8").splitlines()
    return tuple(_entries(lines))


def _entries(lines: list[str]) -> Iterator[Entry]:
    owner, common = "", ""
    for line in lines:
        if line.startswith("#"):
            continue
        if not line.startswith("\t"):
            owner, common = line.split("\t")
            continue
        name, number, kind, default, forks, *_ = [*line[1:].split("\t"), "", ""]
        numbers = {}
        for group in (forks or "*").split(" "):
            names, _, other = group.partition("=")
            numbers.update(dict.fromkeys(names.replace("*", common).split(","), int(other or number)))
        yield Entry(owner, name, int(number), kind.rstrip("*"), kind.endswith("*"), default, numbers)


@cache
def _by_name() -> dict[tuple[str, str], Entry]:
    return {(entry.owner, entry.name): entry for entry in table()}


def forks_of(owner: str, name: str) -> tuple[str, ...]:
    """The forks that have a field or value: forks_of("PoolingParameter", "ceil_mode"); none for Caffe's."""
    entry = _by_name().get((owner, name))
    return tuple(entry.numbers) if entry else ()
