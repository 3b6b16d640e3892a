"""Fields and values that minicaffe adds to Caffe's, and those of Caffe's forks: finding, refusing and
removing them.

Added fields and enum values have numbers from 50000 to 50999, which neither BVLC nor NVIDIA Caffe uses.
Caffe's text parser refuses a file with such a field, its binary parser keeps it as an unknown field.  Where
Caffe has a string for a type or policy, the additions are further strings.  docs/extensions.md lists all of
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from google.protobuf.descriptor import FieldDescriptor

from ..errors import SchemaError
from .forks import forks_of, is_forks
from .layer_types import CAFFE_TYPES, FORK_TYPES, LAYERS
from .schema import Message
from .unread import HOW, matters

FIRST, LAST = 50000, 50999

# (message, field) -> our strings, and what comes closest to each in Caffe; for layers, nothing does.
STRINGS: dict[tuple[str, str], dict[str, dict]] = {
    ("SolverParameter", "type"): {"AdamW": {"type": "Adam"}},
    ("SolverParameter", "lr_policy"): {
        "cosine": {"lr_policy": "poly", "power": 1},
        "plateau": {"lr_policy": "fixed"},
    },
    ("LayerParameter", "type"): {name: {} for name in LAYERS.keys() - CAFFE_TYPES - FORK_TYPES.keys()},
}


# What is lost with an extension that Caffe has another way for.
NOTES = {
    ("DataParameter", "backend"): "; Caffe reads databases alone: convert_imageset makes one",
    ("LayerParameter", "augment_param"): "; Caffe trains on the images as they are",
    ("TransformationParameter", "std_value"): "; with one value, scale can be divided by it",
    ("TransformationParameter", "resize"): "; Caffe resizes when convert_imageset makes the database",
}


class Use(NamedTuple):
    """Something that a message uses and Caffe does not have: `message` has it in `field`; `place` is where,
    for error messages."""

    message: Message
    field: FieldDescriptor
    place: str
    instead: dict  # fields to set when it is removed
    forks: tuple[str, ...] | None = None  # that have it; None if it is an extension
    lost: bool = False  # without it something else is computed, and Caffe has nothing in its place

    @property
    def what(self) -> str:
        """Whose it is, for error messages."""
        if self.forks is None:
            return "an extension of minicaffe"
        few = ", ".join(self.forks[:4]) + (", ..." if len(self.forks) > 4 else "")
        return f"of forks of Caffe ({few})"


# Messages whose fields can go: what a net computes is the same, if not what it is trained on.
_CAN_GO = ("transform_param", "data_param", "image_data_param")
_OUTER = ("NetParameter", "SolverParameter", "LayerParameter", "V1LayerParameter")


def find(message: Message, path: str = "") -> Iterator[Use]:
    """All extensions, and all that only forks of Caffe have, that a message uses.  Their places are paths
    such as layer[0].data_param.shuffle, after `path`."""
    owner = message.DESCRIPTOR.name
    for field, value in message.ListFields():
        strings = STRINGS.get((owner, field.name), {})
        for i, item in enumerate(value if field.is_repeated else [value]):
            place = f"{path}{field.name}[{i}]" if field.is_repeated else f"{path}{field.name}"
            if FIRST <= field.number <= LAST:
                yield Use(message, field, place, {})
            elif is_forks(field.number):
                inside = not any(f"{name}." in path for name in _CAN_GO) and owner not in _OUTER
                lost = inside and matters(owner, field, value)
                yield Use(message, field, place, {}, forks_of(owner, field.name), lost)
                break  # of a list, once
            elif field.type == FieldDescriptor.TYPE_MESSAGE:
                if field.name != "blobs":
                    yield from find(item, f"{place}.")
            elif field.type == FieldDescriptor.TYPE_ENUM and item >= FIRST:
                name = field.enum_type.values_by_number[item].name
                if not is_forks(item):
                    yield Use(message, field, f"{place}: {name}", {})
                    continue
                enum = field.enum_type.full_name.removeprefix("caffe.")
                forks = forks_of(enum, name)
                yield Use(message, field, f"{place}: {name}", {}, forks, field.name not in HOW)
            elif strings and item in strings:
                yield Use(message, field, f"{place}: {item}", strings[item], lost=not strings[item])
            elif field.name == "type" and owner == "LayerParameter" and item in FORK_TYPES:
                yield Use(message, field, f"{place}: {item}", {}, tuple(FORK_TYPES[item].split()), True)


def used(message: Message) -> list[str]:
    """The places of all that `find` finds."""
    return [use.place for use in find(message)]


def refuse(message: Message) -> None:
    """SchemaError if the message uses an extension, or something of a fork.  Called for files that Caffe
    should be able to read (--strict)."""
    found: dict[str, list[str]] = {}
    for use in find(message):
        found.setdefault(use.what, []).append(use.place)
    if found:
        said = "; ".join(f"{', '.join(places)} is {what}" for what, places in found.items())
        raise SchemaError(f"--strict: {said} that Caffe does not read")


def strip(message: Message) -> list[str]:
    """Remove every extension, and what is of forks alone, from a message, in place; returns a line for each
    that says how the message changed.

    Raises SchemaError, before anything is removed, for all that Caffe lacks and has no replacement for:
    layers of other types, and fields of forks without which something else is computed.
    """
    lines = []
    uses = list(find(message))
    lost = [use.place for use in uses if use.lost]
    if lost:
        few = ", ".join(lost[:12]) + (f" and {len(lost) - 12} more" if len(lost) > 12 else "")
        kinds = all(".type: " in f".{place}" for place in lost)
        raise SchemaError(
            f"{few}: Caffe has no such {'layer' if kinds else 'thing'}, and none that could take its place",
            hint="remove the layer and what needs it, and convert the rest",
        )
    for use in uses:
        use.message.ClearField(use.field.name)
        for name, value in use.instead.items():
            setattr(use.message, name, value)
        instead = ", ".join(f"{name}: {value}" for name, value in use.instead.items())
        said = f"replaced by {instead}" if instead else "removed"
        note = NOTES.get((use.message.DESCRIPTOR.name, use.field.name), "")
        lines.append(f"{use.place}: {said}{note}")
    return lines
