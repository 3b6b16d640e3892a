"""Warping of regions: samples between pixels, of which each cell keeps the greatest.

Where samples stand is found in float32, as the fork does: in higher precision there may be one more.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from .cpu import jit
from .regions import Regions, emptied, narrow, nearest
from .registry import kernel


@jit
def begins(low, scale):
    """The pixel with which a region begins or ends along one axis."""
    return nearest(narrow(narrow(low) * scale))


@jit
def step_of(size, cells):
    """From one sample to the next, in cells: as many fit into a cell as it has pixels, at least one."""
    samples = math.ceil(narrow(size / cells))
    return narrow(1.0 / samples) if samples > 0 else 2.0


@jit
def inside(position, extent):
    """A position that is at most half a pixel outside of a map, brought into it; -1 for any other."""
    if position < -0.5 or position > extent - 0.5:
        return -1.0
    return min(max(position, 0.0), extent - 1.0)


@kernel(threads=lambda x, rois, spans, y, at, g, scale: g.count * g.channels * g.rows * g.columns)
def region_warp_forward(x, rois, spans: np.int32, y, at, g: Regions, scale: float):
    """y (count, channels, rows, columns) = the greatest sample of each cell, 0 for none, NaN for a region
    without image; at (count, channels, rows, columns, 2): its row and column in the map, -1 for none.

    spans  of regions.region_spans: the image of each region, -1 if there is none
    """
    cells, area, factor = g.rows * g.columns, g.h * g.w, np.float64(scale)
    one, span = x.dtype.type(1), 1 + 2 * (g.rows + g.columns)
    for item in prange(g.count * g.channels * cells):
        c, r = item // cells % g.channels, item // (cells * g.channels)
        image, i, j = spans[r * span], item % cells // g.columns, item % g.columns
        best = x.dtype.type(math.nan) if image < 0 else x.dtype.type(0)
        at[2 * item], at[2 * item + 1] = -one, -one
        found = False
        if image >= 0:
            left, top = begins(rois[5 * r + 1], factor), begins(rois[5 * r + 2], factor)
            width = max(begins(rois[5 * r + 3], factor) - left, 0.0)
            height = max(begins(rois[5 * r + 4], factor) - top, 0.0)
            high, wide = narrow(height / g.rows), narrow(width / g.columns)
            down_step, across_step = step_of(height, g.rows), step_of(width, g.columns)
            first, down = (image * g.channels + c) * area, np.float64(i)
            while down <= i + 1:
                row = inside(narrow(top + narrow(down * high)), g.h)
                across = np.float64(j)
                while across <= j + 1 and row >= 0:
                    column = inside(narrow(left + narrow(across * wide)), g.w)
                    if column >= 0:
                        upper, start = int(row), int(column)
                        lower, end = min(upper + 1, g.h - 1), min(start + 1, g.w - 1)
                        low, far = x.dtype.type(row - upper), x.dtype.type(column - start)
                        above, below = first + upper * g.w, first + lower * g.w
                        sample = (one - low) * ((one - far) * x[above + start] + far * x[above + end])
                        sample += low * ((one - far) * x[below + start] + far * x[below + end])
                        if sample > best or (not found and sample == sample):
                            best, found = sample, True
                            at[2 * item], at[2 * item + 1] = row, column
                    across = narrow(across + across_step)
                down = narrow(down + down_step)
        y[item] = best


@kernel(threads=lambda dy, spans, at, dx, g: g.images * g.channels * g.h * g.w)
def region_warp_backward(dy, spans: np.int32, at, dx, g: Regions):
    """dx = dy, shared among the pixels around each kept sample, region after region."""
    cells, span = g.rows * g.columns, 1 + 2 * (g.rows + g.columns)
    one = dx.dtype.type(1)
    for plane in prange(g.images * g.channels):
        image, c = plane // g.channels, plane % g.channels
        down = emptied(dx, plane, g)
        for r in range(g.count):
            if spans[r * span] == image:
                first = (r * g.channels + c) * cells
                for o in range(first, first + cells):
                    row, column = at[2 * o], at[2 * o + 1]
                    if row >= 0:
                        upper, start = int(row), int(column)
                        low, far = row - upper, column - start
                        above, below = upper * g.w, min(upper + 1, g.h - 1) * g.w
                        end = min(start + 1, g.w - 1)
                        down[above + start] += (one - low) * (one - far) * dy[o]
                        down[above + end] += (one - low) * far * dy[o]
                        down[below + start] += low * (one - far) * dy[o]
                        down[below + end] += low * far * dy[o]
