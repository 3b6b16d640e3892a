"""Mean and variance normalization: rows brought to mean 0 and standard deviation 1.

The deviation of a row is sqrt(variance) + eps, eps outside the root; the variance is the biased one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import prange

from .registry import geometry, kernel


@geometry
class Normal(NamedTuple):
    """`rows` rows of `length` elements; `scaled`: brought to deviation 1 too, not to mean 0 alone."""

    rows: int
    length: int
    scaled: int


@kernel(blocks=lambda x, y, deviation, g, eps: g.rows)
def mvn_forward(x, y, deviation, g: Normal, eps: float):
    """y = (x - mean) / deviation, with deviation[r] = sqrt(mean of (x - mean)^2) + eps, or 1 if not scaled;
    two passes, so that nothing cancels.  y may be x."""
    zero, one, count = x.dtype.type(0), x.dtype.type(1), x.dtype.type(g.length)
    for r in prange(g.rows):
        source, target = x[r * g.length : (r + 1) * g.length], y[r * g.length : (r + 1) * g.length]
        total = zero
        for i in range(g.length):
            total += source[i]
        mean, total = total / count, zero
        for i in range(g.length):
            total += (source[i] - mean) * (source[i] - mean)
        spread = math.sqrt(total / count) + eps if g.scaled else one
        inverse = one / spread
        for i in range(g.length):
            target[i] = (source[i] - mean) * inverse
        deviation[r] = spread


@kernel(blocks=lambda y, deviation, dy, dx, g: g.rows)
def mvn_backward(y, deviation, dy, dx, g: Normal):
    """dx = (dy - mean of dy - y * mean of dy * y) / deviation; dy - mean of dy if not scaled, which does not
    read y.  dx may be dy."""
    zero, one, count = dy.dtype.type(0), dy.dtype.type(1), dy.dtype.type(g.length)
    for r in prange(g.rows):
        above, below = dy[r * g.length : (r + 1) * g.length], dx[r * g.length : (r + 1) * g.length]
        out, inverse = y[r * g.length : (r + 1) * g.length], one / deviation[r]
        a, b = zero, zero
        for i in range(g.length):
            a += above[i]
        if g.scaled:
            for i in range(g.length):
                b += above[i] * out[i]
        a, b = a / count, b / count
        for i in range(g.length):
            below[i] = above[i] - a
        if g.scaled:  # a step of its own: fused multiply-adds of both would round differently in place
            for i in range(g.length):
                below[i] = (below[i] - b * out[i]) * inverse
