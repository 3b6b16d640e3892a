"""Fields and enum values of our own, and refusing them.

They have numbers from 50000 to 50999, which neither BVLC nor NVIDIA Caffe uses: Caffe's text parser rejects
them by name, its binary parser keeps them as unknown fields.  docs/extensions.md lists them.
"""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.descriptor import FieldDescriptor

from ..errors import SchemaError
from .schema import Message

FIRST, LAST = 50000, 50999


def used(message: Message, path: str = "") -> Iterator[str]:
    """The extensions that are set anywhere in a message, as paths like layer[0].data_param.shuffle."""
    for field, value in message.ListFields():
        repeated = field.is_repeated
        for i, item in enumerate(value if repeated else [value]):
            place = f"{path}{field.name}[{i}]" if repeated else f"{path}{field.name}"
            if FIRST <= field.number <= LAST:
                yield place
            elif field.type == FieldDescriptor.TYPE_MESSAGE:
                yield from used(item, f"{place}.")
            elif field.type == FieldDescriptor.TYPE_ENUM and FIRST <= item <= LAST:
                yield f"{place}: {field.enum_type.values_by_number[item].name}"


def refuse(message: Message) -> None:
    """What --strict does: SchemaError if the message holds anything Caffe would not read."""
    found = list(used(message))
    if found:
        raise SchemaError(
            f"--strict: {', '.join(found)} is an extension of minicaffe that Caffe does not read"
        )
