"""Fields and values that minicaffe adds to Caffe's: finding, refusing and removing them.

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
from .layer_types import CAFFE_TYPES, LAYERS
from .schema import Message

FIRST, LAST = 50000, 50999

# (message, field) -> our strings, and what comes closest to each in Caffe.
STRINGS: dict[tuple[str, str], dict[str, dict]] = {
    ("SolverParameter", "type"): {"AdamW": {"type": "Adam"}},
    ("SolverParameter", "lr_policy"): {
        "cosine": {"lr_policy": "poly", "power": 1},
        "plateau": {"lr_policy": "fixed"},
    },
    ("LayerParameter", "type"): {name: {} for name in LAYERS.keys() - CAFFE_TYPES},  # nothing comes close
}


# What is lost with an extension that Caffe has another way for.
NOTES = {
    ("DataParameter", "backend"): "; Caffe reads databases alone: convert_imageset makes one",
    ("LayerParameter", "augment_param"): "; Caffe trains on the images as they are",
    ("TransformationParameter", "std_value"): "; with one value, scale can be divided by it",
    ("TransformationParameter", "resize"): "; Caffe resizes when convert_imageset makes the database",
}


class Use(NamedTuple):
    """One extension that a message uses: `message` has it in `field`; `place` is where, for error
    messages."""

    message: Message
    field: FieldDescriptor
    place: str
    instead: dict  # fields to set when it is removed


def find(message: Message, path: str = "") -> Iterator[Use]:
    """All extensions that a message uses.  Their places are paths such as layer[0].data_param.shuffle, after
    `path`."""
    for field, value in message.ListFields():
        repeated = field.is_repeated
        strings = STRINGS.get((message.DESCRIPTOR.name, field.name), {})
        for i, item in enumerate(value if repeated else [value]):
            place = f"{path}{field.name}[{i}]" if repeated else f"{path}{field.name}"
            if FIRST <= field.number <= LAST:
                yield Use(message, field, place, {})
            elif field.type == FieldDescriptor.TYPE_MESSAGE:
                yield from find(item, f"{place}.")
            elif field.type == FieldDescriptor.TYPE_ENUM and FIRST <= item <= LAST:
                yield Use(message, field, f"{place}: {field.enum_type.values_by_number[item].name}", {})
            elif strings and item in strings:
                yield Use(message, field, f"{place}: {item}", strings[item])


def used(message: Message) -> list[str]:
    """The places of all extensions in a message."""
    return [use.place for use in find(message)]


def refuse(message: Message) -> None:
    """SchemaError if the message uses an extension.  Called for files that Caffe should be able to read
    (--strict)."""
    found = used(message)
    if found:
        raise SchemaError(
            f"--strict: {', '.join(found)} is an extension of minicaffe that Caffe does not read"
        )


def strip(message: Message) -> list[str]:
    """Remove every extension from a message, in place; returns a line for each that says how the message
    changed.

    Raises SchemaError, before anything is removed, if a layer has a type that Caffe lacks and has no
    replacement for.
    """
    lines = []
    uses = list(find(message))
    for use in uses:
        if use.field.name == "type" and not use.instead:
            raise SchemaError(
                f"{use.place}: Caffe has no such layer, and none that could take its place",
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
