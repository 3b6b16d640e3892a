"""Reorg: pixels of blocks become channels, in the order of darknet's loop."""

from __future__ import annotations

from typing import NamedTuple

from numba import prange

from .registry import geometry, kernel


@geometry
class Blocks(NamedTuple):
    """Images in two orders: fine (count, channels, h * side, w * side), where pixels of a block lie side by
    side, and coarse (count, side, side, channels, h, w), where its rows and columns come first."""

    count: int
    channels: int
    h: int
    w: int
    side: int


@kernel(threads=lambda x, y, g, coarse: g.count * g.channels * g.h * g.w * g.side * g.side)
def reorg(x, y, g: Blocks, coarse: int):
    """y = x in the other order: coarse if coarse is 1, else fine."""
    for row in prange(g.count * g.side * g.side * g.channels * g.h):
        i, rest = row % g.h, row // g.h
        c, rest = rest % g.channels, rest // g.channels
        b, rest = rest % g.side, rest // g.side
        a, image = rest % g.side, rest // g.side
        fine = (((image * g.channels + c) * g.h + i) * g.side + a) * g.w * g.side + b
        for j in range(g.w):
            if coarse:
                y[row * g.w + j] = x[fine + j * g.side]
            else:
                y[fine + j * g.side] = x[row * g.w + j]
