"""Sums and products of two arrays, each repeated along axes that it lacks: NumPy's broadcasting.

Arrays have up to 5 axes.  The step of an axis is the number of elements from one index to the next, 0 where
the array is repeated.
"""

from __future__ import annotations

from typing import NamedTuple

from numba import prange

from .cpu import jit
from .registry import geometry, kernel

MOST_AXES = 5


@geometry
class Pair(NamedTuple):
    """The extents of y, and the steps of a and of b along its axes."""

    n0: int
    n1: int
    n2: int
    n3: int
    n4: int
    a0: int
    a1: int
    a2: int
    a3: int
    a4: int
    b0: int
    b1: int
    b2: int
    b3: int
    b4: int

    @property
    def count(self) -> int:
        """Elements of y."""
        return self.n0 * self.n1 * self.n2 * self.n3 * self.n4

    @property
    def turned(self) -> Pair:
        """The same with a and b in each other's place."""
        return Pair(*self[:5], *self[10:], *self[5:10])


@kernel(threads=lambda a, b, y, g, product: g.count)
def broadcast_forward(a, b, y, g: Pair, product: int):
    """y = a * b if product, else a + b."""
    for row in prange(g.n0 * g.n1 * g.n2 * g.n3):
        i, j, k, l = row // (g.n1 * g.n2 * g.n3), row // (g.n2 * g.n3) % g.n1, row // g.n3 % g.n2, row % g.n3
        first = i * g.a0 + j * g.a1 + k * g.a2 + l * g.a3
        second = i * g.b0 + j * g.b1 + k * g.b2 + l * g.b3
        out = y[row * g.n4 : (row + 1) * g.n4]
        if product:
            for m in range(g.n4):
                out[m] = a[first + m * g.a4] * b[second + m * g.b4]
        else:
            for m in range(g.n4):
                out[m] = a[first + m * g.a4] + b[second + m * g.b4]


@jit
def kept(extent, step):
    """Indices that an array has along an axis of y: 1 where it is repeated."""
    return extent if step else 1


@jit
def summed(extent, step):
    """Indices of y along an axis for one of the array's."""
    return 1 if step else extent


@kernel(blocks=lambda dy, b, da, g, product, add: da.size)
def broadcast_gradient(dy, b, da, g: Pair, product: int, add: int):
    """da = the sum of dy, times b if product, over the axes along which a is repeated; + da if add."""
    k1, k2, k3, k4 = kept(g.n1, g.a1), kept(g.n2, g.a2), kept(g.n3, g.a3), kept(g.n4, g.a4)
    s0, s1, s2 = summed(g.n0, g.a0), summed(g.n1, g.a1), summed(g.n2, g.a2)
    s3, s4 = summed(g.n3, g.a3), summed(g.n4, g.a4)
    d3 = g.n4
    d2 = g.n3 * d3
    d1 = g.n2 * d2
    d0 = g.n1 * d1
    for e in prange(da.size):
        i, j, k = e // (k1 * k2 * k3 * k4), e // (k2 * k3 * k4) % k1, e // (k3 * k4) % k2
        l, m = e // k4 % k3, e % k4
        at = i * d0 + j * d1 + k * d2 + l * d3 + m
        other = i * g.b0 + j * g.b1 + k * g.b2 + l * g.b3 + m * g.b4
        total = dy.dtype.type(0)
        for row in range(s0 * s1 * s2 * s3):
            p, q, r, s = row // (s1 * s2 * s3), row // (s2 * s3) % s1, row // s3 % s2, row % s3
            slopes = at + p * d0 + q * d1 + r * d2 + s * d3
            factors = other + p * g.b0 + q * g.b1 + r * g.b2 + s * g.b3
            part = dy.dtype.type(0)
            if product:
                for t in range(s4):
                    part += dy[slopes + t] * b[factors + t * g.b4]
            else:
                for t in range(s4):
                    part += dy[slopes + t]
            total += part
        da[e] = da[e] + total if add else total
