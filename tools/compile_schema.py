"""Compile caffe.proto and forks.tsv of minicaffe/proto into the descriptor that the package loads (needs
grpcio-tools)."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from grpc_tools import protoc

from minicaffe.proto.extensions import FIRST, LAST
from minicaffe.proto.forks import SCALARS, VALUE, Entry, table

PROTO = Path(__file__).resolve().parent.parent / "minicaffe" / "proto"
FORKS = "Forks"  # the message that the messages of forks alone are nested in


def compile_schema(output: Path) -> None:
    """Write the serialized FileDescriptorProto of caffe.proto and forks.tsv to `output`."""
    with TemporaryDirectory() as folder:
        made = Path(folder) / "set"
        status = protoc.main(["protoc", f"-I{PROTO}", f"--descriptor_set_out={made}", "caffe.proto"])
        if status:
            raise SystemExit(status)
        (file,) = FileDescriptorSet.FromString(made.read_bytes()).file
    add_forks(file, table())
    output.write_bytes(file.SerializeToString())


def add_forks(file: FileDescriptorProto, entries: Sequence[Entry]) -> None:
    """Add the messages, fields and values of forks to Caffe's schema."""
    scopes: dict[str, DescriptorProto] = {
        message.name: message for message in file.message_type if not _is_ours(message)
    }
    caffes = set(scopes)
    scopes[""] = file.message_type.add(name=FORKS)
    enums: dict[str, EnumDescriptorProto] = {
        f"{message.name}.{enum.name}": enum for message in file.message_type for enum in message.enum_type
    }

    def scope(name: str) -> DescriptorProto:
        """The message of this name ("" for that of all forks), made if there is none."""
        if name not in scopes:
            outer, _, inner = name.rpartition(".")
            scopes[name] = scope(outer).nested_type.add(name=inner)
        return scopes[name]

    for entry in entries:  # first all names, which fields of any message may have as their type
        if entry.type != VALUE:
            scope(entry.owner)
        elif entry.owner not in enums:
            outer, _, inner = entry.owner.rpartition(".")
            enums[entry.owner] = scope(outer).enum_type.add(name=inner)

    def full_name(name: str) -> str:
        outer = name.split(".")[0]
        return f".caffe.{name}" if outer in caffes else f".caffe.{FORKS}.{name}"

    for entry in entries:
        if entry.type == VALUE:
            enum = enums[entry.owner]
            if entry.name not in {value.name for value in enum.value}:  # not Caffe's under another number
                enum.value.add(name=entry.name, number=entry.number)
        elif entry.name not in {field.name for field in scopes[entry.owner].field}:
            field = scopes[entry.owner].field.add(name=entry.name, number=entry.number)
            field.label = field.LABEL_REPEATED if entry.repeated else field.LABEL_OPTIONAL
            if entry.type in SCALARS:
                field.type = getattr(field, f"TYPE_{entry.type.upper()}")
            else:
                field.type = field.TYPE_ENUM if entry.type in enums else field.TYPE_MESSAGE
                field.type_name = full_name(entry.type)
            if entry.default:
                field.default_value = entry.default.strip('"')


def _is_ours(message: DescriptorProto) -> bool:
    """Whether a message is an extension, whose name a message of a fork may have too."""
    return all(FIRST <= field.number <= LAST for field in message.field)


if __name__ == "__main__":
    compile_schema(PROTO / "caffe.desc")
