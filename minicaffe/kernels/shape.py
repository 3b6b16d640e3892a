"""Moving blocks of rows between arrays whose rows differ in length."""

from __future__ import annotations

from typing import NamedTuple

from numba import prange

from .registry import geometry, kernel

PIECE = 8192  # elements that the CPU copies at a time, so that threads can share a long row


@geometry
class Rows(NamedTuple):
    """`length` elements of each of `count` rows: row r starts at x_start + r * x_step in x, and so in y."""

    count: int
    length: int
    x_start: int
    x_step: int
    y_start: int
    y_step: int


@kernel(threads=lambda x, y, g: g.count * g.length)
def copy_rows(x, y, g: Rows):
    """y[y_start + r * y_step + j] = x[x_start + r * x_step + j] for r < count, j < length."""
    pieces = (g.length + PIECE - 1) // PIECE
    for item in prange(g.count * pieces):
        row, first = item // pieces, item % pieces * PIECE
        length = min(PIECE, g.length - first)
        source, target = g.x_start + row * g.x_step + first, g.y_start + row * g.y_step + first
        above, below = x[source : source + length], y[target : target + length]
        for j in range(length):
            below[j] = above[j]
