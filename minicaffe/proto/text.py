"""Prototxt: text to message and back, with errors that name file, line and column.

Protobuf's own parser accepts what Caffe's does (`:` before `{`, `<>`, adjacent strings, 0.1f, octal, and no
field twice); this module puts its errors into one line and adds the nearest valid name.

Differs: strings must be UTF-8, of which Caffe takes any bytes; numbers may also be spelled +1 and 1_000.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from google.protobuf import text_format

from ..errors import DataError, MiniCaffeError, SchemaError, locate, suggest
from .schema import Message, pool

M = TypeVar("M", bound=Message)

LARGEST = 2**31 - 1  # bytes of a message
PIECE = 1 << 22  # bytes read at a time


def parse(text: str, kind: type[M], source: str = "<text>") -> M:
    """The message of class `kind` that `text` spells.

    Raises SchemaError with source:line:column, what is wrong, and the closest valid field or value.
    """
    message = kind()
    try:
        text_format.Parse(text, message, descriptor_pool=pool)  # type: ignore[type-var]
    except text_format.ParseError as error:
        raise _schema_error(error, text, source) from None
    missing = message.FindInitializationErrors()
    if missing:
        with locate(source):
            raise SchemaError(f"{_short(', '.join(missing))} must be set")
    return message


def read(path: str | Path, kind: type[M]) -> M:
    """Parse the file at `path`."""
    return parse(read_message_file(path).decode("utf-8", "surrogateescape"), kind, str(path))


def read_file(path: str | Path, limit: int = sys.maxsize) -> bytes:
    """The bytes of a file, not many more than `limit` of them; DataError if it cannot be read."""
    parts: list[bytes] = []
    try:
        with open(path, "rb") as file:
            while limit > 0 and (part := file.read(PIECE)):  # read(limit) would take the memory at once
                parts.append(part)
                limit -= len(part)
        return b"".join(parts)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise DataError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None


def read_message_file(path: str | Path) -> bytes:
    """The bytes of a file that holds one message; DataError from 2 GiB on, where protobuf ends."""
    data = read_file(path, LARGEST + 1)
    if len(data) > LARGEST:
        raise DataError(f"{path} is larger than a message can be ({LARGEST} bytes)")
    return data


def spell(message: Message) -> str:
    """The message as prototxt, ending in a newline."""
    return text_format.MessageToString(message)  # type: ignore[arg-type]


def _schema_error(error: text_format.ParseError, source_text: str, source: str) -> SchemaError:
    text = re.sub(r"^\d+:\d+ : ", "", str(error))
    text = re.sub(r"^'.*?': (?=[A-Z])", "", text, flags=re.DOTALL)  # the quoted line
    hint = ""
    field = re.search(r'Message type "([\w.]+)" has no field named "(\w+)"', text)
    value = re.search(r'Enum type "([\w.]+)" has no value named "?(\w+)"?', text)
    if _NOT_UTF8.search(text):
        text, hint = "the file is not UTF-8 text", "save it as UTF-8"
    elif field:
        fields = pool.FindMessageTypeByName(field[1]).fields_by_name
        text, hint = f"{_plain(field[1])} has no field {_short(field[2])!r}", suggest(field[2], fields)
    elif value:
        values = pool.FindEnumTypeByName(value[1]).values_by_name
        text, hint = f"{_plain(value[1])} has no value {_short(value[2])!r}", suggest(value[2], values)
    elif "should not have multiple" in text:
        names = re.findall(r'"([\w.]+)"', text)
        text, hint = f"{_plain(names[0])} takes {names[1]!r} once", "delete one of the two"
    elif source_text.startswith("\ufeff"):
        text, hint = "the file starts with a byte order mark", "save it as UTF-8 without BOM"
    result = SchemaError(_short(text).rstrip("."), hint=hint)
    line, column = error.GetLine(), error.GetColumn()
    result.places.append(f"{source}:{line}:{column}" if line else source)
    return result


# Bytes that are no UTF-8 stand as lone surrogates in text that `read` has decoded.
_NOT_UTF8 = re.compile("[\ud800-\udfff]")


def _short(text: str) -> str:
    """One line of bounded length: files may hold anything where a name should be."""
    text = text if len(text) <= 300 else f"{text[:300]}..."
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


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
    for name, line in layer_starts(text):
        lines.setdefault(name, line)
    return lines


# Comments, strings, braces, words and colons: enough to find fields.
_TOKEN = re.compile(r'#[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|[{}<>]|\w+|:')


def field_line(text: str, field: str) -> int | None:
    """The line on which a field is first set, given as its path: momentum, keep_best.output; None if it is
    not."""
    path: list[str] = []
    name = ""
    tokens = [token for token in _TOKEN.finditer(text) if token[0][0] != "#"]
    for token, following in pairwise(tokens):
        word = token[0]
        if word in "{<":
            path.append(name)
        elif word in "}>":
            del path[-1:]
        elif following[0] in "{<:" and word != ":":
            name = word
            if ".".join([*path, name]) == field:
                return text.count("\n", 0, token.start()) + 1
    return None


@contextmanager
def in_file(source: str, field: str = "") -> Iterator[None]:
    """Put `source` in front of errors that pass through, with the line of the field that is to blame: the
    one that the error names, else `field`."""
    try:
        yield
    except MiniCaffeError as error:
        line = None
        error.field = error.field or field
        if error.field and not error.places:
            with suppress(MiniCaffeError):
                line = field_line(read_file(source).decode("utf-8", "replace"), error.field)
        if not (error.places and error.places[0].startswith(source)):  # as a net inside a solver says
            error.places.insert(0, f"{source}:{line}" if line else source)
        raise


def layer_starts(text: str) -> Iterator[tuple[str, int]]:
    """The name of each layer of a net, "" for one without, and the line on which it starts, in file order."""
    depth, line, at = 0, 1, 0  # line and offset are those of the layer found last
    inside, name = False, ""
    tokens = list(_TOKEN.finditer(text))
    for i, token in enumerate(tokens):
        word = token[0]
        if word in "{<":
            depth += 1
        elif word in "}>":
            depth -= 1
            if depth == 0 and inside:
                yield name, line
                name = ""  # a list may go on with the next layer
        elif depth == 0 and word != ":" and word[0] != "#":
            inside = word in ("layer", "layers")
            if inside:
                line, at = line + text.count("\n", at, token.start()), token.start()
        elif depth == 1 and word == "name" and i + 2 < len(tokens) and tokens[i + 1][0] == ":":
            name = tokens[i + 2][0].strip("\"'")
