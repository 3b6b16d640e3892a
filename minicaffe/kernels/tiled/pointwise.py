"""The gradient by data of 1x1 windows, stride 1 and no padding: columns are the image itself.

One product for up to three convolutions of one blob, dx = sum of w_i^T dy_i: slopes and weights of all lie
one below the other, and tiles go straight to dx.
"""

from __future__ import annotations

from numba import prange

from ..cpu import jit
from ..micro.builder import address, call
from ..micro.tile import best_rows, tile
from .panels import VECTORS, carve, last_vectors, pack_panel, part_of, store_edge, threads


def stack_weights(weights, outputs, c, rows, packed, t):
    """The tiles of the transpose of all weights, one below the other along the depth: (outputs of all, c)."""
    depth = outputs[0] + outputs[1] + outputs[2]
    for q in prange((c + rows - 1) // rows):
        at = q * depth * rows
        for s in range(len(outputs)):
            if outputs[s]:
                pack_panel(weights[s], q * rows, 1, c, c - q * rows, outputs[s], rows, packed, at, t)
            at += outputs[s] * rows


def multiply(dys, dx, tiles, rows, packed, panels, edges, outputs, steps, pixels, t, g):
    """Every item is a panel of pixels; the first of the tiles writes to dx or adds to it, the others write to
    an edge: of a panel, and of a last panel."""
    inside, at_edge, at_end = tiles
    count, depth = (pixels + t.width - 1) // t.width, outputs[0] + outputs[1] + outputs[2]
    for part in prange(len(panels)):
        slopes, edge = panels[part], edges[part]
        first, last = part_of(part, len(panels), g.n * count)
        for item in range(first, last):
            n, start = item // count, item % count * t.width
            row = 0
            for s in range(len(outputs)):
                at = n * steps[s] + start
                left = pixels - start
                pack_panel(dys[s], at, 1, pixels, left, outputs[s], t.width, slopes, row * t.width, t)
                row += outputs[s]
            live = min(t.width, pixels - start)
            for c in range(0, g.c, rows):
                at = n * g.x_step + c * pixels + start
                weights = address(packed, c * depth)
                if live == t.width and c + rows <= g.c:
                    to = address(dx, at)
                    call(inside, (depth, weights, address(slopes, 0), t.width, to, pixels, 0, 0))
                else:
                    to = address(edge, 0)
                    kernel = at_edge if live == t.width else at_end
                    call(kernel, (depth, weights, address(slopes, 0), t.width, to, t.width, 0, 0))
                    store_edge(edge, dx, at, pixels, min(rows, g.c - c), live, t.width, g.add)


stack_weights = jit(stack_weights, parallel=True)
multiply = jit(multiply, parallel=True)


def fits(g) -> bool:
    """True where geometry g (kernels.convolution.Conv) is one of these."""
    same = (g.d, g.h, g.w) == (g.od, g.oh, g.ow) and not (g.pd or g.ph or g.pw)
    return same and g.groups == g.taps == g.sd == g.sh == g.sw == 1


def backward_data(device, t, dys, weights, dx, outputs, steps, g) -> None:
    """dx of three convolutions, some of them perhaps with no outputs, on a CPU device with tiling t.

    Of each are given slopes, weights, outputs, and elements from one image of dy to the next; g is one of
    them, for what they have in common.
    """
    parts, rows, depth = threads(), best_rows(g.c, device.machine), sum(outputs)
    kinds = ("add" if g.add else "set", VECTORS), ("set", VECTORS), ("set", last_vectors(g.pixels, t))
    tiles = tuple(
        tile(tuple(range(rows)), rows, vectors, finish, device.dtype.itemsize, device.machine)
        for finish, vectors in kinds
    )
    shapes = (-(-g.c // rows) * rows * depth,), (parts, depth * t.width), (parts, rows * t.width)
    packed, panels, edges = carve(device, *shapes)
    stack_weights(weights, outputs, g.c, rows, packed, t)
    multiply(dys, dx, tiles, rows, packed, panels, edges, outputs, steps, g.pixels, t, g)
