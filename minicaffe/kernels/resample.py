"""Images of another size, each pixel a weighted sum over some rows and columns that tables tell.

Row i of the output is the sum over a of down[i * kh + a] times row rows[i] + a of the input; columns
likewise.  row_uses[2 r] to row_uses[2 r + 1] are the first and the last row of the output that may have a
share of row r of the input; columns likewise.  What has weight 0 is not read.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from .cpu import jit
from .registry import geometry, kernel


@geometry
class Taps(NamedTuple):
    """planes of h * w pixels, which become oh * ow, each of kh rows and kw columns."""

    planes: int
    h: int
    w: int
    oh: int
    ow: int
    kh: int
    kw: int


@kernel(threads=lambda x, y, rows, columns, down, across, g: g.planes * g.oh * g.ow)
def resample_forward(x, y, rows: np.int32, columns: np.int32, down, across, g: Taps):
    """y = the weighted sums, rows outside and columns inside."""
    for row in prange(g.planes * g.oh):
        plane, i = row // g.oh, row % g.oh
        for j in range(g.ow):
            total = x.dtype.type(0)
            for a in range(g.kh):
                vertical = down[i * g.kh + a]
                start = (plane * g.h + rows[i] + a) * g.w + columns[j]
                for b in range(g.kw):
                    share = vertical * across[j * g.kw + b]
                    if share != 0:
                        total += share * x[start + b]
            y[row * g.ow + j] = total


@jit
def weight(at, first, shares, o, taps):
    """What input `at` counts in output o."""
    tap = at - first[o]
    return shares[o * taps + tap] if 0 <= tap < taps else shares.dtype.type(0)


@kernel(threads=lambda dy, dx, rows, columns, down, across, row_uses, column_uses, g: g.planes * g.h * g.w)
def resample_backward(
    dy, dx, rows: np.int32, columns: np.int32, down, across, row_uses: np.int32, column_uses: np.int32,
    g: Taps,
):  # fmt: skip
    """dx = the sum of dy times what the pixel counts in each."""
    for row in prange(g.planes * g.h):
        plane, r = row // g.h, row % g.h
        for s in range(g.w):
            total = dx.dtype.type(0)
            for i in range(row_uses[2 * r], row_uses[2 * r + 1] + 1):
                vertical = weight(r, rows, down, i, g.kh)
                for j in range(column_uses[2 * s], column_uses[2 * s + 1] + 1):
                    share = vertical * weight(s, columns, across, j, g.kw)
                    if share != 0:
                        total += share * dy[(plane * g.oh + i) * g.ow + j]
            dx[row * g.w + s] = total
