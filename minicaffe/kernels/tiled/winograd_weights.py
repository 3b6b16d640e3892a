"""The gradient by the weights of 3x3 windows by Winograd's F(4x4, 3x3), see winograd.py:

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
from ..micro.dealing import worker
from ..micro.tile import best_rows, tile
from ..micro.winograd import IN, OUT, sandwich
from .panels import VECTORS, Tiling, carve, threads
from .winograd import APART, PLACES, WINDOW, Values, plane, transform

TILES = 128  # of a chunk: their values and slopes stay in the caches


class Work(NamedTuple):
    """As in winograd.py; `first` and `more` are the tiles that begin sums and add to them."""

    image: int
    slopes: int
    first: int
    more: int
    gradient: int
    rows: int  # of a register tile
    c: int  # input channels of a group,
    m: int  # and outputs
    place: int  # elements from one place of the sums to the next,
    wide: int  # and from one input to the next
    strips: np.ndarray  # for each thread
    windows: np.ndarray  # for each thread
    values: np.ndarray
    sloped: np.ndarray
    sums: np.ndarray  # [place, input, output]


def transform_both(x, dy, work, group, band, end, v, e, s, o, t):
    """The tiles of some bands; v and e are the Values of image and slopes, s and o their planes.  Every item
    is a block of channels."""
    inputs, outputs = (work.c + t.lanes - 1) // t.lanes, (work.m + t.lanes - 1) // t.lanes
    for block in prange(inputs + outputs):
        strip = work.strips[worker()]
        if block < inputs:
            c = min(block * t.lanes, work.c - t.lanes)
            at = (group * work.c + c) * s.h * s.w
            transform(work.image, x, at, band, end, strip, work.values, c, v, s, t)
        else:
            m = min((block - inputs) * t.lanes, work.m - t.lanes)
            at = (group * work.m + m) * o.h * o.w
            transform(work.slopes, dy, at, band, end, strip, work.sloped, m, e, o, t)


def add_all_products(work, band, end, v, e, s, t):
    """Every item is a place and a panel of outputs."""
    panels = work.wide // t.width
    for item in prange(PLACES * panels):
        add_products(work, item // panels, item % panels * t.width, band, end, v, e, s, t)


def add_all_windows(work, dw, group, t):
    """Every item is an input."""
    for c in prange(work.c):
        add_windows(work, work.windows[worker()], dw, group, c, t)


@jit
def add_products(work, f, m, band, end, v, e, s, t):
    """The products of a chunk, at place f, for a panel of outputs from m on."""
    multiply = work.more if band else work.first
    right = address(work.sloped, f * e.place + m)
    for c in range(0, work.c, work.rows):
        left = address(work.values, f * v.place + c)
        to = address(work.sums, f * work.place + c * work.wide + m)
        call(multiply, ((end - band) * s.across, left, right, e.tile, to, work.wide, 0, 0))


@jit
def add_windows(work, window, dw, group, c, t):
    """dw[:, c] += G^T sums G."""
    source, to = address(work.sums, c * work.wide), address(window, 0)
    places = IN * work.place, work.place, t.lanes
    strides = 3 * work.wide, work.wide, t.lanes
    call(work.gradient, (work.wide // t.lanes, source, *places, to, *strides, 0, 0))
    for m in range(work.m):
        at = ((group * work.m + m) * work.c + c) * WINDOW
        for tap in range(WINDOW):
            dw[at + tap] += window[tap * work.wide + m]


transform_both = jit(transform_both, parallel=True)
add_all_products = jit(add_all_products, parallel=True)
add_all_windows = jit(add_all_windows, parallel=True)


def gradient(device, t: Tiling, x, dy, dw, g) -> None:
    """kernels.convolution.conv_backward_weights on a CPU device."""
    parts, size, machine = threads(), device.dtype.itemsize, device.machine
    s = plane(g.h, g.w, g.ph, g.pw, g.x_step, IN, g.oh, g.ow)
    o = plane(g.oh, g.ow, 0, 0, g.y_step, OUT, g.oh, g.ow)
    bands, rows, wide = g.n * s.down, best_rows(g.c, machine), -(-g.m // t.width) * t.width

    chunk = max(1, min(bands, TILES // s.across))
    v, e = Values.of(chunk * s.across, g.c), Values.of(chunk * s.across, wide)
    place = -(-g.c // rows) * rows * wide + APART
    strips, windows, values, sloped, sums = carve(
        device,
        (parts, (OUT * chunk + IN) * s.pitch * t.lanes),
        (parts, WINDOW * wide),
        (PLACES * v.place,),
        (PLACES * e.place,),
        (PLACES * place,),
    )
    image, slopes, back = (sandwich(n, "set", size, machine) for n in ("image", "slopes", "gradient"))
    first, more = (tile(tuple(range(rows)), v.tile, VECTORS, how, size, machine) for how in ("set", "add"))
    work = Work(
        *(image, slopes, first, more, back, rows, g.c, g.m, place, wide),
        *(strips, windows, values, sloped, sums),
    )
    for group in range(g.groups):
        for band in range(0, bands, chunk):
            end = min(bands, band + chunk)
            transform_both(x, dy, work, group, band, end, v, e, s, o, t)
            add_all_products(work, band, end, v, e, s, t)
        add_all_windows(work, dw, group, t)
