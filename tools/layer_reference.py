"""Write docs/layers.md, the layer reference, from the docstrings."""

from __future__ import annotations

import inspect
from pathlib import Path

from minicaffe.layers import LAYERS, resolve

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "layers.md"

HEAD = """# Layers

Written by `python tools/layer_reference.py` from the docstrings; do not edit. *Backward* says what is
computed and which arrays are read for it, *Differs* where minicaffe does not do what Caffe does.
"""
FACTS = {
    "in_place_ok": "may run in place",
    "stochastic": "draws random numbers",
    "source": "brings data in",
}


def count(number: int | tuple[int, int | None]) -> str:
    low, high = number if isinstance(number, tuple) else (number, number)
    return f"{low}" if low == high else f"{low} or more" if high is None else f"{low} to {high}"


def entry(name: str) -> str:
    """The section of one layer type."""
    cls = resolve(name)
    facts = [f"bottoms {count(cls.bottoms)}", f"tops {count(cls.tops)}"]
    facts += [text for fact, text in FACTS.items() if getattr(cls, fact)]
    file = Path(inspect.getsourcefile(cls)).relative_to(ROOT).as_posix()
    return f"## {name}\n\n`{file}` · {' · '.join(facts)}\n\n```\n{inspect.getdoc(cls)}\n```\n"


def reference() -> str:
    return "\n".join([HEAD, *map(entry, sorted(LAYERS))])


if __name__ == "__main__":
    TARGET.write_text(reference())
