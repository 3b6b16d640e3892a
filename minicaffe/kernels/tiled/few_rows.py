"""Products of few rows, c (m, n) = op(a) op(b) with m no more than a tile is wide.

b is most of the memory that is touched, and not worth packing for so few uses: it is read once, as it lies.
Each thread takes some columns of c, and:

    b (n, k)    some rows of b, as a tile reads them in place, times a^T, which is packed; the tile is turned
    b (k, n)    some columns of a few rows of b at a time, so that each row is read on for a while
"""

from __future__ import annotations

from collections.abc import Callable

from numba import prange

from ..cpu import jit
from ..micro.builder import address, call
from ..micro.tile import best_rows, tile, tile_in_place
from .panels import VECTORS, carve, pack, pack_panel, part_of, store_edge, threads

PACKED_BYTES = 512 << 10  # of a, if it fills several tiles: they stay in the inner cache
DEPTH = 32  # rows of b, and
COLUMNS = 1536  # columns of them, at a time: so many streams, and pages, a processor keeps in mind


def multiply_row(a, b, c, n, k, add, parts):
    """One row, b (n, k): a product of vectors for each element."""
    for part in prange(parts):
        first, last = part_of(part, parts, n)
        for j in range(first, last):
            total, column = a.dtype.type(0), b[j * k : (j + 1) * k]
            for p in range(k):
                total += a[p] * column[p]
            c[j] = c[j] + total if add else total


def multiply_transposed(kernel, rows, width, a, b, c, m, n, k, a_row, a_k, add, panels, edges, t):
    """b (n, k); every item is a tile of its rows."""
    high = (rows + t.lanes - 1) // t.lanes * t.lanes  # of the squares that turn a tile
    for part in prange(len(panels)):
        packed, edge = panels[part], edges[part]
        first, last = part_of(part, len(panels), (n + rows - 1) // rows)
        if first < last:
            pack(a, 0, a_row, a_k, m, k, width, packed, t)
        for q in range(first, last):
            j = min(q * rows, n - rows)  # the last tile overlaps the one before
            # Squares stick out over the next tile, which is written after them.
            turned = not add and j + high <= min(n, last * rows)
            for start in range(0, m, width):
                right, live, done = address(packed, start * k), min(width, m - start), 0
                call(kernel, (k, address(b, j * k), k, right, width, address(edge, 0), width, 0, 0))
                while turned and done + t.lanes <= live:
                    for r in range(0, rows, t.lanes):
                        to = address(c, (start + done) * n + j + r)
                        call(t.turn, (address(edge, r * width + done), width, to, n))
                    done += t.lanes
                for i in range(done, live):
                    for r in range(q * rows - j, rows):
                        value, at = edge[r * width + i], (start + i) * n + j + r
                        c[at] = c[at] + value if add else value


def multiply(put, plus, rows, most, a, b, c, m, n, k, a_row, a_k, add, packed, edges, t):
    """b (k, n); every item is a tile's width of its columns."""
    for part in prange(len(packed)):
        own, ragged, edge = packed[part], edges[part], edges[part][most * t.width :]
        first, last = part_of(part, len(packed), (n + t.width - 1) // t.width)
        if first < last:
            pack(a, 0, a_row, a_k, m, k, rows, own, t)
        for j0 in range(first * t.width, last * t.width, COLUMNS):
            for p in range(0, k, most):
                depth, adding = min(most, k - p), add or p > 0
                for j in range(j0, min(j0 + COLUMNS, last * t.width), t.width):
                    wide = j + t.width <= n
                    right, step = address(b, p * n + j), n
                    if not wide:
                        pack_panel(b, p * n + j, 1, n, n - j, depth, t.width, ragged, 0, t)
                        right, step = address(ragged, 0), t.width
                    for i in range(0, m, rows):
                        left, at = address(own, i * k + p * rows), i * n + j
                        if wide and i + rows <= m:
                            kernel = plus if adding else put
                            call(kernel, (depth, left, right, step, address(c, at), n, 0, 0))
                        else:
                            call(put, (depth, left, right, step, address(edge, 0), t.width, 0, 0))
                            live = min(rows, m - i), min(t.width, n - j)
                            store_edge(edge, c, at, n, live[0], live[1], t.width, adding)


multiply_row = jit(multiply_row, parallel=True)
multiply_transposed = jit(multiply_transposed, parallel=True)
multiply = jit(multiply, parallel=True)


def fits(g, t, itemsize) -> bool:
    """True for geometry g (kernels.gemm.Gemm) where b is not worth packing."""
    return g.m <= t.width or (g.m <= 4 * t.width and g.m * g.k * itemsize <= PACKED_BYTES)


def make(device, t) -> Callable:
    """gemm(a, b, c, g) for g.m <= t.width on a CPU device with tiling t; arguments as kernels.gemm.gemm."""
    itemsize, machine = device.dtype.itemsize, device.machine

    def gemm(a, b, c, g) -> None:
        parts = threads()
        a_row, a_k = (1, g.m) if g.ta else (g.k, 1)
        if g.tb and g.m == 1:
            multiply_row(a, b, c, g.n, g.k, g.add, parts)
        elif g.tb:
            rows, vectors = best_rows(g.n, machine), 1 if g.m <= t.lanes else VECTORS
            kernel = tile_in_place(rows, vectors, "set", itemsize, machine)
            width, high = vectors * t.lanes, -(-rows // t.lanes) * t.lanes
            panels, edges = carve(device, (parts, -(-g.m // width) * width * g.k), (parts, high * width))
            multiply_transposed(
                *(kernel, rows, width, a, b, c, g.m, g.n, g.k, a_row, a_k, g.add, panels, edges, t)
            )
        else:
            rows = best_rows(g.m, machine)
            put, plus = (
                tile(tuple(range(rows)), rows, VECTORS, end, itemsize, machine) for end in ("set", "add")
            )
            tall, most = -(-g.m // rows) * rows, DEPTH if g.m <= t.width else 4 * DEPTH
            packed, edges = carve(device, (parts, tall * g.k), (parts, (most + rows) * t.width))
            multiply(put, plus, rows, most, a, b, c, g.m, g.n, g.k, a_row, a_k, g.add, packed, edges, t)

    return gemm
