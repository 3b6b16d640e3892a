"""Unpooling: planes become larger, each value at one place of the larger plane, or over a window of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from .cpu import jit
from .registry import geometry, kernel
from .reindex import NONE


@geometry
class Unpool(NamedTuple):
    """planes of h * w values become planes of oh * ow; value (i, j) belongs to the window of kh rows and kw
    columns from row i * sh and column j * sw on, as far as it lies in the larger plane."""

    planes: int
    h: int
    w: int
    oh: int
    ow: int
    kh: int
    kw: int
    sh: int
    sw: int


@kernel(threads=lambda mask, places, position, g: mask.size)
def find_places(mask, places: np.int32, position: np.int32, g: Unpool):
    """places = mask cut to a whole number, -1 where that is no place of a plane; position = the first such,
    unless an earlier one is noted there."""
    for row in prange(g.planes * g.h):
        for i in range(row * g.w, (row + 1) * g.w):
            places[i] = np.int32(mask[i]) if -1 < mask[i] < g.oh * g.ow else -1
    for i in range(mask.size):
        if places[i] < 0:
            position[0] = min(position[0], i)
            break


@kernel(threads=lambda mask, places, position, value, g: 1, parallel=False)
def show_place(mask, places: np.int32, position: np.int32, value, g: Unpool):
    """value = what stands at the position that find_places noted."""
    at = position[0]
    if at != NONE and at < g.planes * g.h * g.w and places[at] < 0:
        value[0] = mask[at]


@kernel(threads=lambda places, g: g.planes * g.h * g.w)
def corner_places(places: np.int32, g: Unpool):
    """The place of every value: the first of its window."""
    for row in prange(g.planes * g.h):
        for j in range(g.w):
            places[row * g.w + j] = row % g.h * g.sh * g.ow + j * g.sw


@kernel(blocks=lambda x, places, y, g: g.planes)
def place_forward(x, places: np.int32, y, g: Unpool):
    """y = 0, and x at its places: of several values for one place the last."""
    for p in prange(g.planes):
        plane = y[p * g.oh * g.ow : (p + 1) * g.oh * g.ow]
        for o in range(plane.size):
            plane[o] = 0
        for i in range(p * g.h * g.w, (p + 1) * g.h * g.w):
            if places[i] >= 0:
                plane[places[i]] = x[i]


@kernel(threads=lambda dy, places, dx, g: dx.size)
def place_backward(dy, places: np.int32, dx, g: Unpool):
    """dx = dy at its place, 0 without one."""
    for p in prange(g.planes):
        for i in range(p * g.h * g.w, (p + 1) * g.h * g.w):
            dx[i] = dy[p * g.oh * g.ow + places[i]] if places[i] >= 0 else 0


@jit
def first_window(at, kernel, stride):
    """The first window along an axis that holds pixel `at`."""
    return max(0, (at - kernel) // stride + 1)


@jit
def area(i, j, g):
    """The pixels of a window that lie in the plane."""
    return (min(i * g.sh + g.kh, g.oh) - i * g.sh) * (min(j * g.sw + g.kw, g.ow) - j * g.sw)


@kernel(threads=lambda x, y, g, mean: y.size)
def spread_forward(x, y, g: Unpool, mean: int):
    """y = the sum of the x, or with `mean` of x / area, whose windows hold the pixel."""
    for row in prange(g.planes * g.oh):
        p, r = row // g.oh, row % g.oh
        first_i, end_i = first_window(r, g.kh, g.sh), min(r // g.sh + 1, g.h)
        for c in range(g.ow):
            total = x.dtype.type(0)
            for i in range(first_i, end_i):
                for j in range(first_window(c, g.kw, g.sw), min(c // g.sw + 1, g.w)):
                    value = x[(p * g.h + i) * g.w + j]
                    total += value / x.dtype.type(area(i, j, g)) if mean else value
            y[row * g.ow + c] = total


@kernel(threads=lambda dy, dx, g, mean: dx.size)
def spread_backward(dy, dx, g: Unpool, mean: int):
    """dx = the sum, or with `mean` the mean, of dy over the window."""
    for row in prange(g.planes * g.h):
        p, i = row // g.h, row % g.h
        for j in range(g.w):
            total = dy.dtype.type(0)
            for r in range(i * g.sh, min(i * g.sh + g.kh, g.oh)):
                start = (p * g.oh + r) * g.ow
                for c in range(j * g.sw, min(j * g.sw + g.kw, g.ow)):
                    total += dy[start + c]
            dx[row * g.w + j] = total / dy.dtype.type(area(i, j, g)) if mean else total
