"""Importing parts of the package when they are first needed."""

from __future__ import annotations

import gc
import importlib
from types import ModuleType


def load(module: str) -> ModuleType:
    """A module of the package, by its name in it, imported without collecting garbage meanwhile: importing
    makes hundreds of thousands of objects that stay, and looking through them takes a sixth of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(f".{module}", __package__)
    finally:
        if collects:
            gc.enable()
