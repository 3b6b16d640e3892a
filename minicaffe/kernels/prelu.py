"""PReLU: a slope per channel, or one for all, that is learned."""

from __future__ import annotations

from typing import NamedTuple

from numba import prange

from .registry import geometry, kernel


@geometry
class Planes(NamedTuple):
    """x (n, channels, inner); `shared`: one slope for all channels."""

    n: int
    channels: int
    inner: int
    shared: int


@kernel(threads=lambda x, slope, y, g: x.size)
def prelu_forward(x, slope, y, g: Planes):
    """y = x where x > 0, slope * x elsewhere."""
    for row in prange(g.n * g.channels):
        a = slope[0 if g.shared else row % g.channels]
        for i in range(row * g.inner, (row + 1) * g.inner):
            y[i] = x[i] if x[i] > 0 else x[i] * a


@kernel(threads=lambda x, slope, dy, dx, g: x.size)
def prelu_backward(x, slope, dy, dx, g: Planes):
    """dx = dy where x > 0, slope * dy elsewhere."""
    for row in prange(g.n * g.channels):
        a = slope[0 if g.shared else row % g.channels]
        for i in range(row * g.inner, (row + 1) * g.inner):
            dx[i] = dy[i] if x[i] > 0 else dy[i] * a


@kernel(blocks=lambda x, dy, sums, g: g.channels)
def prelu_sums(x, dy, sums, g: Planes):
    """sums[c] = sum of dy * x over the elements of channel c with x <= 0."""
    zero = x.dtype.type(0)
    for c in prange(g.channels):
        total = zero
        for n in range(g.n):
            first, part = (n * g.channels + c) * g.inner, zero
            xs, dys = x[first : first + g.inner], dy[first : first + g.inner]
            for i in range(xs.size):
                part += zero if xs[i] > 0 else dys[i] * xs[i]
            total += part
        sums[c] = total


@kernel(threads=lambda sums, dslope, g: 1 if g.shared else g.channels, parallel=False)
def prelu_add_sums(sums, dslope, g: Planes):
    """dslope[c] += sums[c], or dslope[0] += the sum of all if the slope is shared."""
    for c in range(g.channels):
        dslope[0 if g.shared else c] += sums[c]
