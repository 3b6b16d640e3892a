"""Sums, products and maxima of several arrays, element by element.

The first two arrays are combined into y, every further one into what y holds.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .registry import kernel


@kernel(threads=lambda a, b, y, ca, cb: y.size)
def sum_pair(a, b, y, ca: float, cb: float):
    """y = ca * a + cb * b."""
    for i in prange(y.size):
        y[i] = ca * a[i] + cb * b[i]


@kernel(threads=lambda x, y, c: y.size)
def sum_add(x, y, c: float):
    """y += c * x."""
    for i in prange(y.size):
        y[i] += c * x[i]


@kernel(threads=lambda dy, dx, c: dx.size)
def sum_backward(dy, dx, c: float):
    """dx = c * dy."""
    for i in prange(dx.size):
        dx[i] = c * dy[i]


@kernel(threads=lambda a, b, y: y.size)
def product_pair(a, b, y):
    """y = a * b."""
    for i in prange(y.size):
        y[i] = a[i] * b[i]


@kernel(threads=lambda x, y: y.size)
def product_multiply(x, y):
    """y *= x."""
    for i in prange(y.size):
        y[i] *= x[i]


@kernel(threads=lambda x, y, dy, dx: dx.size)
def product_backward(x, y, dy, dx):
    """dx = dy * y / x: the product of the other factors, unless x is 0."""
    for i in prange(dx.size):
        dx[i] = dy[i] * (y[i] / x[i])


@kernel(threads=lambda a, b, y, mask: y.size)
def max_pair(a, b, y, mask: np.int32):
    """y = a and mask = 0 where a > b; y = b and mask = 1 elsewhere."""
    for i in prange(y.size):
        first = a[i] > b[i]
        y[i] = a[i] if first else b[i]
        mask[i] = 0 if first else 1


@kernel(threads=lambda x, y, mask, index: y.size)
def max_replace(x, y, mask: np.int32, index: int):
    """y = x and mask = index where x > y."""
    for i in prange(y.size):
        wins = x[i] > y[i]
        y[i] = x[i] if wins else y[i]
        mask[i] = index if wins else mask[i]


@kernel(threads=lambda dy, mask, dx, index: dx.size)
def max_backward(dy, mask: np.int32, dx, index: int):
    """dx = dy where mask = index, 0 elsewhere."""
    zero = dy.dtype.type(0)
    for i in prange(dx.size):
        dx[i] = dy[i] if mask[i] == index else zero
