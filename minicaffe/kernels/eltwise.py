"""Sums, products and maxima of several arrays, element by element.

The first two arrays are combined into y, every further one into what y holds.  With `relu`, which is for the
last, 0 takes the place of what is not positive.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .registry import kernel


@kernel(threads=lambda a, b, y, ca, cb, relu: y.size)
def sum_pair(a, b, y, ca: float, cb: float, relu: int):
    """y = ca * a + cb * b."""
    zero = y.dtype.type(0)
    for i in prange(y.size):
        value = ca * a[i] + cb * b[i]
        y[i] = zero if relu and value <= 0 else value


@kernel(threads=lambda x, y, c, relu: y.size)
def sum_add(x, y, c: float, relu: int):
    """y += c * x."""
    zero = y.dtype.type(0)
    for i in prange(y.size):
        value = y[i] + c * x[i]
        y[i] = zero if relu and value <= 0 else value


@kernel(threads=lambda y, dy, dx, c, relu, add: dx.size)
def sum_backward(y, dy, dx, c: float, relu: int, add: int):
    """dx = c * dy, with relu 0 * c * dy where not y > 0; + dx if add."""
    zero = dy.dtype.type(0)
    for i in prange(dx.size):
        value = c * (dy[i] * zero if relu and not y[i] > 0 else dy[i])
        dx[i] = dx[i] + value if add else value


@kernel(threads=lambda a, b, y, relu: y.size)
def product_pair(a, b, y, relu: int):
    """y = a * b."""
    zero = y.dtype.type(0)
    for i in prange(y.size):
        value = a[i] * b[i]
        y[i] = zero if relu and value <= 0 else value


@kernel(threads=lambda x, y, relu: y.size)
def product_multiply(x, y, relu: int):
    """y *= x."""
    zero = y.dtype.type(0)
    for i in prange(y.size):
        value = y[i] * x[i]
        y[i] = zero if relu and value <= 0 else value


@kernel(threads=lambda x, y, dy, dx: dx.size)
def product_backward(x, y, dy, dx):
    """dx = dy * y / x: the product of the other factors, unless x is 0."""
    for i in prange(dx.size):
        dx[i] = dy[i] * (y[i] / x[i])


@kernel(threads=lambda a, b, y, mask, relu: y.size)
def max_pair(a, b, y, mask: np.int32, relu: int):
    """y = a and mask = 0 where a > b; y = b and mask = 1 elsewhere.  With relu mask = -1 where not y > 0."""
    zero = y.dtype.type(0)
    for i in prange(y.size):
        first = a[i] > b[i]
        value = a[i] if first else b[i]
        y[i] = zero if relu and value <= 0 else value
        mask[i] = -1 if relu and not value > 0 else 0 if first else 1


@kernel(threads=lambda x, y, mask, index, relu: y.size)
def max_replace(x, y, mask: np.int32, index: int, relu: int):
    """y = x and mask = index where x > y.  With relu mask = -1 where not y > 0."""
    zero = y.dtype.type(0)
    for i in prange(y.size):
        wins = x[i] > y[i]
        value = x[i] if wins else y[i]
        y[i] = zero if relu and value <= 0 else value
        mask[i] = -1 if relu and not value > 0 else index if wins else mask[i]


@kernel(threads=lambda dy, mask, dx, index, add: dx.size)
def max_backward(dy, mask: np.int32, dx, index: int, add: int):
    """dx = dy where mask = index, 0 elsewhere; + dx if add."""
    zero = dy.dtype.type(0)
    for i in prange(dx.size):
        value = dy[i] if mask[i] == index else zero
        dx[i] = dx[i] + value if add else value
