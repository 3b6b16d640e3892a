"""Pooling: one number for every window of a plane.

Output (i, j) looks at input rows i * sh - ph to i * sh - ph + kh and columns alike, as far as they lie in the
image.  No window may lie outside altogether.  The images of x and y, and of their gradients, may lie apart:
what is between them is another blob's, and is not written.
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
from .tiled import averages
from .tiled.averages import lanes_for, run_of, start_of
from .tiled.panels import part_of, threads

MOST_TAPS = 64  # in a window that the register kernel unrolls
PLANES = 4  # that a CUDA thread takes at a time
ANY = 2**31 - 1  # planes next to each other


@geometry
class Pool(NamedTuple):
    """planes (images times channels) of h rows and w columns; rows and columns of the output, of the window,
    of its stride and of the padding before the image (ph, pw) and behind it (eh, ew).

    bare            1: means are over what lies in the image, and padding does not count; eh and ew are then 0
    channels        planes of an image, which lie next to each other; all planes do by default
    x_step, y_step  elements from the first of an image to the first of the next
    """

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
    eh: int
    ew: int
    bare: int = 0
    channels: int = ANY
    x_step: int = 0
    y_step: int = 0

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
        lanes = lanes_for(g, device)
        inside = g.pw == 0 and (g.ow - 1) * g.sw + g.kw <= g.w
        tile = micro.max_pool((g.kh, g.kw), g.sw, inside, lanes, itemsize, machine)
        max_pool_planes(tile, x, y, mask, g, -(-g.ow // lanes), min(threads(), g.planes))

    return max_pool


def make_max_pool_backward(device) -> Callable:
    """max_pool_backward on register vectors, for the windows that these take."""
    plain = compiled(max_pool_backward)

    def backward(dy: np.ndarray, mask: np.ndarray, dx: np.ndarray, g: Pool, add: int) -> None:
        # Rows of few elements are no faster so, nor where an element has many windows to ask.
        if g.ow < 8 or g.sw > 4 or g.kh > 3 * g.sh or g.kw > 3 * g.sw:
            plain(dy, mask, dx, g, add)
            return
        lanes, window = lanes_for(g, device), ((g.kh, g.kw), (g.sh, g.sw))
        kernel = micro.max_pool_back(*window, bool(add), lanes, device.dtype.itemsize, device.machine)
        across = -(-(g.w + g.pw) // (g.sw * lanes))
        max_back_planes(kernel, dy, mask, dx, g, across, min(threads(), g.planes))

    return backward


@jit
def plane_of(array, p, g, step, size):
    """Plane p, flat."""
    start = start_of(p, g.channels, step, size)
    return array[start : start + size]


@jit
def max_pool_row(x, y, mask, g, p, i):
    """Row i of plane p."""
    plane, top = plane_of(x, p, g, g.x_step, g.h * g.w), i * g.sh - g.ph
    out = plane_of(y, p, g, g.y_step, g.oh * g.ow)[i * g.ow : (i + 1) * g.ow]
    places = mask[(p * g.oh + i) * g.ow : (p * g.oh + i + 1) * g.ow]
    for j in range(g.ow):
        left = j * g.sw - g.pw
        first, last = max(left, 0), min(left + g.kw, g.w)
        best, at = x.dtype.type(np.nan), -1
        for r in range(max(top, 0), min(top + g.kh, g.h)):
            for index in range(r * g.w + first, r * g.w + last):
                value = plane[index]
                # Neither less nor equal, and a number: true also for the first number after NaN.
                wins = (not value <= best) & (value == value)
                best = value if wins else best
                at = index if wins else at
        out[j] = best
        places[j] = at


def max_pool_planes(tile, x, y, mask, g, vectors, parts):
    """All planes, row by row with the register kernel `tile`."""
    apart = g.y_step != g.channels * g.oh * g.ow
    for part in prange(parts):
        first_plane, last_plane = part_of(part, parts, g.planes)
        for p in range(first_plane, last_plane):
            # The register kernel may read a little in front of the rows that a window touches, and write a
            # little behind the row it computes: not where that leaves x, or is another thread's or blob's.
            first = min(g.oh, g.ph // g.sh + 1) if p == 0 and g.pw > 0 else 0
            ends = p == last_plane - 1 or (apart and (p + 1) % g.channels == 0)
            last = g.oh - 1 if ends else g.oh
            if first < last:
                start = start_of(p, g.channels, g.x_step, g.h * g.w)
                out = start_of(p, g.channels, g.y_step, g.oh * g.ow) + first * g.ow
                sources = address(x, start), address(y, out), address(mask, (p * g.oh + first) * g.ow)
                top = first * g.sh - g.ph
                call(tile, (last - first, top, g.sh, -g.pw, g.h, g.w, g.ow, vectors, *sources))
            for i in range(0, first):
                max_pool_row(x, y, mask, g, p, i)
            for i in range(max(first, last), g.oh):
                max_pool_row(x, y, mask, g, p, i)


def max_back_planes(kernel, dy, mask, dx, g, across, parts):
    """All planes with the register kernel `max_pool_back`."""
    for part in prange(parts):
        p, last = part_of(part, parts, g.planes)
        while p < last:
            run, of_x, of_y = run_of(p, last, g)
            places = address(dy, of_y), address(mask, p * g.oh * g.ow), address(dx, of_x)
            call(kernel, (run, -g.ph, -g.pw, g.h, g.w, g.oh, g.ow, across, *places))
            p += run


max_pool_planes, max_back_planes = jit(max_pool_planes, parallel=True), jit(max_back_planes, parallel=True)


@kernel(threads=lambda x, y, mask, g: g.groups * g.oh * g.ow, cpu=make_max_pool)
def max_pool_forward(x, y, mask: np.int32, g: Pool):
    """y = the greatest number in the window, mask = its index row * w + column in the plane: the first one if
    several are equal.  NaN never wins; a window of NaN alone gives NaN and index -1."""
    for p in prange(g.planes):
        for i in range(g.oh):
            max_pool_row(x, y, mask, g, p, i)


@kernel(threads=lambda dy, mask, dx, g, add: g.groups * g.h * g.w, cpu=make_max_pool_backward)
def max_pool_backward(dy, mask: np.int32, dx, g: Pool, add: int):
    """dx[b] = sum of dy[o] over the windows with mask[o] = b, + dx[b] if add."""
    for p in prange(g.planes):
        down, up = plane_of(dx, p, g, g.x_step, g.h * g.w), plane_of(dy, p, g, g.y_step, g.oh * g.ow)
        at = mask[p * g.oh * g.ow : (p + 1) * g.oh * g.ow]
        for b in range(0 if add else g.h * g.w):
            down[b] = 0
        for o in range(g.oh * g.ow):
            if at[o] >= 0:
                down[at[o]] += up[o]


@jit
def window_of(i, j, g):
    """The rows and columns of window (i, j) that lie in the image, first and end, and its area."""
    top, left = i * g.sh - g.ph, j * g.sw - g.pw
    above, before = (max(top, 0), max(left, 0)) if g.bare else (top, left)
    area = (min(top + g.kh, g.h + g.eh) - above) * (min(left + g.kw, g.w + g.ew) - before)
    return max(top, 0), min(top + g.kh, g.h), max(left, 0), min(left + g.kw, g.w), area


@kernel(
    threads=lambda x, y, g: g.planes * g.oh * g.ow,
    cpu=lambda device: averages.forward(device, compiled(ave_pool_forward)),
)
def ave_pool_forward(x, y, g: Pool):
    """y = sum over the window / its area, padding included, unless bare, but not what lies beyond it."""
    for p in prange(g.planes):
        plane, out = plane_of(x, p, g, g.x_step, g.h * g.w), plane_of(y, p, g, g.y_step, g.oh * g.ow)
        for i in range(g.oh):
            for j in range(g.ow):
                top, bottom, left, right, area = window_of(i, j, g)
                total = plane.dtype.type(0)
                if right - left == g.w:  # rows lie one behind the other: vector code
                    top, bottom, left, right = 0, 1, top * g.w, bottom * g.w
                for r in range(top, bottom):
                    for index in range(r * g.w + left, r * g.w + right):
                        total += plane[index]
                out[i * g.ow + j] = total / plane.dtype.type(area)


@kernel(
    threads=lambda dy, dx, g, add: g.groups * g.h * g.w,
    cpu=lambda device: averages.backward(device, compiled(ave_pool_backward)),
)
def ave_pool_backward(dy, dx, g: Pool, add: int):
    """dx = sum of dy / area over the windows that hold the element, + dx if add."""
    for p in prange(g.planes):
        down, up = plane_of(dx, p, g, g.x_step, g.h * g.w), plane_of(dy, p, g, g.y_step, g.oh * g.ow)
        for b in range(0 if add else g.h * g.w):
            down[b] = 0
        for i in range(g.oh):
            for j in range(g.ow):
                top, bottom, left, right, area = window_of(i, j, g)
                share = up[i * g.ow + j] / down.dtype.type(area)
                if right - left == g.w:
                    top, bottom, left, right = 0, 1, top * g.w, bottom * g.w
                for r in range(top, bottom):
                    for index in range(r * g.w + left, r * g.w + right):
                        down[index] += share
