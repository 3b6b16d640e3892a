"""y = (shift + scale * x)^power, element by element."""

from __future__ import annotations

from numba import prange

from .cpu import jit
from .registry import kernel


@kernel(threads=lambda x, y, power, scale, shift: x.size)
def power_forward(x, y, power: float, scale: float, shift: float):
    """y = (shift + scale * x)^power; NaN for a negative base unless the power is whole."""
    one = x.dtype.type(1)
    for i in prange(x.size):
        y[i] = raised(shift + scale * x[i], power, one)


@kernel(threads=lambda x, dy, dx, power, scale, shift: x.size)
def power_backward(x, dy, dx, power: float, scale: float, shift: float):
    """dx = dy * power * scale * (shift + scale * x)^(power - 1)."""
    one = x.dtype.type(1)
    for i in prange(x.size):
        dx[i] = dy[i] * (power * scale) * raised(shift + scale * x[i], power - one, one)


@jit
def raised(base, power, one):
    """base^power; the frequent powers without a call of the library."""
    if power == 0:
        return one
    if power == 1:
        return base
    return base * base if power == 2 else base**power
