"""Products of few rows, c (m, n) = op(a) b^T: a stays in an inner cache, and b (n, k) is most of the memory.

b is not worth packing for so few uses: a tile reads some of its rows as they lie.  a^T is packed, once for
all threads.  What comes out is c^T, a few rows of it at a time, which are turned on their way to c.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from numba import prange

from ..cpu import jit
from ..micro.builder import address, call
from ..micro.dealing import worker
from ..micro.tile import best_rows, tile_in_place
from .panels import VECTORS, carver, evenly, items_of, pack_panel, part_of

DEPTH = 1024  # of the sums, at a time
SQUARES = 4  # that turn the rows of an item, about: the last one overlaps the one before


class Cut(NamedTuple):
    """How a product is cut up."""

    rows: int  # tile height
    width: int  # of the tile and a panel of a^T
    depth: int
    tiles: int  # of rows of b in an item
    down: int  # items along the rows of b
    across: int  # and along the panels of a^T


def cut_of(m: int, n: int, k: int, machine, lanes: int) -> Cut:
    rows, width = best_rows(n, machine), lanes * (1 if m <= lanes else VECTORS)
    tiles = min(-(-SQUARES * lanes // rows), n // rows)
    down = -(-n // (tiles * rows))
    across = max(1, min(-(-m // width), items_of(m * n * k) // down))
    return Cut(rows, width, evenly(k, DEPTH), tiles, down, across)


def multiply_row(a, b, c, n, k, add, parts):
    """One row, b (n, k): a product of vectors for each element."""
    for part in prange(parts):
        first, last = part_of(part, parts, n)
        for j in range(first, last):
            total, column = a.dtype.type(0), b[j * k : (j + 1) * k]
            for p in range(k):
                total += a[p] * column[p]
            c[j] = c[j] + total if add else total


def pack_across(a, packed, m, k, a_row, a_k, cut, t):
    """a^T as panels; an item is a piece of one."""
    pieces = (k + cut.depth - 1) // cut.depth
    for item in prange((m + cut.width - 1) // cut.width * pieces):
        i, p = item // pieces * cut.width, item % pieces * cut.depth
        depth = min(cut.depth, k - p)
        first, at = i * a_row + p * a_k, i * k + p * cut.width
        pack_panel(a, first, a_row, a_k, m - i, depth, cut.width, packed, at, t)


def multiply(put, plus, b, c, m, n, k, add, packed, scratch, cut, t):
    """An item is some rows of b with some panels of a^T."""
    panels = (m + cut.width - 1) // cut.width
    for item in prange(cut.down * cut.across):
        done = item // cut.across * cut.tiles * cut.rows  # rows of c^T, by other items
        last = min(n, done + cut.tiles * cut.rows)
        # Whole tiles: those of the last item begin with some rows of the one before.
        first = last - (last - done + cut.rows - 1) // cut.rows * cut.rows
        columns, square = scratch[worker(), : (last - first) * cut.width], scratch[worker(), -(t.lanes**2) :]
        u, v = part_of(item % cut.across, cut.across, panels)
        for i in range(u * cut.width, v * cut.width, cut.width):
            for p in range(0, k, cut.depth):
                depth, right = min(cut.depth, k - p), address(packed, i * k + p * cut.width)
                for j in range(first, last, cut.rows):
                    to = address(columns, (j - first) * cut.width)
                    kernel = plus if p > 0 else put
                    call(kernel, (depth, address(b, j * k + p), k, right, cut.width, to, cut.width, 0, 0))
            live = min(cut.width, m - i)
            turn(columns, first, last - first, live, cut.width, c, i * n, n, done, add, square, t)


@jit
def turn(columns, first, height, live, width, c, at, n, done, add, square, t):
    """c[at + i * n + first + j] = columns[j * width + i], or that is added, for i < live, j < height; what
    lies before `done` is added to already."""
    if live < t.lanes or height < t.lanes:
        for i in range(live):
            for j in range(done - first, height):
                to, value = at + i * n + first + j, columns[j * width + i]
                c[to] = c[to] + value if add else value
        return
    for i in range(0, live, t.lanes):
        i, upper = min(i, live - t.lanes), i
        for j in range(0, height, t.lanes):
            j, left = min(j, height - t.lanes), max(j, done - first)
            source, to = address(columns, j * width + i), at + i * n + first + j
            if not add:
                call(t.turn, (source, width, address(c, to), n))
            else:
                call(t.turn, (source, width, address(square, 0), t.lanes))
                for row in range(upper - i, t.lanes):
                    for r in range(left - j, t.lanes):
                        c[to + row * n + r] += square[row * t.lanes + r]


multiply_row = jit(multiply_row, parallel=True)
pack_across = jit(pack_across, parallel=True)
multiply = jit(multiply, parallel=True)


def plan(device, t, g, parts: int) -> Callable:
    """What computes gemm(a, b, c, g), for g.tb, with so many threads on a CPU device with tiling t."""
    itemsize, machine = device.dtype.itemsize, device.machine
    m, n, k, ta, _, add = g
    if m == 1:
        return lambda a, b, c: multiply_row(a, b, c, n, k, add, parts)
    cut = cut_of(m, n, k, machine, t.lanes)
    put, plus = (
        tile_in_place(cut.rows, cut.width // t.lanes, end, itemsize, machine) for end in ("set", "add")
    )
    room = cut.tiles * cut.rows * cut.width + t.lanes**2
    carved = carver(device, (-(-m // cut.width) * cut.width * k,), (parts, room))
    a_row, a_k = (1, m) if ta else (k, 1)

    def run(a, b, c) -> None:
        packed, scratch = carved()
        pack_across(a, packed, m, k, a_row, a_k, cut, t)
        multiply(put, plus, b, c, m, n, k, add, packed, scratch, cut, t)

    return run
