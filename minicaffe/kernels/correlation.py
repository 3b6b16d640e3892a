"""What places of one feature map have in common with places of another, for displacements on a grid."""

from __future__ import annotations

from typing import NamedTuple

from numba import prange

from .cpu import jit
from .registry import geometry, kernel


@geometry
class Grid(NamedTuple):
    """n maps of c channels and h * w places, to oh * ow places for each of side * side displacements.

    Output (i, j) has windows of `window` places that begin at row i * step + first, columns likewise, in the
    first map, and `apart` places farther for each displacement from the middle one in the second; what lies
    outside of a map is 0.  sizes: 1: the size of differences counts, else products.
    """

    n: int
    c: int
    h: int
    w: int
    oh: int
    ow: int
    side: int
    window: int
    first: int
    step: int
    apart: int
    sizes: int


@jit
def at(x, plane, row, column, g):
    """The value of a plane at a place, 0 outside."""
    inside = 0 <= row < g.h and 0 <= column < g.w
    return x[(plane * g.h + row) * g.w + column] if inside else x.dtype.type(0)


@kernel(threads=lambda a, b, y, g: g.n * g.side * g.side * g.oh * g.ow)
def correlation_forward(a, b, y, g: Grid):
    """y = the mean over window and channels of a * b, or |a - b|."""
    count = a.dtype.type(g.window * g.window * g.c)
    for row in prange(g.n * g.side * g.side * g.oh):
        i, q, image = row % g.oh, row // g.oh % (g.side * g.side), row // (g.oh * g.side * g.side)
        down, right = (q // g.side - g.side // 2) * g.apart, (q % g.side - g.side // 2) * g.apart
        for j in range(g.ow):
            total = a.dtype.type(0)
            for channel in range(image * g.c, (image + 1) * g.c):
                for r in range(i * g.step + g.first, i * g.step + g.first + g.window):
                    for s in range(j * g.step + g.first, j * g.step + g.first + g.window):
                        one, other = at(a, channel, r, s, g), at(b, channel, r + down, s + right, g)
                        total += abs(one - other) if g.sizes else one * other
            y[row * g.ow + j] = total / count


@jit
def above(value, step):
    """value / step, rounded up, for values of either sign."""
    return -(-value // step)


@kernel(threads=lambda own, other, dy, down, g, second: down.size)
def correlation_gradient(own, other, dy, down, g: Grid, second: int):
    """down = the gradient by the first map, or the second; own is that map."""
    count, zero, one = own.dtype.type(g.window * g.window * g.c), own.dtype.type(0), own.dtype.type(1)
    way = -1 if second else 1
    for row in prange(g.n * g.c * g.h):
        plane, r = row // g.h, row % g.h
        image = plane // g.c
        for s in range(g.w):
            total, value = zero, own[row * g.w + s]
            for q in range(g.side * g.side):
                lower, right = (q // g.side - g.side // 2) * g.apart, (q % g.side - g.side // 2) * g.apart
                facing = at(other, plane, r + way * lower, s + way * right, g)
                factor = facing
                if g.sizes:
                    d = value - facing
                    factor = (one if d > zero else zero) - (one if d < zero else zero)
                # Where the place lies in the first map, and which windows hold it there.
                u, v = (r - lower, s - right) if second else (r, s)
                top, left = (
                    above(u - g.first - g.window + 1, g.step),
                    above(v - g.first - g.window + 1, g.step),
                )
                part = zero
                for i in range(max(0, top), min(g.oh, (u - g.first) // g.step + 1)):
                    for j in range(max(0, left), min(g.ow, (v - g.first) // g.step + 1)):
                        part += dy[((image * g.side * g.side + q) * g.oh + i) * g.ow + j]
                total += factor * part
            down[row * g.w + s] = total / count
