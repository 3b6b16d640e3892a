"""Products c (m, n) = op(a) op(b) whose a stays in an inner cache: tiles read its rows as they lie.

Only an a that is stored transposed is turned beforehand.  What becomes of b and c depends on the sums:

    short ones    c is most of what is touched: b is packed beforehand, and tiles go along the rows of c
    long ones     an item is some columns of c; it packs those of b, a piece of the sums at a time, and all
                  rows of a pass over them, so that nothing is packed twice and nobody waits for a panel
    of few rows   and a large b (k, n): reading it is all that takes time.  Tiles read some of its rows at a
                  time as they lie, so few that a processor sees that each is read on
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from numba import prange

from ..cpu import jit
from ..micro.builder import address, call
from ..micro.dealing import worker
from ..micro.tile import best_rows, tile_in_place
from .panels import VECTORS, carver, evenly, items_of, pack, pack_panel, part_of, store_edge

SHORT = 64  # sums
BLOCK_BYTES = 256 << 10  # of packed b, that tiles of short sums go along at a time
DEPTH = 512  # of long sums, at a time: a panel of b is 32 KB then, with 256-bit vectors
PANELS = 16  # of b in an item of long sums, at most
LARGE_BYTES = 4 << 20  # of a b that outer caches hardly keep
STREAM, STREAM_PANELS = 8, 64  # its rows at a time, and as many panels of them
TURNED = 64  # rows of a that are turned at a time


class Cut(NamedTuple):
    """How a product is cut up."""

    rows: int  # tile height
    depth: int  # of the sums, at a time
    panels: int  # of b in an item
    down: int  # items along the rows of c
    across: int  # and along its columns


def cut_of(m: int, n: int, k: int, itemsize: int, machine, streams: bool) -> Cut:
    width = VECTORS * machine.lanes(itemsize)
    rows, count, items = best_rows(m, machine), -(-n // width), items_of(m * n * k)
    if streams:
        panels = evenly(count, STREAM_PANELS)
        return Cut(rows, STREAM, panels, 1, -(-count // panels))
    if k <= SHORT:
        panels = evenly(count, max(1, BLOCK_BYTES // (k * width * itemsize)))
        across = -(-count // panels)
        return Cut(rows, k, panels, max(1, min(-(-m // rows), items // across)), across)
    panels = max(1, min(PANELS, count // items))
    across = -(-count // panels)
    # Items that share columns pack them again, so rows are shared out where columns are few.
    down = max(1, min(-(-m // rows), items // 2 // across))
    return Cut(rows, evenly(k, DEPTH if panels == 1 else DEPTH // 4), panels, down, across)


def turn_rows(a, turned, m, k, t):
    """turned[i * k + p] = a[p * m + i]; an item is some rows of it."""
    for item in prange((m + TURNED - 1) // TURNED):
        i = item * TURNED
        pack_panel(a, i, m, 1, k, min(TURNED, m - i), k, turned, i * k, t)


def pack_panels(b, packed, n, k, b_k, b_column, t):
    """All of b; an item is a panel."""
    for item in prange((n + t.width - 1) // t.width):
        j = item * t.width
        pack_panel(b, j * b_column, b_column, b_k, n - j, k, t.width, packed, j * k, t)


def multiply_short(put, kernel, a, packed, c, m, n, k, add, scratch, cut, t):
    """An item is a block of c, panels by rows."""
    for item in prange(cut.across * cut.down):
        first, last = part_of(item % cut.down, cut.down, (m + cut.rows - 1) // cut.rows)
        j = item // cut.down * cut.panels * t.width
        columns, edge = min(cut.panels * t.width, n - j), scratch[worker()]
        for i in range(first * cut.rows, last * cut.rows, cut.rows):
            for right in range(0, columns, t.width):
                panel, at, live = address(packed, (j + right) * k), i * n + j + right, columns - right
                multiply_tile(put, kernel, a, i, 0, panel, c, at, m, n, k, k, live, add, edge, cut, t)


def multiply_long(put, plus, a, b, c, m, n, k, b_k, b_column, add, scratch, cut, t):
    """An item is some panels of b with some rows of a."""
    for item in prange(cut.down * cut.across):
        own, room = scratch[worker()], cut.panels * t.width * cut.depth
        packed, edge = own[:room], own[room:]
        j = item % cut.across * cut.panels * t.width
        columns = min(cut.panels * t.width, n - j)
        first, last = part_of(item // cut.across, cut.down, (m + cut.rows - 1) // cut.rows)
        for p in range(0, k, cut.depth):
            depth, adding = min(cut.depth, k - p), add or p > 0
            kernel = plus if adding else put
            pack(b, p * b_k + j * b_column, b_column, b_k, columns, depth, t.width, packed, t)
            for right in range(0, columns, t.width):
                panel, live = address(packed, right * depth), columns - right
                for i in range(first * cut.rows, last * cut.rows, cut.rows):
                    at = i * n + j + right
                    multiply_tile(
                        *(put, kernel, a, i, p, panel, c, at, m, n, k, depth, live, adding, edge, cut, t)
                    )


@jit
def multiply_tile(put, kernel, a, i, p, panel, c, at, m, n, k, depth, live, add, edge, cut, t):
    """A tile of c from row i on, of which `live` columns are there, with `kernel` if it is a whole one."""
    start = min(i, m - cut.rows)  # the last tile overlaps the one before
    left = address(a, start * k + p)
    if start == i and live >= t.width:
        call(kernel, (depth, left, k, panel, t.width, address(c, at), n, 0, 0))
    else:
        call(put, (depth, left, k, panel, t.width, address(edge, 0), t.width, 0, 0))
        new = edge[(i - start) * t.width :]
        store_edge(new, c, at, n, start + cut.rows - i, min(live, t.width), t.width, add)


def multiply_streamed(put, plus, a, b, c, m, n, k, add, scratch, cut, t):
    """An item is some columns of b (k, n)."""
    for item in prange(cut.across):
        own = scratch[worker()]
        ragged, edge = own[: cut.depth * t.width], own[cut.depth * t.width :]
        first = item * cut.panels * t.width
        for p in range(0, k, cut.depth):
            depth, adding = min(cut.depth, k - p), add or p > 0
            kernel = plus if adding else put
            for j in range(first, min(n, first + cut.panels * t.width), t.width):
                panel, step = address(b, p * n + j), n
                if j + t.width > n:
                    pack_panel(b, p * n + j, 1, n, n - j, depth, t.width, ragged, 0, t)
                    panel, step = address(ragged, 0), t.width
                for i in range(0, m, cut.rows):
                    start, at = min(i, m - cut.rows), i * n + j
                    left = address(a, start * k + p)
                    if start == i and j + t.width <= n:
                        call(kernel, (depth, left, k, panel, step, address(c, at), n, 0, 0))
                    else:
                        call(put, (depth, left, k, panel, step, address(edge, 0), t.width, 0, 0))
                        new, live = edge[(i - start) * t.width :], min(t.width, n - j)
                        store_edge(new, c, at, n, start + cut.rows - i, live, t.width, adding)


turn_rows = jit(turn_rows, parallel=True)
pack_panels = jit(pack_panels, parallel=True)
multiply_short = jit(multiply_short, parallel=True)
multiply_long = jit(multiply_long, parallel=True)
multiply_streamed = jit(multiply_streamed, parallel=True)


def plan(device, t, g, parts: int) -> Callable:
    """What computes gemm(a, b, c, g) with so many threads on a CPU device with tiling t."""
    itemsize, machine = device.dtype.itemsize, device.machine
    m, n, k, ta, tb, add = g
    b_k, b_column = (1, k) if tb else (n, 1)
    streams = not tb and m <= t.width and k * n * itemsize > LARGE_BYTES
    short = k <= SHORT and not streams
    cut = cut_of(m, n, k, itemsize, machine, streams)
    put, plus = (tile_in_place(cut.rows, VECTORS, end, itemsize, machine) for end in ("set", "add"))
    room = (cut.rows if short else cut.panels * cut.depth + cut.rows) * t.width
    all_of_b = -(-n // t.width) * t.width * k if short else 0
    carved = carver(device, (m * k * ta,), (all_of_b,), (parts, room))

    def run(a, b, c) -> None:
        turned, packed, scratch = carved()
        if ta:
            turn_rows(a, turned, m, k, t)
            a = turned
        if streams:
            multiply_streamed(put, plus, a, b, c, m, n, k, add, scratch, cut, t)
        elif short:
            pack_panels(b, packed, n, k, b_k, b_column, t)
            multiply_short(put, plus if add else put, a, packed, c, m, n, k, add, scratch, cut, t)
        else:
            multiply_long(put, plus, a, b, c, m, n, k, b_k, b_column, add, scratch, cut, t)

    return run
