"""Images of another size, between rows and columns that tables tell.

Row i of the output lies between rows rows[2 i] and rows[2 i + 1] of the input, with a share `down[i]` of the
second; columns likewise.  row_uses[2 r] to row_uses[2 r + 1] are the first and the last row of the output
that may have a share of row r of the input; columns likewise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from .cpu import jit
from .registry import geometry, kernel


@geometry
class Sizes(NamedTuple):
    """`outer` images of h * w pixels of `inner` channels each, which become oh * ow pixels."""

    outer: int
    h: int
    w: int
    oh: int
    ow: int
    inner: int


@jit
def between(first, second, share):
    """Where nothing of the second is asked for, it may be anything."""
    return first + (second - first) * share if share != 0 else first


@kernel(threads=lambda x, y, rows, columns, down, across, g: g.outer * g.oh * g.ow * g.inner)
def resize_forward(x, y, rows: np.int32, columns: np.int32, down, across, g: Sizes):
    """y = the means of four neighbours, weighted by their shares."""
    line = g.w * g.inner
    for row in prange(g.outer * g.oh):
        image, i = row // g.oh, row % g.oh
        above, below = (image * g.h + rows[2 * i]) * line, (image * g.h + rows[2 * i + 1]) * line
        for j in range(g.ow):
            left, right = columns[2 * j] * g.inner, columns[2 * j + 1] * g.inner
            at = (row * g.ow + j) * g.inner
            for c in range(g.inner):
                upper = between(x[above + left + c], x[above + right + c], across[j])
                lower = between(x[below + left + c], x[below + right + c], across[j])
                y[at + c] = between(upper, lower, down[i])


@jit
def weight(at, table, shares, o):
    """What input `at` counts in output o."""
    one, zero = shares.dtype.type(1), shares.dtype.type(0)
    near = one - shares[o] if table[2 * o] == at else zero
    return near + (shares[o] if table[2 * o + 1] == at else zero)


@kernel(
    threads=lambda dy, dx, rows, columns, down, across, row_uses, column_uses, g: (
        g.outer * g.h * g.w * g.inner
    )
)
def resize_backward(
    dy, dx, rows: np.int32, columns: np.int32, down, across, row_uses: np.int32, column_uses: np.int32,
    g: Sizes,
):  # fmt: skip
    """dx = the sum of dy times what the pixel counts in each."""
    for row in prange(g.outer * g.h):
        image, r = row // g.h, row % g.h
        for s in range(g.w):
            at = (row * g.w + s) * g.inner
            for c in range(g.inner):
                dx[at + c] = 0
            for i in range(row_uses[2 * r], row_uses[2 * r + 1] + 1):
                vertical = weight(r, rows, down, i)
                for j in range(column_uses[2 * s], column_uses[2 * s + 1] + 1):
                    share = vertical * weight(s, columns, across, j)
                    source = ((image * g.oh + i) * g.ow + j) * g.inner
                    for c in range(g.inner):
                        dx[at + c] += share * dy[source + c]
