"""The index of layer types: Caffe's name -> the module that holds the class of that name.

Importing this package imports no layer; `resolve` does, on first use.
"""

from __future__ import annotations

import importlib

from ..errors import UnknownTypeError, suggest

LAYERS = {
    "Convolution": "vision.convolution",
    "Input": "source.input",
    "InnerProduct": "linear.inner_product",
    "ReLU": "neuron.relu",
}


def resolve(name: str) -> type:
    """The class of layer type `name`; UnknownTypeError, with the closest names, if there is none."""
    if name not in LAYERS:
        raise UnknownTypeError(f"no layer type {name!r}", hint=suggest(name, LAYERS))
    return getattr(importlib.import_module(f".{LAYERS[name]}", __name__), name)
