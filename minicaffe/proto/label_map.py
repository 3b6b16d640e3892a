"""The label maps of SSD: names of classes by number, in a text format of their own.

item { name: "n02391049" label: 3 display_name: "zebra" }
"""

from __future__ import annotations

import re
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

from ..errors import DataError
from . import text

_STARTS = re.compile(r"(\s|#[^\n]*\n)*item\s*:?\s*[{<]")


def is_label_map(content: str) -> bool:
    """Whether a text is a label map, by how it begins."""
    return _STARTS.match(content) is not None


def names(content: str, source: str) -> list[str]:
    """The names of the classes by their numbers; what is shown to people, where a map has that.

    source  the file, for errors

    Raises SchemaError for text that is no label map, DataError for a number that is there twice or lacks.
    """
    found: dict[int, str] = {}
    whole: Any = text.parse(content, _LabelMap, source)
    for item in whole.item:
        if item.label in found:
            raise DataError(
                f"{source}: two items have the label {item.label}: {found[item.label]} and {item.name}"
            )
        found[item.label] = item.display_name or item.name
    for number in range(len(found)):
        if not found.get(number):
            raise DataError(
                f"{source}: no name for the label {number}; expected one for each from 0 to {len(found) - 1}"
            )
    return [found[number] for number in range(len(found))]


def _message() -> type:
    """The class of a label map.  It is no part of a net, and so not of the schema."""
    of = FieldDescriptorProto
    file = FileDescriptorProto(name="label_map.proto", package="label_map", syntax="proto2")
    item, whole = file.message_type.add(name="Item"), file.message_type.add(name="LabelMap")
    fields = (("name", of.TYPE_STRING), ("label", of.TYPE_INT32), ("display_name", of.TYPE_STRING))
    for number, (name, kind) in enumerate(fields, 1):
        item.field.add(name=name, number=number, label=of.LABEL_OPTIONAL, type=kind)
    inner = {"type": of.TYPE_MESSAGE, "type_name": ".label_map.Item"}
    whole.field.add(name="item", number=1, label=of.LABEL_REPEATED, **inner)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("label_map.LabelMap"))


_LabelMap = _message()
