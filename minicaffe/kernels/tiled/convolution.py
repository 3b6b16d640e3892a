"""Convolution over register tiles: three matrix products with an image's columns (see columns.py).

    forward            y (m, o)     = w (m, ct)     columns (ct, o)     panel gathered, read across
    gradient by data   columns      = w (m, ct)^T   dy (m, o)           panel added back into the image
    by weights         dw^T (ct, m) = columns       dy (m, o)^T         panel gathered, read along its rows

The weights are packed once per call; images and panels are dealt to the threads.  The gradient by weights is
summed in parts that follow from the geometry alone, and then over the parts, in order.  Whatever a result is
summed of, it is by one thread, so it does not depend on how many there are.

3x3 and 5x5 windows go by Winograd where that pays (choice.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numba import prange

from ..cpu import jit
from ..micro.builder import address, call
from ..micro.columns import gather, scatter
from ..micro.dealing import worker
from ..micro.tile import best_rows, tile
from . import depthwise, pointwise, winograd, winograd_weights
from .choice import choose
from .columns import Columns, columns, move_panel
from .forward import forward, pack_weights
from .panels import VECTORS, carve, last_vectors, pack, pack_panel, part_of, sums_apart, threads, tiling
from .planes import image_at, layout, put_image

PANEL_BYTES = 256 << 10  # columns gathered at a time for the gradient by weights: half an inner cache


class Work(NamedTuple):
    """What the loops of a call have beside its operands: addresses of micro-kernels, and arrays of the
    workspace."""

    tile: int
    narrow: int  # the tile of the last panel; by weights, the one for no more than a vector of outputs
    move: int  # micro.columns.gather or scatter
    rows: int  # of a tile
    shared: np.ndarray  # the packed weights; or of the gradient by weights, each part's sums
    images: np.ndarray  # each thread's image of sorted planes,
    panels: np.ndarray  # panel of columns,
    others: np.ndarray  # and panel of the other operand, or tile at an edge of the result


def backward_data(dy, dx, work, cols, planes, t, g):
    """Every item is one group of an image: its columns' gradient, panel by panel, added into the image's."""
    count, k, rows = cols.start.size - 1, cols.channels * cols.taps.size, work.rows
    tiles = (k + rows - 1) // rows
    for part in prange(len(work.panels)):
        packed, image, panel, slopes = work.shared, work.images[part], work.panels[part], work.others[part]
        first, last = part_of(part, len(work.panels), g.n * g.groups)
        for plane in range(first, last):
            n, group = plane // g.groups, plane % g.groups
            image[:] = 0
            for p in range(count):
                at = n * g.y_step + group * g.m * cols.pixels + p * t.width
                pack_panel(dy, at, 1, cols.pixels, cols.pixels - p * t.width, g.m, t.width, slopes, 0, t)
                tile = work.tile if p < count - 1 else work.narrow
                for i in range(tiles):
                    weights = address(packed, (group * tiles + i) * g.m * rows)
                    to = address(panel, min(i * rows, k - rows) * t.width)
                    call(tile, (g.m, weights, address(slopes, 0), t.width, to, t.width, 0, 0))
                move_panel(work.move, cols, p, address(image, 0), address(panel, 0))
            put_image(planes, g.c, image, dx, n * g.x_step + group * g.c * planes.area, g.add)


def backward_weights(x, dy, work, split, cols, planes, t, g):
    """Every item is a panel of output pixels: its columns times the pixels' slopes, added to the sums of the
    item's part, by `split` loops, each for some of the outputs."""
    count, k, rows = cols.start.size - 1, cols.channels * cols.taps.size, work.rows
    tiles, blocks = (k + rows - 1) // rows, (g.m + t.width - 1) // t.width
    for share in prange(len(work.shared) * split):
        part, me = share // split, worker()
        image, panel, slopes = work.images[me], work.panels[me], work.others[me]
        total = work.shared[part]
        low, high = part_of(share % split, split, blocks)
        image[:] = 0
        for row in range(g.groups * tiles * rows):
            total[(row * blocks + low) * t.width : (row * blocks + high) * t.width] = 0
        held, n, group, pixels = -1, 0, 0, 0
        first, last = part_of(part, len(work.shared), g.n * g.groups * count)
        for item in range(first, last):
            plane, p = item // count, item % count
            if plane != held:
                held, n, group = plane, plane // g.groups, plane % g.groups
                at = n * g.x_step + group * g.c * planes.area
                pixels = image_at(planes, g.c, x, at, image)
            move_panel(work.move, cols, p, pixels, address(panel, 0))
            live = min(cols.width, cols.pixels - p * cols.width)
            at = n * g.y_step + (group * g.m + low * t.width) * cols.pixels + p * cols.width
            pack(dy, at, cols.pixels, 1, min(g.m, high * t.width) - low * t.width, live, t.width, slopes, t)
            for b in range(low, high):
                tile = work.tile if g.m - b * t.width > t.lanes else work.narrow
                right = address(slopes, (b - low) * live * t.width)
                for i in range(tiles):
                    left = address(panel, i * rows * cols.width)
                    at = ((group * tiles + i) * rows * blocks + b) * t.width
                    call(tile, (live, left, right, t.width, address(total, at), blocks * t.width, 0, 0))


def add_sums(sums, dw, m, k, rows, width):
    """dw[m, k] += the parts' sums, which are stored (group, k rounded up to tiles, m rounded up to
    blocks)."""
    tall, wide = (k + rows - 1) // rows * rows, (m + width - 1) // width * width
    for row in prange(dw.size // k):
        group = row // m
        for i in range(k):
            at = (group * tall + i) * wide + row % m
            for part in range(len(sums)):
                dw[row * k + i] += sums[part, at]


backward_data = jit(backward_data, parallel=True)
backward_weights = jit(backward_weights, parallel=True)
add_sums = jit(add_sums, parallel=True)


class Cut(NamedTuple):
    """The gradient by weights: its columns, the height of its tiles, that of all of them, and the two tiles
    of Work."""

    cols: Columns
    rows: int
    tall: int
    tiles: list[int]


def finish(*, scaled: int, bias: int, relu: int) -> str:
    """How the tiles of forward end, see micro.tile."""
    return "_".join(["scale"] * scaled + ["bias"] * bias + ["relu"] * relu) or "set"


class Tiled:
    """The products of kernels.convolution for a CPU device: methods with the signatures of its kernels."""

    def __init__(self, device) -> None:
        self.device, self.machine = device, device.machine
        self.itemsize = device.dtype.itemsize
        self.t = tiling(device.dtype, device.machine)

    def by_winograd(self, way: str, g) -> bool:
        """Whether one of choice.WAYS goes by Winograd."""
        return choose(way, g, self.device.math, self.itemsize, self.t.lanes).winograd

    def forward(self, x, w, scale, bias, y, g) -> None:
        """conv_forward."""
        end = finish(scaled=g.scaled, bias=g.bias, relu=g.relu)
        if g.c == g.m == 1:
            depthwise.forward(self.device, x, w, scale, bias, y, end, g)
            return
        if self.by_winograd("forward", g):
            winograd.forward(self.device, self.t, x, w, scale, bias, y, g, end)
            return
        forward(self.device, self.t, x, (w,), scale, (bias,), (y,), (g.m,), (g.y_step,), end, g)

    def backward_data(self, dy, w, dx, g) -> None:
        """conv_backward_data."""
        if depthwise.fits_by_data(g):
            depthwise.backward_data(self.device, dy, w, dx, g)
            return
        if pointwise.fits(g):
            slopes, weights, outputs, steps = (dy,) * 3, (w,) * 3, (g.m, 0, 0), (g.y_step,) * 3
            pointwise.backward_data(self.device, self.t, slopes, weights, dx, outputs, steps, g)
            return
        t, k = self.t, g.c * g.taps
        if self.by_winograd("by data", g):
            winograd.backward_data(self.device, t, dy, w, dx, g)
            return
        rows = best_rows(k, self.machine)
        tall = -(-k // rows) * rows
        cols = columns(g, t.width, t.lanes)
        kernels = [self.upright(rows, "set", vectors) for vectors in (VECTORS, last_vectors(g.pixels, t))]
        weights = (g.groups * tall * g.m,)
        work = self.work(kernels, scatter, rows, cols, True, weights, tall * t.width, g.m * t.width)
        pack_weights(w, g.m, k, True, rows, work.shared, t)
        backward_data(dy, dx, work, cols, layout(g), t, g)

    def backward_weights(self, x, dy, dw, g) -> None:
        """conv_backward_weights."""
        if depthwise.fits_by_weights(g):
            depthwise.backward_weights(self.device, x, dy, dw, g)
            return
        if self.by_winograd("by weights", g):
            winograd_weights.gradient(self.device, self.t, x, dy, dw, g)
            return
        t, k, cut = self.t, g.c * g.taps, self.cut_weights(g)
        wide, panel = -(-g.m // t.width) * t.width, cut.cols.width
        parts = sums_apart(g.n * g.pixels, g.groups * cut.tall * wide * self.itemsize)
        sums = parts, g.groups * cut.tall * wide
        work = self.work(
            cut.tiles, gather, cut.rows, cut.cols, not layout(g).same, sums, cut.tall * panel, wide * panel
        )
        backward_weights(x, dy, work, -(-threads() // parts), cut.cols, layout(g), t, g)
        add_sums(work.shared, dw, g.m, k, cut.rows, t.width)

    def cut_weights(self, g) -> Cut:
        """How the columns are cut for the gradient by weights."""
        t, k = self.t, g.c * g.taps
        rows = best_rows(k, self.machine)
        most = max(1, PANEL_BYTES // (k * t.width * self.itemsize))
        panel = min(-(-g.pixels // t.width), most) * t.width
        along = tuple(m * panel for m in range(rows))
        tiles = [tile(along, 1, n, "add", self.itemsize, self.machine) for n in (VECTORS, 1)]
        return Cut(columns(g, panel, t.lanes), rows, -(-k // rows) * rows, tiles)

    def upright(self, rows: int, finish: str, vectors: int = VECTORS) -> int:
        """The address of a tile that reads packed weights."""
        return tile(tuple(range(rows)), rows, vectors, finish, self.itemsize, self.machine)

    def work(
        self,
        kernels: Sequence[int],
        move: Callable,
        rows: int,
        cols: Columns,
        copied: bool,
        shared: tuple[int, ...],
        panel: int,
        other: int,
    ) -> Work:
        """`copied`: images are not worked on where they are.  `shared` is a shape; `panel` and `other` are
        elements for each thread."""
        parts, image = threads(), cols.channels * cols.plane if copied else 0
        arrays = carve(self.device, shared, (parts, image), (parts, panel), (parts, other))
        return Work(*kernels, move(cols.lanes, self.itemsize, self.machine), rows, *arrays)
