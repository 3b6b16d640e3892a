"""What a layer computes, in the words of its docstring, with the numbers that it has in this net."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from ..core.layer import Layer
from ..inference.stepper import Passage
from ..proto.forks import is_forks
from ..proto.schema import LayerParameter, Message
from . import expressions

SECTION = re.compile(r"^(Param|Params|Shapes|Backward|Source|Differs|Raises) {2,}(.*)$")
MESSAGE = re.compile(r"\b\w+_param\b")
NUMBER = re.compile(r"-?[\d.]+(e-?\d+)?")
WORD = re.compile(r"\b[A-Za-z_]+\b")
IDLE = re.compile(r"(\w+) is read and means nothing here")


def of(layer: Layer, passage: Passage) -> dict[str, Any]:
    """formula: the text in front of the sections of the docstring; filled: the same with this layer's
    numbers, "" if it has none; sections: these, by name; numbers: fields with the values that count, and
    whether the net says them."""
    formula, sections = parts(inspect.getdoc(type(layer)) or "")
    numbers = list(_fields(layer, sections.get("Param", "")))
    return {
        "name": layer.name,
        "type": layer.type,
        "formula": formula,
        "filled": expressions.of(layer, passage) or _filled(formula, numbers),
        "sections": sections,
        "numbers": numbers,
        "shapes": {
            "bottoms": [[n, list(a.shape)] for n, a in zip(passage.bottom_names, passage.bottoms)],
            "tops": [[n, list(a.shape)] for n, a in zip(passage.top_names, passage.tops)],
            "params": [list(a.shape) for a in passage.params],
        },
    }


def parts(doc: str) -> tuple[str, dict[str, str]]:
    """A docstring of a layer as its beginning and its sections, each in one line; the beginning keeps its
    lines."""
    head: list[str] = []
    sections: dict[str, str] = {}
    name = ""
    for line in doc.splitlines():
        if found := SECTION.match(line):
            name = found[1]
            sections[name] = found[2].strip()
        elif name and line.startswith(" "):
            sections[name] += f" {line.strip()}"
        elif name and line.strip():
            name = ""
        if not name and not sections:
            head.append(line)
    return "\n".join(head).strip(), sections


def _filled(formula: str, numbers: list[list[Any]]) -> str:
    """The formula with numbers in the places of fields; "" if it names none."""
    values = {name: value for name, value, _ in numbers if NUMBER.fullmatch(value)}
    first = formula.split("\n\n")[0]
    found = WORD.sub(lambda match: values.get(match[0], match[0]), first)
    return found if found != first else ""


def _fields(layer: Layer, said: str) -> Iterator[list[Any]]:
    """Name, value, and whether the net says it, of the fields that a layer's docstring names."""
    of_layer = LayerParameter.DESCRIPTOR.fields_by_name
    for message in dict.fromkeys(MESSAGE.findall(inspect.getdoc(type(layer)) or "")):
        if message not in of_layer or of_layer[message].message_type is None:
            continue
        conf, idle = getattr(layer.param, message), IDLE.findall(said)
        for field in conf.DESCRIPTOR.fields:
            named = re.search(rf"\b{field.name}\b", said)
            given = bool(getattr(conf, field.name)) if field.is_repeated else conf.HasField(field.name)
            usual = named and field.name not in idle and not is_forks(field.number)
            if given or (usual and field.name != "engine" and _has_default(field)):
                yield [field.name, _value(conf, field), given]


def _has_default(field: Any) -> bool:
    return not field.is_repeated and field.message_type is None and field.has_default_value


def _value(conf: Message, field: Any) -> str:
    value = getattr(conf, field.name)
    if field.message_type is not None:
        texts = [str(v).strip().replace("\n", ", ") for v in (value if field.is_repeated else [value])]
        return "; ".join(texts)
    values = list(value) if field.is_repeated else [value]
    return " ".join(_spelled(field, v) for v in values)


def _spelled(field: Any, value: Any) -> str:
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
