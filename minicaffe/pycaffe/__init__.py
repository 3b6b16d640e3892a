"""Caffe's Python module under its own names: what `import caffe` means to code written for Caffe.

So far what Python layers need: the class `Layer` and the phases.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .layer import Layer

__all__ = ["TEST", "TRAIN", "Layer", "as_caffe"]

TRAIN, TEST = 0, 1


@contextmanager
def as_caffe() -> Iterator[None]:
    """While user code is imported, `import caffe` gives this module; a Caffe that was imported before comes
    back afterwards."""
    before = sys.modules.get("caffe")
    sys.modules["caffe"] = sys.modules[__name__]
    try:
        yield
    finally:
        if before is not None:
            sys.modules["caffe"] = before
