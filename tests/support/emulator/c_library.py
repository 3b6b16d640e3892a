"""A C library without the library: functions with C addresses, made from Python methods by ctypes.

What arrives is what the caller's declarations made of it.  What a library would refuse is refused with its
status; device memory is memory of the host, and work goes through `enqueue(stream, action)`, which executes
it or records it for a graph.
"""

from __future__ import annotations

import ctypes
import itertools
import traceback
from collections.abc import Callable
from ctypes import CFUNCTYPE, c_double, c_float, c_int

import numpy as np

# Codes of floating types, the same in both libraries.
FLOATS = {0: (np.dtype(np.float32), c_float), 1: (np.dtype(np.float64), c_double)}


class Refused(Exception):
    """A status other than success."""


def entry(*parameters, result=c_int):
    """A method that is a function of the library, with these C parameters."""

    def mark(method: Callable) -> Callable:
        method.prototype = result, parameters
        return method

    return mark


def prototypes(library: type) -> dict[str, list]:
    """The functions that return a status: name -> C parameters."""
    found = {name: getattr(method, "prototype", None) for name, method in vars(library).items()}
    return {name: list(kind[1]) for name, kind in found.items() if kind and kind[0] is c_int}


class FakeLibrary:
    """Turns the marked methods of a subclass into C functions, and keeps the handles."""

    failure: int  # the status of a fault in the fake itself; the traceback says more
    bad_handle: int  # the status of a handle that there is not

    def __init__(self, enqueue: Callable[[int, Callable[[], None]], None] | None = None) -> None:
        self.enqueue = enqueue or (lambda stream, action: action())
        self.streams: dict[int, int | None] = {}  # by handle
        self.addresses = itertools.count(0x1000, 0x10)
        for name, method in vars(type(self)).items():
            if hasattr(method, "prototype"):
                result, parameters = method.prototype
                function = CFUNCTYPE(result, *parameters)(self._guarded(getattr(self, name)))
                setattr(self, name, function)

    def _guarded(self, method: Callable) -> Callable:
        def call(*args):
            try:
                found = method(*args)
            except Refused as refused:
                return refused.args[0]
            except Exception:
                traceback.print_exc()
                return self.failure
            return 0 if found is None else found

        return call

    def create(self, out) -> None:
        out[0] = handle = next(self.addresses)
        self.streams[handle] = None

    def destroy(self, handle: int) -> None:
        self.stream(handle)
        del self.streams[handle]

    def stream(self, handle: int) -> int | None:
        if handle not in self.streams:
            raise Refused(self.bad_handle)
        return self.streams[handle]


def array_at(address: int, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """Memory as an array."""
    nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    return np.frombuffer((ctypes.c_char * nbytes).from_address(address), dtype).reshape(shape)


def tf32(values: np.ndarray) -> np.ndarray:
    """float32 rounded to the nearest with 10 bits behind the point, ties away from zero."""
    return ((values.view(np.uint32) + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)
