"""Solvers: the index of types, Caffe's name -> the module that holds the class of that name."""

from __future__ import annotations

import importlib

from ..errors import UnknownTypeError, suggest

SOLVERS = {
    "AdaDelta": "adadelta",
    "AdaGrad": "adagrad",
    "Adam": "adam",
    "AdamW": "adamw",  # an extension
    "Nesterov": "nesterov",
    "RMSProp": "rmsprop",
    "SGD": "sgd",
}


def resolve(name: str) -> type:
    """The class of solver type `name`; UnknownTypeError, with the known names, if there is none."""
    if name not in SOLVERS:
        raise UnknownTypeError(f"no solver type {name!r}", hint=suggest(name, SOLVERS), field="type")
    return getattr(importlib.import_module(f".{SOLVERS[name]}", __name__), name)
