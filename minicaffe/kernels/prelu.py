"""PReLU: a slope per channel, or one for all, that is learned.

Where a channel is one number (inner = 1), loops go along the channels, over neighbours in memory.
"""

from __future__ import annotations

from typing import NamedTuple

from numba import prange

from .cpu import jit
from .gemm import row_part, row_parts
from .registry import geometry, kernel


@geometry
class Planes(NamedTuple):
    """x (n, channels, inner); `shared`: one slope for all channels."""

    n: int
    channels: int
    inner: int
    shared: int


@jit
def rows(g):
    """How many pieces of x have one slope, or where inner is 1, that of every channel."""
    return g.n if g.inner == 1 and not g.shared else g.n * g.channels


@kernel(threads=lambda x, slope, y, g: x.size)
def prelu_forward(x, slope, y, g: Planes):
    """y = x where x > 0, slope * x elsewhere."""
    for row in prange(rows(g)):
        if g.inner == 1 and not g.shared:
            first, last = row * g.channels, (row + 1) * g.channels
            bend(x[first:last], x[first:last], slope, y[first:last])
            continue
        a = slope[0 if g.shared else row % g.channels]
        for i in range(row * g.inner, (row + 1) * g.inner):
            y[i] = x[i] if x[i] > 0 else x[i] * a


@kernel(threads=lambda x, slope, dy, dx, g: x.size)
def prelu_backward(x, slope, dy, dx, g: Planes):
    """dx = dy where x > 0, slope * dy elsewhere."""
    for row in prange(rows(g)):
        if g.inner == 1 and not g.shared:
            first, last = row * g.channels, (row + 1) * g.channels
            bend(x[first:last], dy[first:last], slope, dx[first:last])
            continue
        a = slope[0 if g.shared else row % g.channels]
        for i in range(row * g.inner, (row + 1) * g.inner):
            dx[i] = dy[i] if x[i] > 0 else dy[i] * a


@kernel(blocks=lambda x, dy, sums, g: g.channels)
def prelu_sums(x, dy, sums, g: Planes):
    """sums[c] = sum of dy * x over the elements of channel c with x <= 0."""
    zero = x.dtype.type(0)
    for c in prange(row_parts(g.channels) if g.inner == 1 else g.channels):
        if g.inner == 1:
            first, last = row_part(c, g.channels)
            totals = sums[first:last]
            totals[:] = 0
            for at in range(0, g.n * g.channels, g.channels):
                add_negative(x[at + first : at + last], dy[at + first : at + last], totals)
            continue
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


@jit
def bend(x, values, slope, out):
    """out = values where x > 0, slope * values elsewhere."""
    for c in range(out.size):
        out[c] = values[c] * (slope.dtype.type(1) if x[c] > 0 else slope[c])


@jit
def add_negative(x, dy, totals):
    """totals += dy * x where x <= 0."""
    zero = x.dtype.type(0)
    for i in range(totals.size):
        totals[i] += zero if x[i] > 0 else dy[i] * x[i]
