"""The columns of an image, written out: for every tap of a window the pixels that it meets.

Layout: x (planes, d, h, w); columns (planes, kd, kh, kw, od, oh, ow).  Along each axis output o meets, under
tap k, input o * stride + k * dilation - pad; inputs outside the image are zero.
"""

from __future__ import annotations

from numba import prange

from .axes import DILATED, over
from .cpu import jit
from .registry import geometry, kernel


@geometry
class Columns(over(DILATED, "Columns", "planes")):
    """planes (images times channels); axes.py."""

    __slots__ = ()


@jit
def row_under(tap, z, i, g):
    """Of output row (z, i) under a tap: where the input row starts in its plane, or -1 outside the image;
    the input column of output column 0; and the first and last + 1 output column inside the image."""
    a, b, e = tap // (g.kh * g.kw), tap // g.kw % g.kh, tap % g.kw
    p, q, left = z * g.sd + a * g.ld - g.pd, i * g.sh + b * g.lh - g.ph, e * g.lw - g.pw
    start = (p * g.h + q) * g.w if 0 <= p < g.d and 0 <= q < g.h else -1
    last = min(g.ow, (g.w - 1 - left) // g.sw + 1)
    return start, left, min(max(0, -(left // g.sw)), last), last


@kernel(threads=lambda x, columns, g: columns.size)
def im2col(x, columns, g: Columns):
    """columns[c, k, o] = x[c, o * stride + k * dilation - pad]."""
    taps, size = g.kd * g.kh * g.kw, g.d * g.h * g.w
    for line in prange(g.planes * taps):
        plane, tap = line // taps, line % taps
        for row in range(g.od * g.oh):
            start, left, first, last = row_under(tap, row // g.oh, row % g.oh, g)
            at = (line * g.od * g.oh + row) * g.ow
            pixels = columns[at : at + g.ow]
            for j in range(g.ow):
                pixels[j] = 0
            if start >= 0:
                base = plane * size + start + left
                for j in range(first, last):
                    pixels[j] = x[base + j * g.sw]


@kernel(threads=lambda dcolumns, dx, g: dx.size)
def col2im(dcolumns, dx, g: Columns):
    """dx[c, i] = sum of dcolumns[c, k, o] over the (k, o) that meet i, added in the order of k."""
    taps, size = g.kd * g.kh * g.kw, g.d * g.h * g.w
    for plane in prange(g.planes):
        total = dx[plane * size : (plane + 1) * size]
        for i in range(size):
            total[i] = 0
        for tap in range(taps):
            for row in range(g.od * g.oh):
                start, left, first, last = row_under(tap, row // g.oh, row % g.oh, g)
                at = ((plane * taps + tap) * g.od * g.oh + row) * g.ow
                pixels = dcolumns[at : at + g.ow]
                if start >= 0:
                    for j in range(first, last):
                        total[start + left + j * g.sw] += pixels[j]
