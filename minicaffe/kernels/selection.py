"""The highest numbers along one axis of an array seen as (outer, classes, inner).

Order: NaN before every number, then the higher number; of equals the one with the higher index.
"""

from __future__ import annotations

from typing import NamedTuple

from numba import prange

from .cpu import jit
from .cuda import BLOCK
from .registry import geometry, kernel


@geometry
class Selection(NamedTuple):
    """outer * inner columns of `classes` numbers each, `inner` apart, of which the first `top` are wanted.

    The result is (outer, parts, top, inner): a part for the indices if `indices` is 1, and behind it one for
    the numbers if `values` is 1.
    """

    outer: int
    classes: int
    inner: int
    top: int
    indices: int
    values: int

    @property
    def blocks(self) -> int:
        """CUDA blocks: one for each long column, else one for BLOCK columns."""
        columns = self.outer * self.inner
        return columns if self.classes >= BLOCK else -(-columns // BLOCK)


@jit
def precedes(a, i, b, j):
    """Does number a at index i come before number b at index j?"""
    if a != a or b != b:
        return a != a and (b == b or i > j)
    return a > b or (a == b and i > j)


@kernel(blocks=lambda x, y, g: g.blocks)
def select_highest(x, y, g: Selection):
    """y = indices and numbers of the `top` first elements of every column, in order.

    One pass over the column for each of them: meant for a small `top`, and needs no memory.
    """
    for column in prange(g.outer * g.inner):
        outer, inner = column // g.inner, column % g.inner
        source = outer * g.classes * g.inner + inner
        target = outer * (g.indices + g.values) * g.top * g.inner + inner
        last = -1  # index of the one found before
        for rank in range(g.top):
            best = -1
            for c in range(g.classes):
                value = x[source + c * g.inner]
                if last >= 0 and not precedes(x[source + last * g.inner], last, value, c):
                    continue
                if best < 0 or precedes(value, c, x[source + best * g.inner], best):
                    best = c
            if g.indices:
                y[target + rank * g.inner] = best
            if g.values:
                y[target + (g.indices * g.top + rank) * g.inner] = x[source + best * g.inner]
            last = best
