"""Layer types, the fields of their messages, and what is said about both: palette and forms show it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from ..core.layer import Layer
from ..drawing.diagram import kind_of
from ..errors import UnknownTypeError, suggest
from ..layers import LAYERS, resolve
from ..proto.forks import is_forks
from ..proto.layer_types import CAFFE_TYPES, FORK_TYPES
from ..proto.schema import LayerParameter, SolverParameter

# What stands in a layer that is dropped on the graph, where it cannot be without.
STARTS = {
    "Convolution": "convolution_param { num_output: 32 kernel_size: 3 pad: 1 }",
    "Data": 'data_param { source: "digits/train" batch_size: 64 backend: IDX }',
    "Deconvolution": "convolution_param { num_output: 32 kernel_size: 4 stride: 2 pad: 1 }",
    "DummyData": "dummy_data_param { shape { dim: 64 dim: 1 dim: 28 dim: 28 } }",
    "Embed": "embed_param { input_dim: 100 num_output: 32 }",
    "InnerProduct": "inner_product_param { num_output: 100 }",
    "Input": "input_param { shape { dim: 1 dim: 1 dim: 28 dim: 28 } }",
    "LSTM": "recurrent_param { num_output: 32 }",
    "Pooling": "pooling_param { pool: MAX kernel_size: 2 stride: 2 }",
    "Power": "power_param { scale: 1 }",
    "Reshape": "reshape_param { shape { dim: 0 dim: -1 } }",
    "RNN": "recurrent_param { num_output: 32 }",
    "Scale": "scale_param { bias_term: true }",
    "Slice": "slice_param { axis: 1 }",
}
FILLED = ("Convolution", "Deconvolution", "InnerProduct")  # with weights that begin at 0 unless filled
COMMON = ("loss_weight", "param", "propagate_down", "include", "exclude")  # of every layer
COMMENT = re.compile(r"//\s*(.*)")
OPENS = re.compile(r"\s*message (\w+)")
FIELD = re.compile(r"\s*(?:optional|repeated|required)\s+[\w.]+\s+(\w+)\s*=\s*\d+[^;]*;\s*(?://\s*(.*))?")


@cache
def palette() -> dict[str, Any]:
    """The answer to GET /api/layers.

    types     by name, in the index's order: group (as the colours of the graph), first line of the
              docstring, counts of bottoms and tops as [least, most or null], whether it brings data in and
              may run in place, where the type is from, its own fields and their messages, and what it begins
              with
    messages  by name: their fields, each with kind, default, values of an enum, message, repeated, and what
              the schema says about it.  A message of which only some fields are read by a type lists all;
              the type names what is a fork's and not read in `unread`
    """
    messages: dict[str, list[dict[str, Any]]] = {}
    types = {name: _type(name, messages) for name in LAYERS}
    _collect(SolverParameter.DESCRIPTOR, messages)
    layer = [field for field in LayerParameter.DESCRIPTOR.fields if field.name in ("name", "type", *COMMON)]
    messages["LayerParameter"] = [_field(field, messages) for field in layer]
    return {"types": types, "messages": messages, "common": list(COMMON)}


def text_of(name: str) -> str:
    """The docstring of a type; UnknownTypeError, with the closest names, if there is none."""
    if name not in LAYERS:
        raise UnknownTypeError(f"no layer type {name!r}", hint=suggest(name, LAYERS))
    return inspect.getdoc(resolve(name)) or ""


def _type(name: str, messages: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    kind = resolve(name)
    text = inspect.getdoc(kind) or ""
    fields = list(_params(kind, text))
    for field in fields:
        _collect(field.message_type, messages)
    start = STARTS.get(name, "")
    if name in FILLED:
        start = (
            f'{start[:-2]} weight_filler {{ type: "{"msra" if name != "InnerProduct" else "xavier"}" }} }}'
        )
    origin = "Caffe" if name in CAFFE_TYPES else FORK_TYPES.get(name, "minicaffe")
    return {
        "group": kind_of(name),
        "summary": text.split("\n\n")[0].replace("\n", " "),
        "bottoms": _counts(kind.bottoms),
        "tops": _counts(kind.tops),
        "source": kind.source,
        "in_place": bool(kind.in_place_ok),
        "loss": bool(kind.loss_weight),
        "origin": origin,
        "params": {field.name: field.message_type.name for field in fields},
        "reads": sorted(kind.fork_fields),
        "start": start,
    }


def _counts(given: int | tuple[int, int | None]) -> list[int | None]:
    return list(given) if isinstance(given, tuple) else [given, given]


def _params(kind: type[Layer], text: str) -> Iterator[Any]:
    """The messages of a layer that its docstring speaks of."""
    known = LayerParameter.DESCRIPTOR.fields_by_name
    for name in dict.fromkeys(re.findall(r"\b\w+_param\b", text)):
        if name in known and known[name].message_type:
            yield known[name]


def _collect(message: Any, messages: dict[str, list[dict[str, Any]]]) -> None:
    if message.name not in messages and not message.name.endswith("LayerParameter"):
        messages[message.name] = []  # it may hold itself
        fields = [field for field in message.fields if not is_forks(field.number) or _is_read(field)]
        messages[message.name] = [_field(field, messages) for field in fields]


def _is_read(field: Any) -> bool:
    """Whether some layer reads a field that forks added."""
    message = field.containing_type.name
    return message == "SolverParameter" or (message, field.name) in _all_read()


@cache
def _all_read() -> frozenset[tuple[str, str]]:
    found = set()
    for name in LAYERS:
        for path in resolve(name).fork_fields:
            message, parts = LayerParameter.DESCRIPTOR, path.split(".")
            for part in parts:
                field = message.fields_by_name.get(part)
                if field is None:
                    break
                found.add((message.name, part))
                message = field.message_type or message
    return frozenset(found)


def _field(field: Any, messages: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    said: dict[str, Any] = {"name": field.name, "kind": _kind(field), "repeated": field.is_repeated}
    if field.message_type:
        said["message"] = field.message_type.name
        if field.message_type.name not in ("NetParameter", "BlobProto"):
            _collect(field.message_type, messages)
    elif field.enum_type:
        theirs = ".Forks." in field.enum_type.full_name
        said["values"] = [v.name for v in field.enum_type.values if theirs or not is_forks(v.number)]
    if not field.is_repeated and not field.message_type:
        default = field.default_value
        if field.enum_type:
            default = field.enum_type.values_by_number[default].name
        if field.has_default_value or field.enum_type or field.type == field.TYPE_BOOL:
            said["default"] = f"{default:g}" if isinstance(default, float) else default
    if note := notes().get(f"{field.containing_type.name}.{field.name}"):
        said["note"] = note
    if is_forks(field.number):
        said["fork"] = True
    return said


def _kind(field: Any) -> str:
    if field.message_type:
        return "message"
    if field.enum_type:
        return "enum"
    kinds = {
        field.TYPE_BOOL: "bool", field.TYPE_STRING: "string", field.TYPE_BYTES: "string",
        field.TYPE_FLOAT: "float", field.TYPE_DOUBLE: "float",
    }  # fmt: skip
    return kinds.get(field.type, "int")


@cache
def notes() -> dict[str, str]:
    """What comments of caffe.proto say about fields: those behind them, and those above that are not set
    apart by an empty line."""
    found: dict[str, str] = {}
    owner: list[str] = []
    above: list[str] = []
    for line in (files("minicaffe.proto") / "caffe.proto").read_text(encoding="utf-8").splitlines():
        stripped = line.strip()
        if opened := OPENS.match(line):
            owner.append(opened[1])
        elif stripped.startswith("enum "):
            owner.append("" if "}" not in stripped else owner[-1])
            if "}" in stripped:
                owner.pop()
        elif stripped == "}" and owner:
            owner.pop()
        elif (field := FIELD.match(line)) and owner:
            note = " ".join([*above, *([field[2]] if field[2] else [])])
            if note:
                found[f"{owner[-1]}.{field[1]}"] = note
        above = [*above, COMMENT.match(stripped)[1]] if stripped.startswith("//") else []  # type: ignore[index]
    return found
