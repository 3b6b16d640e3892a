"""The gradient by the weights of 3x3 and 5x5 windows by Winograd's schemes, see winograd.py:

    dg = G^T [ sum over tiles of (B^T d B) * (A dy A^T) ] G

Tiles are taken by chunks, cut by the geometry alone: those of image and slopes are transformed, then each
place's matrix product is added to the sums.  A sum is made by one thread, chunk after chunk, so no result
depends on how many threads there are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from ..cpu import jit
from ..micro.builder import address, call
from ..micro.tile import best_rows, tile
from ..micro.winograd import SCHEMES, sandwich
from .panels import VECTORS, Tiling, carve, part_of, threads
from .winograd_values import APART, plane, transform, values_of

TILES = 128  # of a chunk, at most,
VALUES = 512 << 10  # elements of values and slopes of a chunk that stay in the caches


class Work(NamedTuple):
    """As in winograd.py."""

    image: int
    slopes: int
    gradient: int
    taps: int  # along an axis of a window,
    window: int  # and of all of it
    places: int  # of a transformed tile
    rows: int  # of a register tile
    c: int  # input channels of a group,
    m: int  # and outputs
    place: int  # elements from one place of the sums to the next,
    row: int  # from one row of places,
    wide: int  # and from one input to the next
    strips: np.ndarray  # for each thread
    windows: np.ndarray  # for each thread
    values: np.ndarray
    sloped: np.ndarray
    sums: np.ndarray  # [place, input, output]


VALUES_OF_A_CHUNK, PRODUCTS, WINDOWS = range(3)


def step(which, kernel, x, dy, dw, group, band, end, work, v, e, s, o, t):
    """One of these steps, in one function, which is compiled in less time than three; v and e are the Values
    of image and slopes, s and o their planes:

    VALUES_OF_A_CHUNK  those of the bands from `band` to `end`, block by block of channels
    PRODUCTS           of all their tiles, set or added to the sums by `kernel`; items are places and panels
                       of outputs
    WINDOWS            dw[m, c] += G^T sums G
    """
    inputs, outputs = (work.c + t.lanes - 1) // t.lanes, (work.m + t.lanes - 1) // t.lanes
    panels, tiles = work.wide // t.width, (end - band) * s.across
    for part in prange(len(work.strips)):
        strip, window = work.strips[part], work.windows[part]
        if which == VALUES_OF_A_CHUNK:
            first, last = part_of(part, len(work.strips), inputs + outputs)
            for block in range(first, min(last, inputs)):
                c = min(block * t.lanes, work.c - t.lanes)  # the last block may overlap the one before
                at = (group * work.c + c) * s.h * s.w
                transform(work.image, x, at, band, end, strip, work.values, c, v, s, t)
            for block in range(max(first, inputs), last):
                m = min((block - inputs) * t.lanes, work.m - t.lanes)
                at = (group * work.m + m) * o.h * o.w
                transform(work.slopes, dy, at, band, end, strip, work.sloped, m, e, o, t)
        elif which == PRODUCTS:
            first, last = part_of(part, len(work.strips), work.places * panels)
            for item in range(first, last):
                f, m = item // panels, item % panels * t.width
                right = address(work.sloped, f * e.place + m)
                for c in range(0, work.c, work.rows):
                    left = address(work.values, f * v.place + c)
                    to = address(work.sums, f * work.place + c * work.wide + m)
                    call(kernel, (tiles, left, right, e.tile, to, work.wide, 0, 0))
        else:
            first, last = part_of(part, len(work.strips), work.c)
            for c in range(first, last):
                source, to = address(work.sums, c * work.wide), address(window, 0)
                places = work.row, work.place, t.lanes
                strides = work.taps * work.wide, work.wide, t.lanes
                call(work.gradient, (work.wide // t.lanes, source, *places, to, *strides, 0, 0))
                for m in range(work.m):
                    at = ((group * work.m + m) * work.c + c) * work.window
                    for tap in range(work.window):
                        dw[at + tap] += window[tap * work.wide + m]


step = jit(step, parallel=True)


def gradient(device, t: Tiling, x, dy, dw, g) -> None:
    """kernels.convolution.conv_backward_weights on a CPU device."""
    parts, size, machine = threads(), device.dtype.itemsize, device.machine
    scheme = SCHEMES[g.kh]
    places, extent, out = scheme.places, scheme.extent, scheme.out
    s = plane(g.h, g.w, g.ph, g.pw, g.x_step, extent, out, g.oh, g.ow)
    o = plane(g.oh, g.ow, 0, 0, g.y_step, out, out, g.oh, g.ow)
    bands, rows, wide = g.n * s.down, best_rows(g.c, machine), -(-g.m // t.width) * t.width

    # Sums are read and written once for every chunk, values and slopes too if they leave the caches: small
    # chunks do not pay where sums are as many as these.
    tiles = max(VALUES // (places * (g.c + wide)), g.c * wide // (2 * (g.c + wide)))
    chunk = max(1, min(bands, min(TILES, tiles) // s.across))
    v, e = (values_of(scheme, chunk * s.across, channels) for channels in (g.c, wide))
    place = -(-g.c // rows) * rows * wide + APART
    strips, windows, values, sloped, sums = carve(
        device,
        (parts, (out * chunk + extent) * s.pitch * t.lanes),
        (parts, scheme.window * wide),
        (places * v.place,),
        (places * e.place,),
        (places * place,),
    )
    image, slopes, back = (sandwich(scheme, n, "set", size, machine) for n in ("image", "slopes", "gradient"))
    first, more = (tile(tuple(range(rows)), v.tile, VECTORS, how, size, machine) for how in ("set", "add"))
    arrays = strips, windows, values, sloped, sums
    geometry = scheme.taps, scheme.window, places, rows, g.c, g.m, place, extent * place, wide
    work = Work(image, slopes, back, *geometry, *arrays)
    for group in range(g.groups):
        for band in range(0, bands, chunk):
            end = min(bands, band + chunk)
            kernel = more if band else first
            for which in (VALUES_OF_A_CHUNK, PRODUCTS):
                step(which, kernel, x, dy, dw, group, band, end, work, v, e, s, o, t)
        step(WINDOWS, back, x, dy, dw, group, 0, bands, work, v, e, s, o, t)
