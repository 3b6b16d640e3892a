"""The schema holds every message, field, default and enum value of Caffe; what is ours lies in our range."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from google.protobuf.descriptor import FieldDescriptor

from minicaffe.proto import extensions, forks, schema

TABLE = Path(__file__).parent.parent / "golden" / "schema.tsv"
PROTO = Path(schema.__file__).parent
SCALARS = {
    getattr(FieldDescriptor, f"TYPE_{name.upper()}"): name
    for name in ("int32", "int64", "uint32", "float", "double", "bool", "string", "bytes")
}


def rows() -> list[dict[str, str]]:
    with open(TABLE, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


FIELDS = [row for row in rows() if row["label"] != "enum-value"]
VALUES = [row for row in rows() if row["label"] == "enum-value"]


def type_of(field: FieldDescriptor) -> str:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return f"message {field.message_type.full_name.removeprefix('caffe.')}"
    if field.type == FieldDescriptor.TYPE_ENUM:
        return f"enum {field.enum_type.full_name.removeprefix('caffe.')}"
    return SCALARS[field.type]


def default_of(field: FieldDescriptor) -> str | None:
    if not field.has_default_value:
        return None
    if field.type == FieldDescriptor.TYPE_ENUM:
        return field.enum_type.values_by_number[field.default_value].name
    if isinstance(field.default_value, bool):
        return str(field.default_value).lower()
    return f'"{field.default_value}"' if isinstance(field.default_value, str) else field.default_value


def test_all_63_messages():
    names = {row["message"] for row in FIELDS}
    assert len(names) == 63
    for name in names:
        schema.message_class(name)


@pytest.mark.parametrize("row", FIELDS, ids=lambda row: f"{row['message']}.{row['field_or_enum_value']}")
def test_field(row):
    message = schema.pool.FindMessageTypeByName(f"caffe.{row['message']}")
    field = message.fields_by_name[row["field_or_enum_value"]]
    assert field.number == int(row["number"])
    assert type_of(field) == row["type"]
    assert field.is_repeated == (row["label"] == "repeated")
    assert field.is_required == (row["label"] == "required")
    assert field.is_packed == (row["packed"] == "y")
    default = default_of(field)
    if row["default"] and isinstance(default, int | float) and not isinstance(default, bool):
        assert default == pytest.approx(float(row["default"]), rel=1e-6)
    else:
        assert default == (row["default"] or None)


@pytest.mark.parametrize("row", VALUES, ids=lambda row: f"{row['message']}.{row['field_or_enum_value']}")
def test_enum_value(row):
    enum = schema.pool.FindEnumTypeByName(f"caffe.{row['message']}")
    assert enum.values_by_name[row["field_or_enum_value"]].number == int(row["number"])


def test_what_is_not_caffes_lies_in_our_range():
    known = {(row["message"], row["field_or_enum_value"]) for row in rows()}
    ours = []
    for name in {row["message"] for row in FIELDS}:
        descriptor = schema.pool.FindMessageTypeByName(f"caffe.{name}")
        ours += [(name, f.name, f.number) for f in descriptor.fields if (name, f.name) not in known]
        for enum in descriptor.enum_types:
            owner = f"{name}.{enum.name}"
            if any(of == owner for of, _ in known) or any(v.number >= extensions.FIRST for v in enum.values):
                ours += [(owner, v.name, v.number) for v in enum.values if (owner, v.name) not in known]
    assert ours
    for owner, name, number in ours:
        assert (extensions.FIRST <= number <= extensions.LAST) != forks.is_forks(number), f"{owner}.{name}"


def test_descriptor_is_compiled_from_the_proto_file(tmp_path):
    compile_schema = pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed")
    assert compile_schema
    from tools.compile_schema import compile_schema

    compile_schema(tmp_path / "caffe.desc")
    assert (tmp_path / "caffe.desc").read_bytes() == (PROTO / "caffe.desc").read_bytes()


def test_lives_beside_another_caffe_pb2():
    """The default pool stays free of our names, so that pycaffe can register them."""
    from google.protobuf import descriptor_pool

    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("caffe.NetParameter")
