"""Pooling: one number for every window of a plane.

Output (i, j) looks at input rows i * sh - ph to i * sh - ph + kh and columns alike, as far as they lie in the
image.  No window may lie outside altogether.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import prange

from .cpu import compiled, jit
from .micro import pooling as micro
from .micro.builder import address, call
from .registry import geometry, kernel
from .tiled.panels import part_of, threads

MOST_TAPS = 64  # in a window that the register kernel unrolls
PLANES = 4  # that a CUDA thread takes at a time


@geometry
class Pool(NamedTuple):
    """planes (images times channels) of h rows and w columns; rows and columns of the output, of the window,
    of its stride and of the padding."""

    planes: int
    h: int
    w: int
    oh: int
    ow: int
    kh: int
    kw: int
    sh: int
    sw: int
    ph: int
    pw: int

    @property
    def groups(self) -> int:
        """Groups of PLANES planes."""
        return -(-self.planes // PLANES)


def make_max_pool(device) -> Callable:
    """max_pool_forward on register vectors, for the windows that these take."""
    itemsize, machine = device.dtype.itemsize, device.machine
    plain = compiled(max_pool_forward)

    def max_pool(x: np.ndarray, y: np.ndarray, mask: np.ndarray, g: Pool) -> None:
        if g.sw > 2 or g.ow < 2 or g.kw > 8 or g.kh * g.kw > MOST_TAPS:
            plain(x, y, mask, g)
            return
        lanes = 2
        while lanes < min(g.ow, machine.lanes(itemsize)):
            lanes *= 2
        inside = g.pw == 0 and (g.ow - 1) * g.sw + g.kw <= g.w
        tile = micro.max_pool((g.kh, g.kw), g.sw, inside, lanes, itemsize, machine)
        max_pool_planes(tile, x, y, mask, g, -(-g.ow // lanes), min(threads(), g.planes))

    return max_pool


@jit
def max_pool_row(x, y, mask, g, p, i):
    """Row i of plane p; x (planes, h * w), y and mask (planes, oh, ow)."""
    plane, top = x[p], i * g.sh - g.ph
    for j in range(g.ow):
        left = j * g.sw - g.pw
        first, last = max(left, 0), min(left + g.kw, g.w)
        best, at = plane.dtype.type(np.nan), -1
        for r in range(max(top, 0), min(top + g.kh, g.h)):
            for index in range(r * g.w + first, r * g.w + last):
                value = plane[index]
                # Neither less nor equal, and a number: true also for the first number after NaN.
                wins = (not value <= best) & (value == value)
                best = value if wins else best
                at = index if wins else at
        y[p, i, j] = best
        mask[p, i, j] = at


def max_pool_planes(tile, x, y, mask, g, vectors, parts):
    """All planes, row by row with the register kernel `tile`."""
    planes = x.reshape(g.planes, g.h * g.w)
    tops, masks = y.reshape(g.planes, g.oh, g.ow), mask.reshape(g.planes, g.oh, g.ow)
    for part in prange(parts):
        first_plane, last_plane = part_of(part, parts, g.planes)
        for p in range(first_plane, last_plane):
            # The register kernel may read a little in front of the rows that a window touches, and write a
            # little behind the row it computes: not where that leaves x, or is another thread's.
            first = min(g.oh, g.ph // g.sh + 1) if p == 0 and g.pw > 0 else 0
            last = g.oh - 1 if p == last_plane - 1 else g.oh
            if first < last:
                out = (p * g.oh + first) * g.ow
                sources = address(x, p * g.h * g.w), address(y, out), address(mask, out)
                top = first * g.sh - g.ph
                call(tile, (last - first, top, g.sh, -g.pw, g.h, g.w, g.ow, vectors, *sources))
            for i in range(0, first):
                max_pool_row(planes, tops, masks, g, p, i)
            for i in range(max(first, last), g.oh):
                max_pool_row(planes, tops, masks, g, p, i)


max_pool_planes = jit(max_pool_planes, parallel=True)


@kernel(threads=lambda x, y, mask, g: g.groups * g.oh * g.ow, cpu=make_max_pool)
def max_pool_forward(x, y, mask: np.int32, g: Pool):
    """y = the greatest number in the window, mask = its index row * w + column in the plane: the first one if
    several are equal.  NaN never wins; a window of NaN alone gives NaN and index -1."""
    x = x.reshape(g.planes, g.h * g.w)
    y = y.reshape(g.planes, g.oh, g.ow)
    mask = mask.reshape(g.planes, g.oh, g.ow)
    for p in prange(g.planes):
        for i in range(g.oh):
            max_pool_row(x, y, mask, g, p, i)


@kernel(threads=lambda dy, mask, dx, g: g.groups * g.h * g.w)
def max_pool_backward(dy, mask: np.int32, dx, g: Pool):
    """dx[b] = sum of dy[o] over the windows with mask[o] = b."""
    dy = dy.reshape(g.planes, g.oh * g.ow)
    mask = mask.reshape(g.planes, g.oh * g.ow)
    dx = dx.reshape(g.planes, g.h * g.w)
    for p in prange(g.planes):
        down, up, at = dx[p], dy[p], mask[p]
        for b in range(g.h * g.w):
            down[b] = 0
        for o in range(g.oh * g.ow):
            if at[o] >= 0:
                down[at[o]] += up[o]


@kernel(threads=lambda x, y, g: y.size)
def ave_pool_forward(x, y, g: Pool):
    """y = sum over the window / its area, padding included but not what lies beyond it."""
    x = x.reshape(g.planes, g.h * g.w)
    y = y.reshape(g.planes, g.oh, g.ow)
    for p in prange(g.planes):
        plane = x[p]
        for i in range(g.oh):
            top = i * g.sh - g.ph
            rows = min(top + g.kh, g.h + g.ph) - top
            for j in range(g.ow):
                left = j * g.sw - g.pw
                columns = min(left + g.kw, g.w + g.pw) - left
                total = plane.dtype.type(0)
                for r in range(max(top, 0), min(top + g.kh, g.h)):
                    for index in range(r * g.w + max(left, 0), r * g.w + min(left + g.kw, g.w)):
                        total += plane[index]
                y[p, i, j] = total / plane.dtype.type(rows * columns)


@kernel(threads=lambda dy, dx, g: g.groups * g.h * g.w)
def ave_pool_backward(dy, dx, g: Pool):
    """dx = sum of dy / area over the windows that hold the element."""
    dy = dy.reshape(g.planes, g.oh, g.ow)
    dx = dx.reshape(g.planes, g.h * g.w)
    for p in prange(g.planes):
        plane = dx[p]
        for b in range(g.h * g.w):
            plane[b] = 0
        for i in range(g.oh):
            top = i * g.sh - g.ph
            rows = min(top + g.kh, g.h + g.ph) - top
            for j in range(g.ow):
                left = j * g.sw - g.pw
                columns = min(left + g.kw, g.w + g.pw) - left
                share = dy[p, i, j] / plane.dtype.type(rows * columns)
                for r in range(max(top, 0), min(top + g.kh, g.h)):
                    for index in range(r * g.w + max(left, 0), r * g.w + min(left + g.kw, g.w)):
                        plane[index] += share
