"""Functions of pieces: absolute value, clipping, a threshold."""

from __future__ import annotations

from numba import prange

from .registry import kernel


@kernel(threads=lambda x, y: x.size)
def abs_forward(x, y):
    """y = |x|."""
    for i in prange(x.size):
        y[i] = abs(x[i])


@kernel(threads=lambda x, dy, dx: x.size)
def abs_backward(x, dy, dx):
    """dx = dy * sign(x), 0 where x is 0."""
    zero = x.dtype.type(0)
    for i in prange(x.size):
        dx[i] = (dy[i] if x[i] > 0 else zero) - (dy[i] if x[i] < 0 else zero)


@kernel(threads=lambda x, y, low, high: x.size)
def clip_forward(x, y, low: float, high: float):
    """y = x, but at least low and at most high; NaN stays NaN."""
    for i in prange(x.size):
        y[i] = low if x[i] < low else high if x[i] > high else x[i]


@kernel(threads=lambda x, dy, dx, low, high: x.size)
def clip_backward(x, dy, dx, low: float, high: float):
    """dx = dy where low <= x <= high, else 0."""
    zero = x.dtype.type(0)
    for i in prange(x.size):
        dx[i] = dy[i] if low <= x[i] <= high else zero


@kernel(threads=lambda x, y, threshold: x.size)
def threshold_forward(x, y, threshold: float):
    """y = 1 where x > threshold, else 0."""
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for i in prange(x.size):
        y[i] = one if x[i] > threshold else zero
