"""Images of bytes to the values that a net sees: cut out, mirrored, mean subtracted, scaled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from .registry import geometry, kernel


@geometry
class Cut(NamedTuple):
    """Of n images (c, h, w) a window (oh, ow) each.  The mean of pixel p of channel k is element
    k * channel_step + p * pixel_step: 0, 0 for one mean, 1, 0 for one per channel, h * w, 1 for one per
    pixel."""

    n: int
    c: int
    h: int
    w: int
    oh: int
    ow: int
    channel_step: int
    pixel_step: int


@kernel(threads=lambda pixels, windows, mean, factors, out, g: out.size)
def transform(pixels: np.uint8, windows: np.int32, mean, factors, out, g: Cut):
    """out = (pixel - mean) * factors[channel].

    windows (n, 3) has of each image the window's first row, its first column, and 1 where left and right
    change places.  A pixel's mean is that of its place in the image.
    """
    pixels = pixels.reshape(g.n, g.c, g.h * g.w)
    out = out.reshape(g.n, g.c, g.oh, g.ow)
    real = mean.dtype.type
    for plane in prange(g.n * g.c):
        n, c = plane // g.c, plane % g.c
        factor = factors[c]
        top, left, mirrored = windows[3 * n], windows[3 * n + 1], windows[3 * n + 2]
        for y in range(g.oh):
            for x in range(g.ow):
                column = left + (g.ow - 1 - x if mirrored else x)
                at = (top + y) * g.w + column
                value = real(pixels[n, c, at])
                out[n, c, y, x] = (value - mean[c * g.channel_step + at * g.pixel_step]) * factor
