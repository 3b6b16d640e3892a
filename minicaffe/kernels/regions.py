"""Pooling of regions: an image's rectangle, cut into cells, becomes one number for every cell.

A region is five numbers: the image, and its corners x1, y1, x2, y2.  Where its cells begin and end is found
once for all channels, into spans: for every region its image, then for every row of cells the first row of
the image and the one behind the last, then for every column of cells likewise.  Cells may overlap, and may be
empty.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import prange

from .cpu import jit
from .registry import geometry, kernel
from .reindex import NONE

LIMIT = 2.0**24  # of a corner: below, float32 holds every whole number
SMALLEST = np.float32(0.1)  # extent of a region that is not rounded to whole pixels


@geometry
class Regions(NamedTuple):
    """`count` regions in images of `channels` planes of h rows and w columns, each cut into rows * columns
    cells."""

    count: int
    images: int
    channels: int
    h: int
    w: int
    rows: int
    columns: int

    @property
    def span(self) -> int:
        """Numbers of a region in spans."""
        return 1 + 2 * (self.rows + self.columns)


@jit
def narrow(value):
    """In float32.  What follows computes in double precision and rounds after every step, which gives the
    bits of float32 arithmetic, whatever a compiler fuses or reorders."""
    return np.float64(np.float32(value))


@jit
def nearest(value):
    """The nearest whole number; of two the one that is farther from 0."""
    return math.floor(value + 0.5) if value >= 0 else math.ceil(value - 0.5)


@jit
def cut(low, high, scale, cells, extent, whole, spans):
    """Where the cells of one axis begin and end: spans[2 i], spans[2 i + 1]."""
    if whole:
        start = nearest(narrow(low * scale))
        size = max(nearest(narrow(high * scale)) - start + 1.0, 1.0)
    else:
        start = narrow(nearest(low) * scale)
        size = narrow(narrow((nearest(high) + 1.0) * scale) - start)
        size = max(size, np.float64(SMALLEST))
    step = narrow(size / cells)
    for i in range(cells):
        first, last = narrow(i * step), narrow((i + 1) * step)
        if whole:
            first, last = math.floor(first) + start, math.ceil(last) + start
        else:
            first, last = math.floor(narrow(first + start)), math.ceil(narrow(last + start))
        spans[2 * i] = int(min(max(first, 0.0), extent))
        spans[2 * i + 1] = int(min(max(last, 0.0), extent))


@kernel(blocks=lambda rois, spans, position, value, g, scale, whole: 1, parallel=False)
def region_spans(
    rois, spans: np.int32, position: np.int32, value, g: Regions, scale: float, whole: int
):  # fmt: skip
    """Where the cells of every region lie; rois (count, 5).

    whole  1: corners are scaled and then rounded, and both belong to the region, which is at least a pixel
              wide; 0: they are rounded and then scaled, and the region ends one pixel of the unscaled image
              behind the second, but is at least 0.1 wide

    The image of a region with a number that cannot be used is -1; position, value = the first such number,
    unless an earlier one is noted there.
    """
    span, factor = 1 + 2 * (g.rows + g.columns), np.float64(scale)
    earliest = NONE
    for r in range(g.count):
        out, bad = spans[r * span : (r + 1) * span], NONE
        for k in range(5):
            number = np.float64(rois[5 * r + k])
            fits = -1 < number < g.images if k == 0 else max(abs(number), abs(number * factor)) < LIMIT
            if not fits and bad == NONE:
                bad = 5 * r + k
        earliest = min(earliest, bad)
        out[0] = -1
        if bad == NONE:
            x1, y1, x2, y2 = (narrow(rois[5 * r + 1]), narrow(rois[5 * r + 2]), narrow(rois[5 * r + 3]),
                              narrow(rois[5 * r + 4]))  # fmt: skip
            out[0] = int(rois[5 * r])
            cut(y1, y2, factor, g.rows, g.h, whole, out[1:])
            cut(x1, x2, factor, g.columns, g.w, whole, out[1 + 2 * g.rows :])
    if position[0] == NONE and earliest != NONE:
        position[0] = earliest
        value[0] = rois[earliest]


@kernel(threads=lambda x, spans, y, argmax, g: g.count * g.channels * g.rows * g.columns)
def region_max_forward(x, spans: np.int32, y, argmax: np.int32, g: Regions):
    """y (count, channels, rows, columns) = the greatest number in the cell, argmax = its index row * w +
    column in the plane: the first one if several are equal.

    An empty cell gives 0, index -1.  NaN never wins; a cell of NaN alone, or of a region without image, gives
    NaN and index -1.
    """
    span, area, cells = 1 + 2 * (g.rows + g.columns), g.h * g.w, g.rows * g.columns
    for item in prange(g.channels * g.count):  # region after region in one plane, which stays in the cache
        r, c = item % g.count, item // g.count
        spanned = spans[r * span : (r + 1) * span]
        image = spanned[0]
        pixels = x[(max(image, 0) * g.channels + c) * area : (max(image, 0) * g.channels + c + 1) * area]
        first_cell = (r * g.channels + c) * cells
        for i in range(g.rows):
            top, bottom = spanned[1 + 2 * i], spanned[2 + 2 * i]
            for j in range(g.columns):
                left, right = spanned[1 + 2 * (g.rows + j)], spanned[2 + 2 * (g.rows + j)]
                best, at = x.dtype.type(math.nan), -1
                if image >= 0 and (top >= bottom or left >= right):
                    best = x.dtype.type(0)
                elif image >= 0:
                    for row in range(top, bottom):
                        for index in range(row * g.w + left, row * g.w + right):
                            number = pixels[index]
                            if number > best or (at < 0 and number == number):  # seldom: a branch is faster
                                best, at = number, index
                y[first_cell + i * g.columns + j] = best
                argmax[first_cell + i * g.columns + j] = at


@jit
def emptied(dx, plane, g):
    """That plane of dx, set to 0."""
    down = dx[plane * g.h * g.w : (plane + 1) * g.h * g.w]
    for b in range(down.size):
        down[b] = 0
    return down


@kernel(threads=lambda dy, spans, argmax, dx, g: g.images * g.channels * g.h * g.w)
def region_max_backward(dy, spans: np.int32, argmax: np.int32, dx, g: Regions):
    """dx[b] = sum of dy[o] over the cells with argmax[o] = b, region after region."""
    span, cells = 1 + 2 * (g.rows + g.columns), g.rows * g.columns
    for plane in prange(g.images * g.channels):
        image, c = plane // g.channels, plane % g.channels
        down = emptied(dx, plane, g)
        for r in range(g.count):
            if spans[r * span] == image:
                first = (r * g.channels + c) * cells
                for o in range(first, first + cells):
                    if argmax[o] >= 0:
                        down[argmax[o]] += dy[o]


@jit
def place_of(k, spans, r, g):
    """Of output or channel k, which stands for a cell: first and end of the cell's rows and columns."""
    own = spans[r * (1 + 2 * (g.rows + g.columns)) : (r + 1) * (1 + 2 * (g.rows + g.columns))]
    i, j = k // g.columns % g.rows, k % g.columns
    return own[1 + 2 * i], own[2 + 2 * i], own[1 + 2 * (g.rows + j)], own[2 + 2 * (g.rows + j)]


@kernel(threads=lambda x, spans, y, g: g.count * g.channels)
def position_mean_forward(x, spans: np.int32, y, g: Regions):
    """y (count, channels) = the mean over the cell, where every channel has a cell of its own: channel (d *
    rows + i) * columns + j that in row i and column j; 0 for an empty one, NaN in a region without image."""
    span, area = 1 + 2 * (g.rows + g.columns), g.h * g.w
    for o in prange(g.count * g.channels):
        r, c = o // g.channels, o % g.channels
        image, total = spans[r * span], x.dtype.type(0)
        top, bottom, left, right = place_of(c, spans, r, g)
        if image < 0:
            total = x.dtype.type(math.nan)
        elif top < bottom and left < right:
            pixels = x[(image * g.channels + c) * area : (image * g.channels + c + 1) * area]
            for row in range(top, bottom):
                for index in range(row * g.w + left, row * g.w + right):
                    total += pixels[index]
            total /= x.dtype.type((bottom - top) * (right - left))
        y[o] = total


@kernel(threads=lambda dy, spans, dx, g: g.images * g.channels * g.h * g.w)
def position_mean_backward(dy, spans: np.int32, dx, g: Regions):
    """dx = sum of dy / area over the cells that hold the element, region after region."""
    span = 1 + 2 * (g.rows + g.columns)
    for plane in prange(g.images * g.channels):
        image, c = plane // g.channels, plane % g.channels
        down = emptied(dx, plane, g)
        for r in range(g.count):
            if spans[r * span] == image:
                top, bottom, left, right = place_of(c, spans, r, g)
                if top < bottom and left < right:
                    share = dy[r * g.channels + c] / dx.dtype.type((bottom - top) * (right - left))
                    for row in range(top, bottom):
                        for index in range(row * g.w + left, row * g.w + right):
                            down[index] += share
