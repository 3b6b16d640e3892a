"""The layers, one class per file.  Importing this package imports none; `resolve` does, on first use."""

from __future__ import annotations

import importlib

from ..core.layer import Layer
from ..errors import UnknownTypeError
from ..proto import guesses
from ..proto.layer_types import LAYERS


def resolve(name: str) -> type[Layer]:
    """The class of layer type `name`; UnknownTypeError, with the name that was meant, if there is none."""
    if name not in LAYERS:
        raise UnknownTypeError(f"no layer type {name!r}", hint=guesses.layer_type(name))
    return getattr(importlib.import_module(f".{LAYERS[name]}", __name__), name)
