"""Prototxt: text to message and back, with errors that name file, line and column.

Protobuf's own parser accepts exactly what Caffe's does (`:` before `{`, `<>`, adjacent strings, 0.1f, octal,
and no field twice); this module puts its errors into one line and adds the nearest valid name.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

from google.protobuf import text_format

from ..errors import DataError, SchemaError, locate, suggest
from .schema import Message, pool

M = TypeVar("M", bound=Message)


def parse(text: str, kind: type[M], source: str = "<text>") -> M:
    """The message of class `kind` that `text` spells.

    Raises SchemaError with source:line:column, what is wrong, and the closest valid field or value.
    """
    message = kind()
    try:
        text_format.Parse(text, message, descriptor_pool=pool)  # type: ignore[type-var]
    except text_format.ParseError as error:
        raise _schema_error(error, source) from None
    missing = message.FindInitializationErrors()
    if missing:
        with locate(source):
            raise SchemaError(f"{', '.join(missing)} must be set")
    return message


def read(path: str | Path, kind: type[M]) -> M:
    """Parse the file at `path`."""
    return parse(read_file(path).decode("utf-8", "surrogateescape"), kind, str(path))


def read_file(path: str | Path) -> bytes:
    """The bytes of a file; DataError if it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None


def spell(message: Message) -> str:
    """The message as prototxt, ending in a newline."""
    return text_format.MessageToString(message)  # type: ignore[arg-type]


def _schema_error(error: text_format.ParseError, source: str) -> SchemaError:
    text = re.sub(r"^\d+:\d+ : ", "", str(error))
    text = re.sub(r"^'.*?': (?=[A-Z])", "", text, flags=re.DOTALL)  # the quoted line
    hint = ""
    field = re.search(r'Message type "([\w.]+)" has no field named "(\w+)"', text)
    value = re.search(r'Enum type "([\w.]+)" has no value named "?(\w+)"?', text)
    if field:
        fields = pool.FindMessageTypeByName(field[1]).fields_by_name
        text, hint = f"{_plain(field[1])} has no field {field[2]!r}", suggest(field[2], fields)
    elif value:
        values = pool.FindEnumTypeByName(value[1]).values_by_name
        text, hint = f"{_plain(value[1])} has no value {value[2]!r}", suggest(value[2], values)
    elif "should not have multiple" in text:
        names = re.findall(r'"([\w.]+)"', text)
        text, hint = f"{_plain(names[0])} takes {names[1]!r} once", "delete one of the two"
    elif "\ufeff" in text:
        text, hint = "the file starts with a byte order mark", "save it as UTF-8 without BOM"
    result = SchemaError(text.rstrip("."), hint=hint)
    line, column = error.GetLine(), error.GetColumn()
    result.places.append(f"{source}:{line}:{column}" if line else source)
    return result


def _plain(name: str) -> str:
    return name.removeprefix("caffe.")


def is_net(path: str | Path) -> bool:
    """Whether a prototxt describes a net: it has layers of its own, as no solver has."""
    return bool(layer_lines(read_file(path).decode("utf-8", "replace")))


def layer_lines(text: str) -> dict[str, int]:
    """The line on which each layer of a net starts, by layer name (the first of a name wins).

    Looked up only when an error is reported, so the happy path parses once.
    """
    lines: dict[str, int] = {}
    depth, start = 0, 0
    tokens = list(re.finditer(r'#[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|[{}<>]|\w+|:', text))
    for i, token in enumerate(tokens):
        word = token[0]
        if word in "{<":
            depth += 1
        elif word in "}>":
            depth -= 1
        elif depth == 0 and word in ("layer", "layers"):
            start = text.count("\n", 0, token.start()) + 1
        elif depth == 1 and word == "name" and i + 2 < len(tokens) and tokens[i + 1][0] == ":":
            lines.setdefault(tokens[i + 2][0].strip("\"'"), start)
    return lines
