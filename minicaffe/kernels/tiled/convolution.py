"""Convolution over register tiles: three matrix products with an image's columns (see columns.py).

    forward            y (m, o)     = w (m, ct)     columns (ct, o)     panel gathered, read across
    gradient by data   columns      = w (m, ct)^T   dy (m, o)           panel added back into the image
    by weights         dw^T (ct, m) = columns       dy (m, o)^T         panel gathered, read along its rows

The weights are packed once per call; images and panels are dealt to the threads.  The gradient by weights is
summed per thread and then over the threads, in order: a result depends on the number of threads and on
nothing else.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import prange

from ..cpu import jit
from ..micro.builder import address, call
from ..micro.columns import gather, scatter
from ..micro.tile import best_rows, tile
from .columns import columns, crop_image, image_at, move_panel
from .panels import VECTORS, carve, pack, pack_panel, part_of, store_edge, threads, tiling

PANEL_BYTES = 256 << 10  # columns gathered at a time for the gradient by weights: half an inner cache


def pack_weights(w, m, k, turned, rows, packed, t):
    """The tiles of each group's weights (m, k), or of their transpose, each (depth, rows)."""
    groups = w.size // (m * k)
    height, depth, minor, major = (k, m, 1, k) if turned else (m, k, k, 1)
    tiles = (height + rows - 1) // rows
    for q in prange(groups * tiles):
        first = q // tiles * m * k + q % tiles * rows * minor
        pack_panel(
            w, first, minor, major, height - q % tiles * rows, depth, rows, packed, q * depth * rows, t
        )


def forward(kernel, fetch, x, packed, bias, y, images, panels, edges, cols, t, g, rows):
    """Every item is a panel of output pixels: gather its columns, send all tiles of the weights past it."""
    count, tiles, k = cols.start.size - 1, (g.m + rows - 1) // rows, cols.channels * cols.taps.size
    for part in prange(len(panels)):
        image, panel, edge = images[part], panels[part], edges[part]
        image[:] = 0
        held = -1
        first, last = part_of(part, len(panels), g.n * g.groups * count)
        for item in range(first, last):
            plane, p = item // count, item % count
            pixels = image_at(cols, x, plane * cols.inputs, image, plane != held)
            held = plane
            move_panel(fetch, cols, p, pixels, address(panel, 0))
            live = min(t.width, cols.pixels - p * t.width)
            for i in range(tiles):
                q = plane % g.groups * tiles + i
                weights = address(packed, q * k * rows)
                constant = address(bias, plane % g.groups * g.m + i * rows)
                at = (plane * g.m + i * rows) * cols.pixels + p * t.width
                if live == t.width and (i + 1) * rows <= g.m:
                    call(
                        kernel,
                        (k, weights, address(panel, 0), t.width, address(y, at), cols.pixels, constant),
                    )
                else:
                    call(
                        kernel, (k, weights, address(panel, 0), t.width, address(edge, 0), t.width, constant)
                    )
                    store_edge(edge, y, at, cols.pixels, min(rows, g.m - i * rows), live, t.width, False)


def backward_data(kernel, spread, dy, packed, dx, images, panels, slopes, cols, t, g, rows):
    """Every item is one group of an image: its columns' gradient, panel by panel, added into the image's."""
    count, k = cols.start.size - 1, cols.channels * cols.taps.size
    tiles = (k + rows - 1) // rows
    for part in prange(len(panels)):
        image, panel, slope = images[part], panels[part], slopes[part]
        first, last = part_of(part, len(panels), g.n * g.groups)
        for plane in range(first, last):
            image[:] = 0
            for p in range(count):
                at = plane * g.m * cols.pixels + p * t.width
                pack_panel(dy, at, 1, cols.pixels, cols.pixels - p * t.width, g.m, t.width, slope, 0, t)
                for i in range(tiles):
                    weights = address(packed, (plane % g.groups * tiles + i) * g.m * rows)
                    to = address(panel, i * rows * t.width)
                    call(kernel, (g.m, weights, address(slope, 0), t.width, to, t.width, 0))
                move_panel(spread, cols, p, address(image, 0), address(panel, 0))
            crop_image(cols, image, dx, plane * cols.inputs)


def backward_weights(wide, narrow, fetch, x, dy, sums, images, panels, slopes, cols, t, g, rows):
    """Every item is a panel of output pixels: its columns times the pixels' slopes, added to the part's own
    sums."""
    count, k = cols.start.size - 1, cols.channels * cols.taps.size
    tiles, blocks = (k + rows - 1) // rows, (g.m + t.width - 1) // t.width
    for part in prange(len(panels)):
        image, panel, slope, total = images[part], panels[part], slopes[part], sums[part]
        image[:] = 0
        total[:] = 0
        held = -1
        first, last = part_of(part, len(panels), g.n * g.groups * count)
        for item in range(first, last):
            plane, p = item // count, item % count
            pixels = image_at(cols, x, plane * cols.inputs, image, plane != held)
            held = plane
            move_panel(fetch, cols, p, pixels, address(panel, 0))
            live = min(cols.width, cols.pixels - p * cols.width)
            pack(dy, plane * g.m * cols.pixels + p * cols.width, cols.pixels, 1, g.m, live, t.width, slope, t)
            for b in range(blocks):
                kernel = wide if g.m - b * t.width > t.lanes else narrow
                right = address(slope, b * live * t.width)
                for i in range(tiles):
                    left = address(panel, i * rows * cols.width)
                    at = ((plane % g.groups * tiles + i) * rows * blocks + b) * t.width
                    call(kernel, (live, left, right, t.width, address(total, at), blocks * t.width, 0))


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


pack_weights = jit(pack_weights, parallel=True)
forward = jit(forward, parallel=True)
backward_data = jit(backward_data, parallel=True)
backward_weights = jit(backward_weights, parallel=True)
add_sums = jit(add_sums, parallel=True)


def make_forward(device) -> Callable:
    """kernels.convolution.conv_forward for a CPU device."""
    dtype, machine = device.dtype, device.machine
    t, itemsize = tiling(dtype, machine), dtype.itemsize

    def conv_forward(x: np.ndarray, w: np.ndarray, bias: np.ndarray, y: np.ndarray, g) -> None:
        k, rows, parts = g.c * g.taps, best_rows(g.m, machine), threads()
        cols = columns(g, t.width, t.lanes)
        packed, images, panels, edges = carve(
            device,
            (g.groups * -(-g.m // rows) * k * rows,),
            (parts, g.c * cols.plane if cols.padded else 0),
            (parts, k * t.width),
            (parts, rows * t.width),
        )
        pack_weights(w, g.m, k, False, rows, packed, t)
        finish = "bias" if g.bias else "set"
        kernel = tile(tuple(range(rows)), rows, VECTORS, finish, itemsize, machine)
        forward(
            kernel,
            gather(cols.lanes, itemsize, machine),
            x,
            packed,
            bias,
            y,
            images,
            panels,
            edges,
            cols,
            t,
            g,
            rows,
        )

    return conv_forward


def make_backward_data(device) -> Callable:
    """kernels.convolution.conv_backward_data for a CPU device."""
    dtype, machine = device.dtype, device.machine
    t, itemsize = tiling(dtype, machine), dtype.itemsize

    def conv_backward_data(dy: np.ndarray, w: np.ndarray, dx: np.ndarray, g) -> None:
        k, parts = g.c * g.taps, threads()
        rows = best_rows(k, machine)
        tall = -(-k // rows) * rows
        cols = columns(g, t.width, t.lanes)
        packed, images, panels, slopes = carve(
            device,
            (g.groups * tall * g.m,),
            (parts, g.c * cols.plane),
            (parts, tall * t.width),
            (parts, g.m * t.width),
        )
        pack_weights(w, g.m, k, True, rows, packed, t)
        kernel = tile(tuple(range(rows)), rows, VECTORS, "set", itemsize, machine)
        backward_data(
            kernel,
            scatter(cols.lanes, itemsize, machine),
            dy,
            packed,
            dx,
            images,
            panels,
            slopes,
            cols,
            t,
            g,
            rows,
        )

    return conv_backward_data


def make_backward_weights(device) -> Callable:
    """kernels.convolution.conv_backward_weights for a CPU device."""
    dtype, machine = device.dtype, device.machine
    t, itemsize = tiling(dtype, machine), dtype.itemsize

    def conv_backward_weights(x: np.ndarray, dy: np.ndarray, dw: np.ndarray, g) -> None:
        k, parts = g.c * g.taps, threads()
        rows = best_rows(k, machine)
        tall, wide = -(-k // rows) * rows, -(-g.m // t.width) * t.width
        panel = max(1, min(-(-g.pixels // t.width), PANEL_BYTES // (k * t.width * itemsize))) * t.width
        cols = columns(g, panel, t.lanes)
        sums, images, panels, slopes = carve(
            device,
            (parts, g.groups * tall * wide),
            (parts, g.c * cols.plane if cols.padded else 0),
            (parts, tall * panel),
            (parts, wide * panel),
        )
        along = tuple(m * panel for m in range(rows))
        kernels = (tile(along, 1, vectors, "add", itemsize, machine) for vectors in (VECTORS, 1))
        fetch = gather(cols.lanes, itemsize, machine)
        backward_weights(*kernels, fetch, x, dy, sums, images, panels, slopes, cols, t, g, rows)
        add_sums(sums, dw, g.m, k, rows, t.width)

    return conv_backward_weights
