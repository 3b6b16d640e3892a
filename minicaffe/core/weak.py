"""Methods that do not keep their object alive."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any


def weakly(method: Callable[..., Any]) -> Callable[..., Any]:
    """A bound method for what its object itself owns: without it the two would hold each other, and the
    arrays of a net that nobody has any more would stay until Python's collector of cycles comes by.

    Once the object has gone, calls do nothing: blobs may outlive their net.
    """
    reference = weakref.WeakMethod(method)

    def call(*args: Any) -> Any:
        alive = reference()
        return alive(*args) if alive is not None else None

    return call
