"""The classes of objects: names and numbers, as a text file of a LabelMap has them.

item { name: "none_of_the_above" label: 0 display_name: "background" }
item { name: "cat" label: 1 display_name: "cat" }
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from ...errors import DataError, suggest
from ...proto import text
from ...proto.schema import Message, message_class

FILE = "labelmap.prototxt"  # in the folder of a data set
MOST_CLASSES = 1 << 16
_STARTS = re.compile(r"(\s|#[^\n]*\n)*item\s*:?\s*[{<]")


class LabelMap:
    """The labels of classes by name.

    numbers  of the names that annotations have
    shown    the names of the classes for people, by number; "" for a number that none has

    Raises DataError for a name that stands twice and a label that is no number of a class.
    """

    def __init__(self, items: Iterable[tuple[str, int, str]], source: str) -> None:
        self.source = source
        self.numbers: dict[str, int] = {}
        shown: dict[int, str] = {}
        for name, label, display in items:
            if name in self.numbers:
                raise DataError(f"{source}: two items are called {name!r}", hint="give each class one item")
            if not 0 <= label < MOST_CLASSES:
                raise DataError(f"{source}: a label must be from 0 to {MOST_CLASSES - 1}; got {label}")
            self.numbers[name] = label
            shown.setdefault(label, display or name)
        self.shown = [shown.get(label, "") for label in range(max(shown, default=-1) + 1)]

    def names(self) -> list[str]:
        """A name for every number, as it is shown; DataError if a number has none, or two."""
        called: dict[int, str] = {}
        for name, label in self.numbers.items():
            if label in called:
                raise DataError(
                    f"{self.source}: two items have the label {label}: {called[label]} and {name}"
                )
            called[label] = name
        if "" in self.shown:
            raise DataError(
                f"{self.source}: no name for the label {self.shown.index('')}; expected one for each from 0"
                f" to {len(self.shown) - 1}"
            )
        return self.shown

    def label(self, *names: str) -> int:
        """The label of a class that annotations call by one of these names; DataError if it has none."""
        for name in names:
            if name in self.numbers:
                return self.numbers[name]
        raise DataError(
            f"the class {names[0]!r} is not in {self.source}",
            hint=suggest(names[0], self.numbers) or "add an item for it",
        )


def read(path: str | os.PathLike) -> LabelMap:
    """The classes that the text file of a LabelMap has; SchemaError if it is none, DataError if it names no
    class."""
    return _of(text.read(os.fspath(path), message_class("Forks.LabelMap")), os.fspath(path))


def parse(content: str, source: str) -> LabelMap:
    """The same of the text itself; `source` is the file that errors name."""
    return _of(text.parse(content, message_class("Forks.LabelMap"), source), source)


def _of(found: Message, source: str) -> LabelMap:
    if not found.item:
        raise DataError(f"{source}: no item", hint='item { name: "cat" label: 1 }')
    return LabelMap(((item.name, item.label, item.display_name) for item in found.item), source)


def is_label_map(content: str) -> bool:
    """Whether a text is a label map, by how it begins."""
    return _STARTS.match(content) is not None


def spelled(names: Iterable[str]) -> str:
    """The text of a LabelMap of these classes, whose labels begin at 1; 0 is the background."""
    kind = message_class("Forks.LabelMap")()
    for label, name in enumerate(["none_of_the_above", *names]):
        kind.item.add(name=name, label=label, display_name=name if label else "background")
    return text.spell(kind)
