"""Every pixel of an image from elsewhere: one linear interpolation between four pixels."""

from __future__ import annotations

import numpy as np

from ..cpu import jit
from .plan import INSIDE, M

PADDING = 3  # rows and columns that `pad` adds: one before, two behind


@jit
def pad(plane, fill, out):
    """plane (h, w), as float32 in the middle of out ((h + PADDING) * (w + PADDING),), and `fill` around."""
    h, w = plane.shape
    wide = w + PADDING
    out[: wide + 1] = fill
    for y in range(h):
        row = out[(y + 1) * wide + 1 : (y + 2) * wide + 1]
        source = plane[y]
        for x in range(w):
            row[x] = source[x]
        row[w:] = fill
    out[(h + 1) * wide + 1 :] = fill


@jit
def warp(padded, plan, bend, out):
    """The images that `pad` made of C planes, `padded` (C, ...), warped as a plan's M says, into out
    (C, h, w), float32.

    bend  (2, h, w): by how many pixels every pixel of the result is displaced, across and down; or (2, 0, 0)

    Two loops a row: what follows from the coordinates alone becomes vector code, what looks up pixels cannot.
    """
    c, h, w = out.shape
    wide = w + PADDING
    one, zero = np.float32(1), np.float32(0)
    # In the padded image: from its first pixel to its last, or where nothing lies outside, the image's.
    low = one if plan[INSIDE] else zero
    bottom = np.float32(h) if plan[INSIDE] else np.float32(h + 1)
    right = np.float32(w) if plan[INSIDE] else np.float32(w + 1)
    a, d = np.float32(plan[M]), np.float32(plan[M + 3])
    index = np.empty(w, np.int32)
    across, down = np.empty(w, np.float32), np.empty(w, np.float32)
    for y in range(h):
        x0 = np.float32(plan[M + 1] * y + plan[M + 2] + 1)
        y0 = np.float32(plan[M + 4] * y + plan[M + 5] + 1)
        if bend.size:
            b, e = np.float32(plan[M + 1]), np.float32(plan[M + 4])
            for x in range(w):
                dx, dy = bend[0, y, x], bend[1, y, x]
                across[x] = x0 + a * (np.float32(x) + dx) + b * dy
                down[x] = y0 + d * (np.float32(x) + dx) + e * dy
        else:
            for x in range(w):
                across[x] = x0 + a * np.float32(x)
                down[x] = y0 + d * np.float32(x)
        for x in range(w):
            sx, sy = across[x], down[x]
            sx = sx if sx > low else low
            sx = sx if sx < right else right
            sy = sy if sy > low else low
            sy = sy if sy < bottom else bottom
            ix, iy = np.int32(sx), np.int32(sy)
            across[x], down[x] = sx - np.float32(ix), sy - np.float32(iy)
            index[x] = iy * np.int32(wide) + ix
        for k in range(c):
            source, row = padded[k], out[k, y]
            for x in range(w):
                at = np.uint32(index[x])
                p, q = source[at], source[at + np.uint32(1)]
                r, s = source[at + np.uint32(wide)], source[at + np.uint32(wide + 1)]
                upper, lower = p + across[x] * (q - p), r + across[x] * (s - r)
                row[x] = upper + down[x] * (lower - upper)
