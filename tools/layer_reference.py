"""Write docs/layers.md, the layer reference, from the docstrings, the schema and snippets that it runs; and
the part of docs/differences.md that is about layers."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from google.protobuf.descriptor import FieldDescriptor

from minicaffe.layers import LAYERS, resolve
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.forks import is_forks
from minicaffe.proto.schema import LayerParameter, NetParameter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.layer_snippets import files, layer_line, prototxt

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "layers.md"
DIFFERENCES = ROOT / "docs" / "differences.md"
START, END = "<!-- written by tools/layer_reference.py -->\n", "<!-- end -->\n"

HEAD = """# Layers

Written by `python tools/layer_reference.py` from the docstrings, the schema and a small net per layer,
which it runs; do not edit. *Backward* says what is computed and which arrays are read for it, *Differs* where
minicaffe does not do what Caffe does. A field's default stands behind it; `…` means that it may be repeated.
"""
FACTS = {
    "in_place_ok": "may run in place",
    "stochastic": "draws random numbers",
    "source": "brings data in",
}


def count(number: int | tuple[int, int | None]) -> str:
    low, high = number if isinstance(number, tuple) else (number, number)
    return f"{low}" if low == high else f"{low} or more" if high is None else f"{low} to {high}"


def fields(kind: type) -> Iterator[str]:
    """The fields and defaults of every message of LayerParameter that the docstring speaks of."""
    of_layer = LayerParameter.DESCRIPTOR.fields_by_name
    for name in dict.fromkeys(re.findall(r"\b\w+_param\b", inspect.getdoc(kind) or "")):
        if name in of_layer:
            message = of_layer[name].message_type
            theirs = ".Forks." in message.full_name  # the layer is a fork's, and all of its fields are
            known = [f for f in message.fields if theirs or _is_read(f.number, f"{name}.{f.name}", kind)]
            listed = ", ".join(map(field, known))
            yield textwrap.fill(f"`{name}`: {listed}", 116, break_long_words=False)


def _is_read(number: int, path: str, kind: type) -> bool:
    """Whether a layer reads a field in a message of Caffe's, which may be one that forks added."""
    return not is_forks(number) or path in kind.fork_fields


def field(entry: FieldDescriptor) -> str:
    """A field's name, whether it is repeated, its message, default or values."""
    more = " …" if entry.is_repeated else ""
    if entry.message_type:
        return f"{entry.name} {{ {entry.message_type.name} }}{more}"
    if entry.enum_type:
        theirs = ".Forks." in entry.enum_type.full_name
        known = [value for value in entry.enum_type.values if theirs or not is_forks(value.number)]
        values = " / ".join(value.name for value in known)
        if entry.is_repeated:
            return f"{entry.name} ({values}){more}"
        default = entry.enum_type.values_by_number[entry.default_value].name
        return f"{entry.name} = {default} ({values})"
    if entry.is_repeated or not entry.has_default_value:
        return f"{entry.name}{more}"
    value = entry.default_value
    shown = (
        str(value).lower() if isinstance(value, bool) else f"{value:g}" if value.__class__ is float else value
    )
    return f"{entry.name} = {shown}" if shown != "" else f'{entry.name} = ""'


def snippet(name: str) -> str:
    """A use of the layer, and the shapes that running it gives."""
    net = Net(text.parse(prototxt(name), NetParameter), phase="TRAIN", seed=1)
    layer = next(layer for layer in net.layers if layer.type == name)
    if name == "MemoryData":
        layer.reset(np.zeros((2, *net.blobs["data"].shape[1:]), np.float32), np.zeros(2, np.float32))
    net.forward()
    index = net.layers.index(layer)
    shown = [
        ", ".join(f"{b.name} {b.shape}" for b in blobs) for blobs in (net.bottoms[index], net.tops[index])
    ]
    params = ", ".join(str(blob.shape) for blob in layer.params)
    comment = " -> ".join(part or "nothing" for part in shown) + (f"; parameters {params}" if params else "")
    return "\n".join([layer_line(name), *textwrap.wrap(f"# {comment}", 110, subsequent_indent="#   ")])


def entry(name: str) -> str:
    """The section of one layer type."""
    cls = resolve(name)
    facts = [f"bottoms {count(cls.bottoms)}", f"tops {count(cls.tops)}"]
    facts += [text for fact, text in FACTS.items() if getattr(cls, fact)]
    file = Path(inspect.getsourcefile(cls)).relative_to(ROOT).as_posix()
    parts = [f"## {name}", f"`{file}` · {' · '.join(facts)}", f"```\n{inspect.getdoc(cls)}\n```"]
    parts += [f"```prototxt\n{snippet(name)}\n```", *fields(cls)]
    return "\n\n".join(parts) + "\n"


def reference() -> str:
    with files():
        return "\n".join([HEAD, *map(entry, sorted(LAYERS))])


def differences() -> str:
    """docs/differences.md with what the docstrings say under Differs between its two marks."""
    before, _, rest = DIFFERENCES.read_text().partition(START)
    after = rest.partition(END)[2]
    entries = []
    for name in sorted(LAYERS):
        found = re.search(
            r"^Differs\s+(.*?)(?=^\S|\Z)", inspect.getdoc(resolve(name)), re.MULTILINE | re.DOTALL
        )
        if found:
            entries.append(
                textwrap.fill(f"- **{name}**: {' '.join(found[1].split())}", 116, subsequent_indent="  ")
            )
    return before + START + "\n" + "\n".join(entries) + "\n\n" + END + after


if __name__ == "__main__":
    TARGET.write_text(reference())
    DIFFERENCES.write_text(differences())
