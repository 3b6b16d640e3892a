"""Masks of regions: planes that others are multiplied by, and that are brought to another size."""

from __future__ import annotations

from typing import NamedTuple

from numba import prange

from .cpu import jit
from .registry import geometry, kernel


@geometry
class Masks(NamedTuple):
    """count masks of `area` pixels, each for `channels` planes."""

    count: int
    channels: int
    area: int


@geometry
class Stretch(NamedTuple):
    """planes of h * w pixels become planes of oh * ow."""

    planes: int
    h: int
    w: int
    oh: int
    ow: int


@kernel(threads=lambda x, mask, y, g: g.count * g.channels * g.area)
def masked(x, mask, y, g: Masks):
    """y = x * mask.  The same call makes y from x and dx from dy."""
    for plane in prange(g.count * g.channels):
        start, above = plane * g.area, plane // g.channels * g.area
        for i in range(g.area):
            y[start + i] = x[start + i] * mask[above + i]


@kernel(threads=lambda x, dy, dmask, g: g.count * g.area)
def mask_slope(x, dy, dmask, g: Masks):
    """dmask = sum of dy * x over the channels, one after the other."""
    for r in prange(g.count):
        for i in range(g.area):
            dmask[r * g.area + i] = 0
        for c in range(g.channels):
            start = (r * g.channels + c) * g.area
            for i in range(g.area):
                dmask[r * g.area + i] += dy[start + i] * x[start + i]


@jit
def before(position, extent):
    """The pixel at a position of 0 and more, or in front of it: the last one at most."""
    return min(int(position), extent - 1)


@kernel(threads=lambda x, y, g: g.planes * g.oh * g.ow)
def stretch_forward(x, y, g: Stretch):
    """y at (i, j) = x at (i h / oh, j w / ow), between four pixels; behind the last one it stays the same."""
    one = x.dtype.type(1)
    for line in prange(g.planes * g.oh):
        plane, i = line // g.oh, line % g.oh
        down = min(x.dtype.type(i * g.h) / g.oh, x.dtype.type(g.h - 1))
        upper = before(down, g.h)
        low, lower = down - upper, min(upper + 1, g.h - 1)
        above, below = (plane * g.h + upper) * g.w, (plane * g.h + lower) * g.w
        for j in range(g.ow):
            across = min(x.dtype.type(j * g.w) / g.ow, x.dtype.type(g.w - 1))
            left = before(across, g.w)
            far, right = across - left, min(left + 1, g.w - 1)
            top = (one - far) * x[above + left] + far * x[above + right]
            bottom = (one - far) * x[below + left] + far * x[below + right]
            y[line * g.ow + j] = (one - low) * top + low * bottom


@kernel(threads=lambda dy, dx, g: g.planes * g.h * g.w)
def stretch_backward(dy, dx, g: Stretch):
    """dx = dy, shared among the four pixels; every pixel of dx asks for its parts, row after row."""
    one, zero = dx.dtype.type(1), dx.dtype.type(0)
    for line in prange(g.planes * g.h):
        plane, row = line // g.h, line % g.h
        first = max((row - 1) * g.oh // g.h, 0)
        last = g.oh if row == g.h - 1 else min((row + 1) * g.oh // g.h + 1, g.oh)
        for column in range(g.w):
            start = max((column - 1) * g.ow // g.w, 0)
            end = g.ow if column == g.w - 1 else min((column + 1) * g.ow // g.w + 1, g.ow)
            total = zero
            for i in range(first, last):
                down = min(dx.dtype.type(i * g.h) / g.oh, dx.dtype.type(g.h - 1))
                low = one - abs(down - row)
                if low > zero:
                    for j in range(start, end):
                        across = min(dx.dtype.type(j * g.w) / g.ow, dx.dtype.type(g.w - 1))
                        far = one - abs(across - column)
                        if far > zero:
                            total += low * far * dy[(plane * g.oh + i) * g.ow + j]
            dx[line * g.w + column] = total
