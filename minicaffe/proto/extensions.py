"""Fields and values of our own: finding, refusing and removing them.

Fields and enum values have numbers from 50000 to 50999, which neither BVLC nor NVIDIA Caffe uses: Caffe's
text parser rejects them by name, its binary parser keeps them as unknown fields.  Where Caffe has a string
for a type or policy, ours are further strings.  docs/extensions.md lists them all.
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
    """An extension that is set: in the field `field` of `message`; `place` is for people."""

    message: Message
    field: FieldDescriptor
    place: str
    instead: dict  # fields to set when it is removed


def find(message: Message, path: str = "") -> Iterator[Use]:
    """The extensions that are set in a message; places are paths like layer[0].data_param.shuffle."""
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
    """What --strict does: SchemaError if the message holds anything Caffe would not read."""
    found = used(message)
    if found:
        raise SchemaError(
            f"--strict: {', '.join(found)} is an extension of minicaffe that Caffe does not read"
        )


def strip(message: Message) -> list[str]:
    """Remove every extension, in place; returns a line for each that says what became of it.

    SchemaError, and nothing is removed, if the message has a layer of a type that nothing in Caffe can stand
    for.
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
