"""The house style of prototxt: a field a line, short messages on one line, blank lines between sections."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from io import StringIO

from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor

from minicaffe.proto.schema import LayerParameter, Message

WIDTH = 110

Item = LayerParameter | str  # a layer, or the comment above a section


def spell_net(comment: str, name: str, items: Sequence[Item]) -> str:
    """A net as prototxt: the comment, the name, then layers and sections in order."""
    parts = [_comment(comment), f'name: "{name}"\n']
    for i, item in enumerate(items):
        if isinstance(item, str):
            parts.append(f"\n{_comment(item)}")
        else:
            section = i == 0 or (isinstance(items[i - 1], LayerParameter) and not _alike(items[i - 1], item))
            parts.append("\n" * section + "layer {\n" + "\n".join(_fields(item, 2)) + "\n}\n")
    return "".join(parts)


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in text.splitlines())


def _alike(before: Message, layer: Message) -> bool:
    """Whether two layers stand together: all do but those that begin or end a net."""
    ends = [
        bool(one.include) or not one.bottom or one.type.endswith(("Loss", "Softmax"))
        for one in (before, layer)
    ]
    return ends[0] == ends[1]


def _fields(message: Message, indent: int) -> Iterator[str]:
    """The lines of a message's fields, in the order of the schema."""
    pad = " " * indent
    for field, value in message.ListFields():
        for one in value if field.is_repeated else [value]:
            line = f"{pad}{_one_line(field, one)}"
            if len(line) <= WIDTH or field.message_type is None:
                yield line
            else:
                yield f"{pad}{field.name} {{"
                yield from _fields(one, indent + 2)
                yield f"{pad}}}"


def _one_line(field: FieldDescriptor, value: object) -> str:
    out = StringIO()
    text_format.PrintField(field, value, out, as_one_line=True)
    return re.sub(r"(: -?\d+)\.0(?= |$)", r"\1", out.getvalue().rstrip())  # 1, not 1.0
