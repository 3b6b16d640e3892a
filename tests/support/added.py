"""Modules that do not lie in this checkout, imported as if they did."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


@contextmanager
def added(folder: Path, files: Sequence[str], monkeypatch) -> Iterator[list[ModuleType]]:
    """The modules of these files of a folder, as if they lay in this checkout."""
    names = [file.removesuffix(".py").replace("/", ".") for file in files]
    for name in names:
        package = importlib.import_module(name.rpartition(".")[0])
        beside = folder.joinpath(*package.__name__.split("."))
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(beside)])
    try:
        yield [importlib.import_module(name) for name in names]
    finally:
        for name in names:
            package, _, last = name.rpartition(".")
            sys.modules.pop(name, None)
            vars(sys.modules[package]).pop(last, None)
