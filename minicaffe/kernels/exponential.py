"""Exponential and logarithm of a linear function, in any base."""

from __future__ import annotations

import numpy as np
from numba import prange

from .elementary import exp
from .registry import kernel


@kernel(threads=lambda x, y, inner, outer: x.size)
def exp_forward(x, y, inner: float, outer: float):
    """y = outer * exp(inner * x)."""
    for i in prange(x.size):
        y[i] = outer * exp(inner * x[i])


@kernel(threads=lambda y, dy, dx, inner: y.size)
def exp_backward(y, dy, dx, inner: float):
    """dx = dy * y * inner."""
    for i in prange(y.size):
        dx[i] = dy[i] * (y[i] * inner)


@kernel(threads=lambda x, y, scale, shift, outer: x.size)
def log_forward(x, y, scale: float, shift: float, outer: float):
    """y = outer * log(shift + scale * x); NaN below 0, infinite at 0."""
    for i in prange(x.size):
        y[i] = outer * np.log(shift + scale * x[i])


@kernel(threads=lambda x, dy, dx, scale, shift, outer: x.size)
def log_backward(x, dy, dx, scale: float, shift: float, outer: float):
    """dx = dy * outer * scale / (shift + scale * x)."""
    for i in prange(x.size):
        dx[i] = dy[i] * (outer * scale) / (shift + scale * x[i])
