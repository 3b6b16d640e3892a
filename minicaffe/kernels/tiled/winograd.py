"""Correlation with 3x3 or 5x5 windows by Winograd's F(4x4, 3x3) or F(4x4, 5x5), see micro/winograd.py: 36
products instead of 144, or 64 instead of 400.

    image -> strips: `lanes` channels, pixel by pixel -> values V[place, tile, c] = B^T d B
    weights -> U[place, c, m] = G g G^T, once per call
    products = V[place] U[place], for each of 36 or 64 places, over register tiles
    A^T products A -> what follows the sum -> a strip -> rows of the output

Tiles are taken by bands, which are four rows of outputs, and bands by chunks, whose values and products stay
in the inner cache.  The gradient by data is the same correlation, of dy with turned weights.  For that by
weights see winograd_weights.py.

Panels, chunks and threads decide who computes what and when, but every output is one sum over the channels in
their order: its bits depend on none of them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from ..cpu import jit
from ..micro.builder import address, call
from ..micro.machine import Machine
from ..micro.tile import best_rows, tile
from ..micro.winograd import SCHEMES, Scheme, sandwich
from .panels import VECTORS, Tiling, carve, part_of, threads
from .planes import move
from .winograd_values import APART, Plane, Values, plane, transform, values_of

TILES = 56  # of a chunk, at most, if it has more than one band


class Weights(NamedTuple):
    """Transformed weights, [place, input, output] of a panel of outputs, and what they are made of."""

    place: int  # elements from one place to the next,
    row: int  # and from one row of places
    taps: int  # along an axis of a window,
    window: int  # and of all of it
    kernel: int
    outer: int  # elements from one output's window to the next, in w,
    inner: int  # and from one input's
    turned: bool  # windows are read from the last tap to the first


class Work(NamedTuple):
    """What the loops of a call have beside its operands: micro-kernels, how the work is cut, and arrays of
    the workspace, most of them one for each thread."""

    image: int  # addresses
    tile: int
    sums: int
    places: int  # of a transformed tile
    rows: int  # of a register tile
    groups: int
    c: int  # channels of a group that are read,
    m: int  # and written
    add: int  # whether to what is there
    bands: int  # of all images,
    chunk: int  # and of a chunk
    spans: int  # parts of a chunk's outputs
    windows: np.ndarray
    weights: np.ndarray  # for each panel of each group; or if there is one chunk, for each thread
    strips: np.ndarray
    values: np.ndarray
    products: np.ndarray
    lines: np.ndarray  # [lane, pixel] of a band of outputs


@jit
def transform_panel(w, panel, work, u, window, weights, t):
    """One panel of outputs, counted through the groups."""
    panels, step = (work.m + t.width - 1) // t.width, -t.width if u.turned else t.width
    group, m = panel // panels, panel % panels * t.width
    window[:] = 0
    for k in range(work.c):
        at = group * work.m * work.c * u.window + m * u.outer + k * u.inner
        for i in range(0, min(t.width, work.m - m), t.lanes):
            gather_windows(w, at + i * u.outer, u.outer, work.m - m - i, u.window, window, i, t)
        source, to = (
            address(window, (u.window - 1) * t.width if u.turned else 0),
            address(weights, k * t.width),
        )
        places = u.row, u.place, t.lanes
        call(u.kernel, (VECTORS, source, u.taps * step, step, t.lanes, to, *places, 0, 0))


@jit
def gather_windows(w, at, outer, live, taps, window, lane, t):
    """window[tap, lane:] = the windows at w[at], w[at + outer] and so on."""
    if live >= t.lanes:
        for tap in range(0, taps, t.lanes):  # and more than there are, which nobody reads
            to = address(window, tap * t.width + lane)
            call(t.turn, (address(w, at + tap), outer, to, t.width))
    else:
        for i in range(live):
            for tap in range(taps):
                window[tap * t.width + lane + i] = w[at + i * outer + tap]


def correlate(x, w, scale, bias, y, prepare, work, u, v, p, s, o, t):
    """Every item is a chunk of tiles and a span of outputs; v and p are the Values of the image and of
    products, s and o the Plane of the image and of the output.

    With `prepare` all weights are transformed, and nothing else is done: one function is compiled in less
    time than two.  If there is one chunk, each panel of weights is transformed next to where it is used."""
    panels, chunks = (work.m + t.width - 1) // t.width, (work.bands + work.chunk - 1) // work.chunk
    for part in prange(len(work.strips)):
        held = -1
        first, last = part_of(part, len(work.strips), len(work.weights) if prepare else 0)
        for panel in range(first, last):
            transform_panel(w, panel, work, u, work.windows[part], work.weights[panel], t)
        first, last = part_of(part, len(work.strips), 0 if prepare else work.groups * chunks * work.spans)
        for item in range(first, last):
            chunk = item // work.spans
            group, band = chunk // chunks, chunk % chunks * work.chunk
            end = min(work.bands, band + work.chunk)
            if chunk != held:
                held = chunk
                for block in range(0, work.c, t.lanes):
                    c = min(block, work.c - t.lanes)  # the last block may overlap the one before
                    at = (group * work.c + c) * s.h * s.w
                    strip, values = work.strips[part], work.values[part]
                    transform(work.image, x, at, band, end, strip, values, c, v, s, t)
            low, high = part_of(item % work.spans, work.spans, panels)
            for panel in range(low, high):
                weights = panel_of(w, part, group * panels + panel, chunks > 1, work, u, t)
                multiply(part, work, weights, (end - band) * s.across, u, v, p, t)
                for lane in range(0, min(t.width, work.m - panel * t.width), t.lanes):
                    m = panel * t.width + lane
                    live, m = min(t.lanes, work.m - m), group * work.m + m
                    put(part, work, lane, scale, bias, y, m, live, band, end, p, o, t)


@jit
def panel_of(w, part, panel, ready, work, u, t):
    """The transformed weights of one panel: made before, or made now."""
    if ready:
        return work.weights[panel]
    transform_panel(w, panel, work, u, work.windows[part], work.weights[part], t)
    return work.weights[part]


@jit
def multiply(part, work, weights, tiles, u, v, p, t):
    """All products of some tiles with one panel of weights."""
    values, products = work.values[part], work.products[part]
    for f in range(work.places):
        right = address(weights, f * u.place)
        for i in range(0, tiles, work.rows):
            left, to = address(values, f * v.place + i * v.tile), address(products, f * p.place + i * p.tile)
            call(work.tile, (work.c, left, right, t.width, to, p.tile, 0, 0))


@jit
def put(part, work, lane, scale, bias, y, m, live, band, end, p, o, t):
    """The outputs m to m + live of some bands, whose products lie from `lane` on."""
    products, strip, lines = work.products[part], work.strips[part], work.lines[part]
    pitch, area = lines.size // t.lanes, o.h * o.w
    for b in range(band, end):
        # From the last tile to the first: what sticks out at the right is where the next row begins.
        source = address(products, ((b - band + 1) * o.across - 1) * p.tile + lane)
        to = address(strip, (o.across - 1) * o.out * t.lanes)
        strides = p.row, p.place, -p.tile, to, o.w * t.lanes, t.lanes, -o.out * t.lanes
        call(work.sums, (o.across, source, *strides, address(scale, m), address(bias, m)))
        n, a = b // o.down, b % o.down
        pixels = min(o.out, o.h - o.out * a) * o.w
        for i in range(0, pixels, t.lanes):
            call(t.turn, (address(strip, i * t.lanes), t.lanes, address(lines, i), pitch))
        at = n * o.step + m * area + o.out * a * o.w
        for i in range(live):
            source, target = lines[i * pitch : i * pitch + pixels], y[at + i * area : at + i * area + pixels]
            move(source, target, work.add)


correlate = jit(correlate, parallel=True)


def forward(device, t: Tiling, x, w, scale, bias, y, g, finish: str) -> None:
    """kernels.convolution.conv_forward on a CPU device; `finish` as in micro.tile."""
    scheme = SCHEMES[g.kh]
    s = plane(g.h, g.w, g.ph, g.pw, g.x_step, scheme.extent, scheme.out, g.oh, g.ow)
    o = s._replace(h=g.oh, w=g.ow, step=g.y_step)
    _correlate(device, scheme, t, x, w, scale, bias, y, g, g.c, g.m, s, o, finish)


def backward_data(device, t: Tiling, dy, w, dx, g) -> None:
    """kernels.convolution.conv_backward_data on a CPU device."""
    scheme = SCHEMES[g.kh]
    top, left = g.kh - 1 - g.ph, g.kw - 1 - g.pw
    s = plane(g.oh, g.ow, top, left, g.y_step, scheme.extent, scheme.out, g.h, g.w)
    o = s._replace(h=g.h, w=g.w, step=g.x_step)
    _correlate(device, scheme, t, dy, w, w, w, dx, g, g.m, g.c, s, o, "")


def best_chunk(across: int, machine: Machine) -> int:
    """The bands of a chunk, of so many tiles each: at least half of TILES, which register tiles cover in the
    least time."""

    def price(bands: int) -> tuple[float, int]:
        tiles = bands * across
        rows = best_rows(tiles, machine)
        return -(-tiles // rows) * (rows + 1) / tiles, -bands

    most = max(1, TILES // across)
    return min(range((most + 1) // 2, most + 1), key=price)


def _correlate(
    device, scheme: Scheme, t, x, w, scale, bias, y, g, c: int, m: int, s: Plane, o: Plane, finish: str
) -> None:
    """Backward if `finish` is empty."""
    parts, panels, bands = threads(), -(-m // t.width), g.n * s.down
    chunk = best_chunk(s.across, device.machine)
    chunk = bands if bands * s.across <= TILES else min(chunk, -(-bands * g.groups // parts))
    chunks = -(-bands // chunk)
    spans = min(panels, -(-parts // (chunks * g.groups)))
    rows = best_rows(chunk * s.across, device.machine)
    tiles = -(-chunk * s.across // rows) * rows
    places, window, v = scheme.places, scheme.window, values_of(scheme, tiles, c)
    p = Values(t.width, tiles * t.width + APART, scheme.extent * (tiles * t.width + APART))
    pixels = -(-scheme.out * o.w // t.lanes) * t.lanes
    image, packed, sums = (
        sandwich(scheme, name, end, device.dtype.itemsize, device.machine)
        for name, end in (("image", "set"), ("weights", "set"), ("sums", finish or "set"))
    )
    strides = (g.c * window, window) if finish else (window, g.c * window)
    each = c * t.width + APART
    u = Weights(each, scheme.extent * each, scheme.taps, window, packed, *strides, not finish)
    *arrays, lines = carve(
        device,
        (parts, -(-window // t.lanes) * t.lanes * t.width),
        (parts if chunks == 1 else g.groups * panels, places * u.place),
        (parts, max((scheme.out * chunk + scheme.extent) * s.pitch, pixels + scheme.out) * t.lanes),
        (parts, places * v.place),
        (parts, places * p.place),
        (parts, (pixels + t.lanes) * t.lanes),
    )
    lines = lines[:, : (pixels + t.lanes) * t.lanes]
    along = tuple(i * v.tile for i in range(rows))
    multiply = tile(along, 1, VECTORS, "set", device.dtype.itemsize, device.machine)
    add = 0 if finish else g.add
    kernels = image, multiply, sums
    work = Work(*kernels, places, rows, g.groups, c, m, add, bands, chunk, spans, *arrays, lines)
    for prepare in (True, False)[int(chunks == 1) :]:
        correlate(x, w, scale, bias, y, prepare, work, u, v, p, s, o, t)
