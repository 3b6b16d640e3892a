"""Correlation of 3x3 windows by Winograd's F(4x4, 3x3), see micro/winograd.py: 36 products where there were 144.

    values     V[f, tile, c]   image -> strips of `lanes` channels, pixel by pixel -> B^T d B
    weights    U[f, c, m]      G g G^T, once per call
    products   V[f] U[f]       36 matrix products over register tiles
    sums       A^T .. A        -> what follows the sum -> a strip, turned into rows of the output

Tiles are taken by bands, four rows of outputs, and bands by chunks whose values and products stay in the inner
cache.  The gradient by data is the same correlation, of dy with turned weights.  The gradient by weights is

    dg = G^T [ sum over tiles of (B^T d B) (A dy A^T) ] G

with chunks cut by the geometry alone, and each sum made by one thread: so no result depends on how many there
are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from ..cpu import jit
from ..micro.builder import address, call
from ..micro.tile import best_rows, tile
from ..micro.winograd import IN, OUT, TAPS, sandwich
from .columns import add_elements, copy_elements
from .panels import VECTORS, carve, part_of, threads, tiling

PLACES = IN * IN  # of a transformed tile
CHUNK_BYTES = 1 << 20  # values of a chunk of tiles
GROUP = 4  # panels of outputs whose products are kept at a time
MOST_TILES = 96  # of a chunk
GRADIENT_TILES = 256  # of a chunk for the gradient by weights


class Grid(NamedTuple):
    """One correlation, cut into tiles; extents in pixels."""

    n: int
    groups: int
    c: int  # channels per group that are read,
    m: int  # and written
    h: int  # of the image that is read
    w: int
    oh: int
    ow: int
    top: int  # padding of it; below 0: so much is cut off
    left: int
    step: int  # elements from one image to the next
    out_step: int
    add: int
    down: int  # bands of an image
    across: int  # tiles of a band


def grid(g, backward: bool = False) -> Grid:
    """That of a kernels.convolution.Conv, forward or for its gradient by data."""
    if backward:
        shape = g.m, g.c, g.oh, g.ow, g.h, g.w, TAPS - 1 - g.ph, TAPS - 1 - g.pw, g.y_step, g.x_step, g.add
    else:
        shape = g.c, g.m, g.h, g.w, g.oh, g.ow, g.ph, g.pw, g.x_step, g.y_step, 0
    return Grid(g.n, g.groups, *shape, -(-shape[4] // OUT), -(-shape[5] // OUT))


class Strip(NamedTuple):
    """An image as blocks of channels see it: extents, padding and the elements of a row of the strip."""

    h: int
    w: int
    top: int
    left: int
    pitch: int


@jit
def fill_strip(x, at, first, count, strip, s, t):
    """strip[row, column, lane] = rows `first` to `first + count` of the padded planes that begin at x[at]."""
    plane, row = s.h * s.w, s.pitch * t.lanes
    left, skip = max(0, s.left), max(0, -s.left)
    live = min(s.w - skip, s.pitch - left)
    for r in range(count):
        source, to = first + r - s.top, r * row
        if source < 0 or source >= s.h:
            strip[to : to + row] = 0
            continue
        # What sticks out of one row is written over by the next.
        strip[to : to + left * t.lanes] = 0
        for w in range(0, live, t.lanes):
            pixels = address(x, at + source * s.w + skip + w)
            call(t.turn, (pixels, plane, address(strip, to + (left + w) * t.lanes), t.lanes))
        strip[to + (left + live) * t.lanes : to + row] = 0


@jit
def transform_bands(x, start, step, band, end, down, across, height, kernel, strip, out, at, tile, place, s, t):
    """The transforms of the tiles of bands `band` to `end` of a block of channels that begins at x[start] in
    the first image, put behind out[at]; they are `tile` apart, and their places `place`."""
    while band < end:
        n, a = band // down, band % down
        bands = min(end - band, down - a)
        fill_strip(x, start + n * step, OUT * a, OUT * (bands - 1) + height, strip, s, t)
        row = s.pitch * t.lanes
        for b in range(bands):
            source = address(strip, OUT * b * row)
            to = address(out, at)
            call(
                kernel,
                (across, source, row, t.lanes, OUT * t.lanes, to, IN * place, place, tile, 0, 0),
            )
            at += across * tile
        band += bands


class Work(NamedTuple):
    """How a correlation is cut, its micro-kernels, and its arrays of the workspace."""

    image: int  # addresses
    tile: int
    sums: int
    rows: int  # of a register tile
    bands: int  # of a chunk
    chunks: int  # of a group
    spans: int  # parts of the outputs that are items of their own
    group: int  # panels of outputs at a time
    tile_v: int  # elements of the values from one tile to the next,
    place_v: int  # and from one place to the next
    tile_p: int  # the same of products
    place_p: int
    place_u: int  # of weights
    weights: np.ndarray
    strips: np.ndarray
    transformed: np.ndarray
    multiplied: np.ndarray
    turned: np.ndarray


def transform_weights(w, m, c, outer, inner, turned, kernel, weights, taps, place, t):
    """weights[panel][place][c][width]: panels of m outputs, zeros behind the last; output i and input k lie at
    i * outer + k * inner."""
    panels = (m + t.width - 1) // t.width
    for part in prange(len(taps)):
        own = taps[part]
        first, last = part_of(part, len(taps), len(weights))
        for q in range(first, last):
            base = q // panels * m * c * TAPS * TAPS + q % panels * t.width * outer
            live = min(t.width, m - q % panels * t.width)
            own[:] = 0
            for k in range(c):
                for i in range(live):
                    at = base + i * outer + k * inner
                    for tap in range(TAPS * TAPS):
                        own[tap * t.width + i] = w[at + (TAPS * TAPS - 1 - tap if turned else tap)]
                source, to = address(own, 0), address(weights[q], k * t.width)
                strides = IN * place, place, t.lanes
                call(kernel, (VECTORS, source, TAPS * t.width, t.width, t.lanes, to, *strides, 0, 0))


def correlate(x, scale, bias, y, work, s, g, t):
    """Every item is a chunk of tiles and a span of outputs."""
    panels, total = (g.m + t.width - 1) // t.width, g.n * g.down
    for part in prange(len(work.strips)):
        strip, values, products = work.strips[part], work.transformed[part], work.multiplied[part]
        turned, held = work.turned[part], -1
        first, last = part_of(part, len(work.strips), g.groups * work.chunks * work.spans)
        for item in range(first, last):
            chunk = item // work.spans
            group, band = chunk // work.chunks, chunk % work.chunks * work.bands
            end = min(total, band + work.bands)
            if chunk != held:
                held = chunk
                for c in range(0, g.c, t.lanes):
                    c = min(c, g.c - t.lanes)  # the last block may overlap the one before
                    transform_bands(
                        x, (group * g.c + c) * g.h * g.w, g.step, band, end, g.down, g.across, IN,
                        work.image, strip, values, c, work.tile_v, work.place_v, s, t,
                    )  # fmt: skip
            panel, past = part_of(item % work.spans, work.spans, panels)
            while panel < past:
                count = min(work.group, past - panel)
                multiply(group * panels + panel, count, (end - band) * g.across, values, products, work, g, t)
                put(products, scale, bias, y, group, panel, count, band, end, strip, turned, work, g, t)
                panel += count


@jit
def multiply(panel, count, tiles, values, products, work, g, t):
    """The 36 products of some tiles' values with `count` panels of weights."""
    for f in range(PLACES):
        for q in range(count):
            weights = address(work.weights[panel + q], f * work.place_u)
            for i in range(0, tiles, work.rows):
                left = address(values, f * work.place_v + i * work.tile_v)
                to = address(products, f * work.place_p + i * work.tile_p + q * t.width)
                call(work.tile, (g.c, left, weights, t.width, to, work.tile_p, 0, 0))


@jit
def put(products, scale, bias, y, group, panel, count, band, end, strip, turned, work, g, t):
    """The outputs of some bands out of their products with some panels of weights."""
    area = g.oh * g.ow
    pitch = turned.size // t.lanes
    for v in range(count * VECTORS):
        m = panel * t.width + v * t.lanes
        live = min(t.lanes, g.m - m)
        m += group * g.m
        for b in range(band, end if live > 0 else band):
            n, a = b // g.down, b % g.down
            # From the last tile to the first, since what sticks out at the right begins the next row.
            source = address(products, ((b - band + 1) * g.across - 1) * work.tile_p + v * t.lanes)
            to = address(strip, (g.across - 1) * OUT * t.lanes)
            strides = g.ow * t.lanes, t.lanes, -OUT * t.lanes
            follows = address(scale, m), address(bias, m)
            call(work.sums, (g.across, source, IN * work.place_p, work.place_p, -work.tile_p, to, *strides, *follows))
            pixels = min(OUT, g.oh - OUT * a) * g.ow
            for i in range(0, pixels, t.lanes):
                call(t.turn, (address(strip, i * t.lanes), t.lanes, address(turned, i), pitch))
            at = n * g.out_step + m * area + OUT * a * g.ow
            for i in range(live):
                if g.add:
                    add_elements(turned, i * pitch, y, at + i * area, pixels)
                else:
                    copy_elements(turned, i * pitch, y, at + i * area, pixels)


transform_weights = jit(transform_weights, parallel=True)
correlate = jit(correlate, parallel=True)


class Winograd:
    def __init__(self, device):
        self.device, self.machine = device, device.machine
        self.itemsize = device.dtype.itemsize
        self.t = tiling(device.dtype, device.machine)

    def forward(self, x, w, scale, bias, y, g):
        from .convolution import finish
        self.correlate(grid(g), x, w, scale, bias, y, (g.c * 9, 9), False, finish(scaled=g.scaled, bias=g.bias, relu=g.relu))

    def backward_data(self, dy, w, dx, g):
        self.correlate(grid(g, True), dy, w, w, w, dx, (9, g.c * 9), True, "set")

    def correlate(self, g, x, w, scale, bias, y, strides, turned, finish):
        t, parts = self.t, threads()
        panels, total = -(-g.m // t.width), g.n * g.down
        pad = lambda n: -(-n // t.lanes) * t.lanes
        vt = pad(g.c) + 16
        # chunk
        bands = max(1, min(MOST_TILES // g.across, CHUNK_BYTES // (PLACES * vt * 4 * g.across), total))
        chunks = -(-total // bands)
        if chunks * g.groups < 4 * parts:
            chunks = min(total, -(-chunks // parts) * parts)
            bands = -(-total // chunks)
            chunks = -(-total // bands)
        spans = min(panels, -(-parts // (chunks*g.groups))) if chunks*g.groups < parts else 1
        tiles = bands * g.across
        rows = best_rows(tiles, self.machine)
        tall = -(-tiles // rows) * rows
        group = min(GROUP, panels)
        vals = (vt, tall * vt + 16)
        prods = (group * t.width, tall * group * t.width + 16)
        place = g.c * t.width + 16
        s = Strip(g.h, g.w, g.top, g.left, g.across * OUT + 2)
        strip = max((OUT * bands + 2) * s.pitch, OUT * pad(g.ow)+64) * t.lanes
        turnedb = (pad(OUT * g.ow) + t.lanes) * t.lanes
        wts, taps, strips, tr, mu, tu = carve(self.device, (g.groups * panels, PLACES * place), (parts, 9 * t.width), (parts, strip),
            (parts, PLACES * vals[1]), (parts, PLACES * prods[1]), (parts, turnedb))
        tu = tu[:, :turnedb]
        k = lambda n, f="set": sandwich(n, f, self.itemsize, self.machine)
        transform_weights(w, g.m, g.c, *strides, turned, k("weights"), wts, taps, place, t)
        mk = tile(tuple(i * vt for i in range(rows)), 1, VECTORS, "set", self.itemsize, self.machine)
        work = Work(k("image"), mk, k("sums", finish), rows, bands, chunks, spans, group, *vals, *prods, place, wts, strips, tr, mu, tu)
        correlate(x, scale, bias, y, work, s, g, t)
