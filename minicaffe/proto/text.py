"""Prototxt to messages and back, with errors that name file, line and column.

Protobuf's own parser accepts what Caffe's does (`:` before `{`, `<>`, adjacent strings, 0.1f, octal numbers,
and no field twice).  What it refuses, `faults` explains in one line.

Differs: strings must be UTF-8, while Caffe accepts any bytes; numbers may also be written +1 and 1_000; a
byte order mark at the start of a file is skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from google.protobuf import text_format

from ..errors import MiniCaffeError, Place, SchemaError, locate
from ..files import read_text
from .faults import MOST_LETTERS, TOKEN, explain, refuse_other_encodings
from .schema import Message, NetParameter, SolverParameter, pool

M = TypeVar("M", bound=Message)


def parse(text: str, kind: type[M], source: str = "<text>") -> M:
    """The message of class `kind` that a prototxt text describes; `source` is the path that errors name.

    Raises SchemaError with source:line:column, what is wrong, and the closest valid field or value.
    """
    text = _BACKSLASHES.sub(_in_octal, text.removeprefix("\ufeff"))
    refuse_other_encodings(text, source)  # some of which protobuf ends with a SystemError
    message = kind()
    try:
        text_format.Parse(text, message, descriptor_pool=pool)  # type: ignore[type-var]
    except text_format.ParseError as error:
        raise explain(error, text, kind.DESCRIPTOR, source) from None
    missing = message.FindInitializationErrors()
    if missing:
        with locate(Place(file=source)):
            raise SchemaError(f"{', '.join(missing)[:MOST_LETTERS]} must be set")
    return message


# Protobuf takes time that grows with the square of a run of backslashes; \134 spells one without a run.
_BACKSLASHES = re.compile(r"(?:\\\\){16,}")


def _in_octal(run: re.Match[str]) -> str:
    return "\\134" * (len(run[0]) // 2)


def read(path: str | Path, kind: type[M]) -> M:
    """The message of class `kind` that the file at `path` describes.  Raises DataError if the file cannot be
    read or is not text, SchemaError as `parse`."""
    text = _read(path)
    try:
        return parse(text, kind, str(path))
    except SchemaError:
        if "\0" in text:
            raise _binary(path) from None
        raise


def _read(path: str | Path) -> str:
    """The text of a prototxt file.  SchemaError if it begins with a NUL, before searching the text, which may
    then be a sparse file of any length."""
    text = read_text(path)
    if text.startswith("\0"):
        raise _binary(path)
    return text


def _binary(path: str | Path) -> SchemaError:
    hint = "weights have --weights, a flag of their own" if str(path).endswith(_WEIGHTS) else ""
    return SchemaError("a binary file, no prototxt", hint=hint).within(Place(file=str(path)))


_WEIGHTS = (".caffemodel", ".h5", ".solverstate")


def spell(message: Message) -> str:
    """The message as prototxt, ending in a newline."""
    return text_format.MessageToString(message)  # type: ignore[arg-type]


def is_net(path: str | Path) -> bool:
    """Whether a prototxt file is meant as a net rather than a solver: it has layers, or no field that only
    solvers have.  This works for text that cannot be parsed, too."""
    names = set()
    for name in _outermost(_read(path)):
        if name in ("layer", "layers"):
            return True
        names.add(name)
    return not names & _OF_SOLVERS


_OF_SOLVERS = set(SolverParameter.DESCRIPTOR.fields_by_name) - set(NetParameter.DESCRIPTOR.fields_by_name)


def _outermost(text: str) -> Iterator[str]:
    """The names of the outermost fields, in file order."""
    depth = 0
    for token, following in pairwise(found for found in TOKEN.finditer(text) if found[0][0] != "#"):
        word = token[0]
        if word in "{<":
            depth += 1
        elif word in "}>":
            depth -= 1
        elif depth == 0 and following[0] in "{<:" and word != ":":
            yield word


def layer_lines(text: str) -> dict[str, int]:
    """For each layer of a net the line on which it starts, by the layer's name; of layers with equal names,
    the first.  Called only when there is an error to report: the text is searched again."""
    lines: dict[str, int] = {}
    for name, line in layer_starts(text):
        lines.setdefault(name, line)
    return lines


def field_line(text: str, field: str) -> int | None:
    """The line on which a field is first set; None if it is not.  `field` is its path: momentum,
    keep_best.output."""
    path: list[str] = []
    name = ""
    tokens = [token for token in TOKEN.finditer(text) if token[0][0] != "#"]
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
    """Around code that works with the contents of a file: errors that come out of it get the file as their
    outermost place, with a line if that is known.

    source  the path of the file
    field   the field that is to blame if the error names none

    The line is that of the layer that is the error's outermost place; without places, that of the field.  An
    error that has this file as its place already is left as it is.
    """
    try:
        yield
    except MiniCaffeError as error:
        error.field = error.field or field
        if not (error.places and error.places[0].file == source):  # as a net inside a solver says
            error.within(Place(file=source, line=_line_of(error, source)))
        raise


def _line_of(error: MiniCaffeError, source: str) -> int:
    """The line of the outermost place if that is a layer, of the field if there is no place; else 0."""
    layer = error.places[0].layer if error.places else None
    if layer is not None or (error.field and not error.places):
        with suppress(MiniCaffeError):
            text = read_text(source)
            line = field_line(text, error.field) if layer is None else layer_lines(text).get(layer)
            return line or 0
    return 0


def layer_starts(text: str) -> Iterator[tuple[str, int]]:
    """The name of each layer of a net ("" if it has none) and the line on which it starts, in file order."""
    depth, line, at = 0, 1, 0  # line and offset are those of the layer found last
    inside, name = False, ""
    tokens = list(TOKEN.finditer(text))
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
