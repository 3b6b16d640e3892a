"""The names of classes: in a file labels.txt line i (from 0) is that of class i; or a label map."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import ConfigError, DataError
from ..files import read_text
from .detection import label_map

FILE = "labels.txt"


def beside(paths: Iterable[str | os.PathLike]) -> Path | None:
    """The first labels.txt found in these folders, or in the folders of these files; None if there is
    none."""
    for path in map(Path, paths):
        for folder in (path, path.parent):
            try:
                if (folder / FILE).is_file():
                    return folder / FILE
            except (OSError, ValueError):  # a name that no file can have
                continue
    return None


def of(given: str | os.PathLike | Sequence[str] | None, count: int) -> list[str]:
    """The names of `count` classes.  `given` is a file of names or the names themselves; if it is None, the
    names are the numbers of the classes.

    Raises DataError if the file cannot be read or has an empty line, ConfigError if the names are not
    `count`.
    """
    if given is None:
        return [str(c) for c in range(count)]
    if isinstance(given, (str, os.PathLike)):
        names, source = read(given), f"{os.fspath(given)}:"
    else:
        names, source = list(given), "there are"
    if len(names) != count:
        raise ConfigError(
            f"{source} {len(names)} names of classes; the net has {count} classes",
            hint="a line for each class, in the order of their numbers",
        )
    return names


def read(path: str | os.PathLike) -> list[str]:
    """The lines of a file without the empty ones at its end, or the names in a label map of SSD."""
    content = read_text(path)
    if label_map.is_label_map(content):
        return label_map.parse(content, os.fspath(path)).names()
    names = [line.strip() for line in content.rstrip().split("\n")]
    if "" in names:
        raise DataError(
            f"{os.fspath(path)}:{names.index('') + 1}: an empty line; expected the name of a class"
        )
    return names
