"""What arrays on a GPU need kernels for and NumPy does by itself: filling, converting, adding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import prange

from .registry import kernel


@kernel(threads=lambda y, value, count: count)
def fill(y, value: float, count: int):
    """y[i] = value."""
    for i in prange(count):
        y[i] = value


@kernel(threads=lambda y, value, count: count)
def fill_words(y: np.int32, value: int, count: int):
    """y[i] = value, in 32-bit words."""
    for i in prange(count):
        y[i] = value


@kernel(threads=lambda x, y, count: count)
def convert(x: np.int32, y, count: int):
    """y[i] = x[i]."""
    for i in prange(count):
        y[i] = x[i]


@kernel(threads=lambda x, y, count: count)
def subtract_from(x, y, count: int):
    """y[i] = x[i] - y[i]."""
    for i in prange(count):
        y[i] = x[i] - y[i]


def make_add_to(device) -> Callable:
    """add_to by NumPy: a net that is tested needs nothing else of this family on the CPU."""

    def add(x, total, count):
        total[:count] += x[:count]

    return add


@kernel(threads=lambda x, total, count: count, cpu=make_add_to)
def add_to(x, total: np.float64, count: int):
    """total[i] += x[i], in double precision."""
    for i in prange(count):
        total[i] += x[i]
