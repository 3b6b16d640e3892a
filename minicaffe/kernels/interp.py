"""Bilinear interpolation between the pixels of a plane, whose corners stay corners.

Row i of `oh` stands at row i (h - 1) / (oh - 1) of h, columns likewise, found in float32 as Caffe's forks do:
with every step in double precision and rounded, which gives the same bits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from .cpu import jit
from .registry import geometry, kernel


@geometry
class Zoom(NamedTuple):
    """planes of rows * columns pixels, of which h * w from (top, left) on become oh * ow."""

    planes: int
    rows: int
    columns: int
    top: int
    left: int
    h: int
    w: int
    oh: int
    ow: int


@jit
def ratio(extent, out):
    """Pixels of the input for one of the output."""
    return np.float64(np.float32((extent - 1) / (out - 1))) if out > 1 else 0.0


@jit
def place(i, step, extent):
    """Between which pixels output i lies: the first, the second, and the share of the second."""
    at = np.float64(np.float32(i * step))
    first = min(int(at), extent - 1)
    return first, min(first + 1, extent - 1), at - first


@kernel(threads=lambda x, y, g: g.planes * g.oh * g.ow)
def interp_forward(x, y, g: Zoom):
    """y = the means of four neighbours, weighted by how near they are."""
    down, across = ratio(g.h, g.oh), ratio(g.w, g.ow)
    one = x.dtype.type(1)
    for row in prange(g.planes * g.oh):
        first, second, share = place(row % g.oh, down, g.h)
        start = (row // g.oh * g.rows + g.top) * g.columns + g.left
        above, below = start + first * g.columns, start + second * g.columns
        low = x.dtype.type(share)
        for j in range(g.ow):
            left, right, part = place(j, across, g.w)
            far = x.dtype.type(part)
            upper = (one - far) * x[above + left] + far * x[above + right]
            lower = (one - far) * x[below + left] + far * x[below + right]
            y[row * g.ow + j] = (one - low) * upper + low * lower


@kernel(threads=lambda dy, dx, g: g.planes * g.rows * g.columns)
def interp_backward(dy, dx, g: Zoom):
    """dx = dy, shared among the four neighbours; 0 outside of what is interpolated."""
    down, across = ratio(g.h, g.oh), ratio(g.w, g.ow)
    one = dx.dtype.type(1)
    for plane in prange(g.planes):
        pixels = dx[plane * g.rows * g.columns : (plane + 1) * g.rows * g.columns]
        for i in range(pixels.size):
            pixels[i] = 0
        for row in range(g.oh):
            first, second, share = place(row, down, g.h)
            above = (g.top + first) * g.columns + g.left
            below = (g.top + second) * g.columns + g.left
            low = dx.dtype.type(share)
            for j in range(g.ow):
                left, right, part = place(j, across, g.w)
                far, slope = dx.dtype.type(part), dy[(plane * g.oh + row) * g.ow + j]
                pixels[above + left] += (one - low) * (one - far) * slope
                pixels[above + right] += (one - low) * far * slope
                pixels[below + left] += low * (one - far) * slope
                pixels[below + right] += low * far * slope
