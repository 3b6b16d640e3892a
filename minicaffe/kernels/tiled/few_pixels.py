"""Forward of few pixels and many weights: one image of a deep layer, where the weights are most of the work.

All columns are gathered first, which is little; then the threads share the tiles of the weights, not the
pixels, so that one thread alone reads a weight, once and where it lies, for all pixels.  Packed ahead, all
weights would travel to memory and back for a handful of pixels.  Every output is the same sum as that of
convolution.forward, to the bit.
"""

from __future__ import annotations

from numba import prange

from ..cpu import jit
from ..micro.builder import address, call
from ..micro.columns import gather
from ..micro.tile import best_rows, tile_in_place
from .columns import columns, move_panel
from .panels import VECTORS, carve, last_vectors, part_of, store_edge, threads
from .planes import image_at, layout

BLOCK_BYTES = 256 << 10  # of weights that meet a panel together: they stay in the inner cache beside it


def fits(g) -> bool:
    """True where a call of geometry g (kernels.convolution.Conv) has more outputs than pixels."""
    return g.m > g.n * g.pixels


def gather_all(x, images, panels, move, cols, planes, g):
    """Every item is a panel of output pixels."""
    count = cols.start.size - 1
    for part in prange(len(images)):
        image = images[part]
        image[:] = 0
        held, pixels = -1, 0
        first, last = part_of(part, len(images), g.n * g.groups * count)
        for item in range(first, last):
            plane = item // count
            if plane != held:
                held, at = plane, plane // g.groups * g.x_step + plane % g.groups * g.c * planes.area
                pixels = image_at(planes, g.c, x, at, image)
            move_panel(move, cols, item % count, pixels, address(panels[item], 0))


def multiply(w, scale, bias, y, tiles, rows, panels, edges, cols, t, g):
    """Every item is a tile of weights; some of them meet every panel together, the last with the second of
    `tiles`."""
    count, k = cols.start.size - 1, cols.channels * cols.taps.size
    down, block = (g.m + rows - 1) // rows, max(1, BLOCK_BYTES // (k * rows * w.itemsize))
    for part in prange(len(edges)):
        edge = edges[part]
        first, last = part_of(part, len(edges), g.groups * down)
        for begin in range(first, last, block):
            for item in range(g.n * count):
                n, p = item // count, item % count
                for q in range(begin, min(begin + block, last)):
                    panel = address(panels[(n * g.groups + q // down) * count + p], 0)
                    # The last tile of a group begins where it ends with the group: what it has in common with
                    # the one before, both compute alike.
                    m = q // down * g.m + min(q % down * rows, g.m - rows)
                    at = n * g.y_step + m * cols.pixels + p * t.width
                    live = min(t.width, cols.pixels - p * t.width)
                    whole = live == t.width
                    to, step = (address(y, at), cols.pixels) if whole else (address(edge, 0), t.width)
                    follows = address(scale, m), address(bias, m)
                    call(
                        tiles[0] if whole else tiles[1],
                        (k, address(w, m * k), k, panel, t.width, to, step, *follows),
                    )
                    if not whole:
                        store_edge(edge, y, at, cols.pixels, rows, live, t.width, False)


gather_all = jit(gather_all, parallel=True)
multiply = jit(multiply, parallel=True)


def forward(device, t, x, w, scale, bias, y, finish, g) -> None:
    """conv_forward, where it fits, on a CPU device with tiling t; `finish` is that of the tiles."""
    parts, planes, itemsize = threads(), layout(g), device.dtype.itemsize
    cols, rows = columns(g, t.width, t.lanes), best_rows(g.m, device.machine)
    panels, images, edges = carve(
        device,
        (g.n * g.groups * (cols.start.size - 1), g.c * g.taps * t.width),
        (parts, 0 if planes.same else g.c * planes.size),
        (parts, rows * t.width),
    )
    gather_all(x, images, panels, gather(cols.lanes, itemsize, device.machine), cols, planes, g)
    tiles = tuple(
        tile_in_place(rows, vectors, finish, itemsize, device.machine)
        for vectors in (VECTORS, last_vectors(g.pixels, t))
    )
    multiply(w, scale, bias, y, tiles, rows, panels, edges, cols, t, g)
