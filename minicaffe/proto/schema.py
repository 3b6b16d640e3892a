"""The message classes of caffe.proto.

They live in a descriptor pool of their own, so that an installed pycaffe, which registers the same names in
the default pool, and minicaffe can be imported into one process.

    from minicaffe.proto.schema import NetParameter, LayerParameter, TRAIN, TEST
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

__all__ = ["TEST", "TRAIN", "Message", "definitions", "enum_name", "message_class", "pool"]

pool = descriptor_pool.DescriptorPool()
_files = descriptor_pb2.FileDescriptorSet.FromString(Path(__file__).with_name("caffe.desc").read_bytes())
for _file in _files.file:
    pool.Add(_file)


def message_class(name: str) -> type[Message]:
    """The class of message `name`, as in message_class("NetParameter")."""
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"caffe.{name}"))


NetParameter = message_class("NetParameter")
NetState = message_class("NetState")
LayerParameter = message_class("LayerParameter")
ParamSpec = message_class("ParamSpec")
FillerParameter = message_class("FillerParameter")
SolverParameter = message_class("SolverParameter")
SolverState = message_class("SolverState")
BlobProto = message_class("BlobProto")
Datum = message_class("Datum")
AugmentationParameter = message_class("AugmentationParameter")
TransformationParameter = message_class("TransformationParameter")

TRAIN, TEST = (
    pool.FindEnumTypeByName("caffe.Phase").values_by_name[name].number for name in ("TRAIN", "TEST")
)


def enum_name(message: Message, field: str) -> str:
    """The name of an enum field's value: enum_name(param.pooling_param, "pool") is "MAX"."""
    return message.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number[getattr(message, field)].name


def definitions() -> dict[str, Any]:
    """What a module that protoc makes of caffe.proto holds: by name every message class, every enum, the
    values of the enums, and DESCRIPTOR."""
    file = pool.FindFileByName("caffe.proto")
    found: dict[str, Any] = {"DESCRIPTOR": file}
    found.update((name, message_class(name)) for name in file.message_types_by_name)
    for name, enum in file.enum_types_by_name.items():
        found[name] = EnumTypeWrapper(enum)
        found.update((value.name, value.number) for value in enum.values)
    return found
