"""The class that a Python layer names: where its module is looked for, and what it must be."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

from ...errors import ConfigError, suggest


def pycaffe(name: str) -> ModuleType:
    """A module of minicaffe.pycaffe, imported only for a user's code: it knows the whole engine."""
    return importlib.import_module(f"minicaffe.pycaffe.{name}")


def find(module: str, name: str, folder: str | None) -> type:
    """The class `name` of a module in which `import caffe` works: of one that is imported already, or that
    Python's own path has, or that lies in `folder`, beside the prototxt.

    The folder comes last on sys.path, so that nothing in it stands in for another module, and only while the
    module is imported.  Importing runs the module's code.

    Raises ConfigError for a module or class that cannot be found and for a class that is no layer; what the
    module itself raises passes.
    """
    if re.search(r"[/\\]|\.py$", module):
        stem = re.split(r"[/\\]", module.removesuffix(".py"))[-1]
        raise ConfigError(
            f"python_param.module {module!r} is a path; expected the name of a module",
            hint=f'module: "{stem}", which is looked for on PYTHONPATH and beside the prototxt',
        )
    if not all(part and part.isprintable() for part in module.split(".")):
        raise ConfigError(f"python_param.module {module!r} is not the name of a module")
    if folder is not None:
        folder = str(Path(folder).absolute())
        _check_only(module.split(".")[0], folder)
    with pycaffe("importing").as_caffe(), beside(folder):
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise  # it was found, but not what it imports
            raise ConfigError(
                f"python_param.module {module!r} cannot be found",
                hint="put its file beside the prototxt, or its folder on PYTHONPATH",
            ) from None
    base = pycaffe("layer").Layer
    kind = getattr(found, name, None)
    if isinstance(kind, type) and issubclass(kind, base):
        return kind
    if kind is not None:
        raise ConfigError(
            f"python_param.layer: {name!r} of module {module!r} is no layer",
            hint="expected a class derived from caffe.Layer",
        )
    layers = [
        key for key, value in vars(found).items() if isinstance(value, type) and issubclass(value, base)
    ]
    raise ConfigError(
        f"python_param.layer: module {module!r} has no class {name!r}", hint=suggest(name, layers)
    )


def _check_only(root: str, folder: str) -> None:
    """Refuse a module in the folder that would have the name of one imported from beside another net: Python
    holds one of a name, and the net would run the other's code."""
    loaded = getattr(getattr(sys.modules.get(root), "__spec__", None), "origin", None)
    here = PathFinder.find_spec(root, [folder])
    if loaded and here and here.origin != loaded and PathFinder.find_spec(root) is None:
        raise ConfigError(
            f"python_param.module: {here.origin or folder} has the name of {loaded}, which another net has"
            " imported",
            hint="rename one of the two files, or use each net in a process of its own",
        )


@contextmanager
def forgetting(folder: Path) -> Iterator[None]:
    """Have Python forget what is imported meanwhile and lies in `folder`, but not on its own path: what one
    net finds beside it must decide nothing about the next."""
    before, folder = set(sys.modules), folder.absolute()
    try:
        yield
    finally:
        for name in set(sys.modules) - before:
            root = name.split(".")[0]
            origin = getattr(getattr(sys.modules[name], "__spec__", None), "origin", None)
            beside = origin is not None and folder in Path(origin).parents and root not in before
            if beside and PathFinder.find_spec(root) is None:
                del sys.modules[name]


@contextmanager
def beside(folder: str | None) -> Iterator[None]:
    """Have Python look for modules in the folder too, behind its own path."""
    if folder is None or folder in sys.path:
        yield
        return
    sys.path.append(folder)
    try:
        yield
    finally:
        if folder in sys.path:  # unless the module has cleared it away
            sys.path.remove(folder)
