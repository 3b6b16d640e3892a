"""c = op(a) op(b) over register tiles.

The classic five loops (Goto, van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS
2008): a block of B, KC deep, is packed once and stays in the outer cache while blocks of A, MC x KC, are
packed into the inner one; a panel of B, KC deep, stays next to the registers while the tiles of A pass.
Threads take parts of C in a grid.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import prange

from ..cpu import jit
from ..micro.builder import address, call
from ..micro.tile import best_rows, tile
from . import a_in_place, few_rows
from .panels import VECTORS, Tiling, evenly, pack, part_of, store_edge, threads, tiling

DEPTH = 384  # KC: a panel of B (384 x 32 floats, 48 KB) and a tile of A pass through the inner caches
TILES = 12  # MC: tiles of A per block (12 x 14 rows x 384: 258 KB)
COLUMNS = 1536  # NC: columns of B packed at a time, at most (2.4 MB)
KEPT_BYTES = 512 << 10  # of a, at most, that stays in an inner cache and is not packed block by block
SHALLOW = 64  # products of no more multiply-adds for an element of C go along its rows


class Blocking(NamedTuple):
    """How one product is cut up."""

    rows: int  # tile height
    depth: int
    a_tiles: int  # tiles per packed block of A
    columns: int  # columns per packed block of B
    grid_m: int  # parts down and across C, one for each thread
    grid_n: int
    work: int  # elements of workspace per part


def blocking(m: int, n: int, k: int, rows: int, width: int, parts: int) -> Blocking:
    """Choose the grid whose largest part has the fewest tiles, and size the packed blocks to the parts."""
    down, across = -(-m // rows), -(-n // width)
    grid_m, grid_n = min(
        ((p, parts // p) for p in range(1, parts + 1) if parts % p == 0),
        key=lambda grid: (-(-down // grid[0]) * -(-across // grid[1]), grid[0]),
    )
    depth = evenly(k, DEPTH)
    a_tiles = min(TILES, -(-down // grid_m))
    columns = min(COLUMNS // width, -(-across // grid_n)) * width
    work = depth * (a_tiles * rows + columns) + rows * width
    return Blocking(rows, depth, a_tiles, columns, grid_m, grid_n, -(-work // 64) * 64)


def multiply(put, plus, a, b, c, m, n, k, a_row, a_k, b_k, b_column, add, work, t, cut):
    """All of c; a[i, p] lies at a[i * a_row + p * a_k], b[p, j] at b[p * b_k + j * b_column]."""
    for part in prange(cut.grid_m * cut.grid_n):
        i_first, i_last = part_of(part // cut.grid_n, cut.grid_m, (m + cut.rows - 1) // cut.rows)
        j_first, j_last = part_of(part % cut.grid_n, cut.grid_n, (n + t.width - 1) // t.width)
        i_last, j_last = min(m, i_last * cut.rows), min(n, j_last * t.width)
        own = work[part * cut.work : (part + 1) * cut.work]
        packed_b = own[: cut.depth * cut.columns]
        packed_a = own[packed_b.size : packed_b.size + cut.depth * cut.a_tiles * cut.rows]
        edge = own[packed_b.size + packed_a.size :]
        for j0 in range(j_first * t.width, j_last, cut.columns):
            columns = min(cut.columns, j_last - j0)
            for p0 in range(0, k, cut.depth):
                depth = min(cut.depth, k - p0)
                adding = add or p0 > 0
                pack(b, p0 * b_k + j0 * b_column, b_column, b_k, columns, depth, t.width, packed_b, t)
                for i0 in range(i_first * cut.rows, i_last, cut.a_tiles * cut.rows):
                    height = min(cut.a_tiles * cut.rows, i_last - i0)
                    pack(a, i0 * a_row + p0 * a_k, a_row, a_k, height, depth, cut.rows, packed_a, t)
                    tiles = (height + cut.rows - 1) // cut.rows, (columns + t.width - 1) // t.width
                    # Deep panels of B are kept and A passes; where panels are small, C is most of the memory,
                    # and its rows are gone along.
                    outer, inner = tiles if k <= SHALLOW else (tiles[1], tiles[0])
                    for u in range(outer):
                        for v in range(inner):
                            i, j = (u, v) if k <= SHALLOW else (v, u)
                            i, j = i * cut.rows, j * t.width
                            panel_a, panel_b = address(packed_a, i * depth), address(packed_b, j * depth)
                            at = (i0 + i) * n + j0 + j
                            if i + cut.rows <= height and j + t.width <= columns:
                                kernel = plus if adding else put
                                call(kernel, (depth, panel_a, panel_b, t.width, address(c, at), n, 0, 0))
                            else:
                                to = address(edge, 0)
                                call(put, (depth, panel_a, panel_b, t.width, to, t.width, 0, 0))
                                live = min(cut.rows, height - i), min(t.width, columns - j)
                                store_edge(edge, c, at, n, live[0], live[1], t.width, adding)


multiply = jit(multiply, parallel=True)


def make(device) -> Callable:
    """gemm(a, b, c, g) for a CPU device; arguments as kernels.gemm.gemm."""
    t: Tiling = tiling(device.dtype, device.machine)

    @functools.lru_cache(maxsize=256)
    def planned(g, parts: int) -> Callable:
        if g.m > t.width and g.m * g.k * device.dtype.itemsize > KEPT_BYTES:
            return plan(device, t, g, parts)
        return (few_rows if g.tb and g.m <= g.n else a_in_place).plan(device, t, g, parts)

    def gemm(a: np.ndarray, b: np.ndarray, c: np.ndarray, g) -> None:
        planned(g, threads())(a, b, c)

    return gemm


def plan(device, t: Tiling, g, parts: int) -> Callable:
    """What computes gemm(a, b, c, g), any of them, with so many threads."""
    m, n, k, ta, tb, add = g
    rows = best_rows(m, device.machine)
    cut = blocking(m, n, k, rows, t.width, parts)
    a_row, a_k = (1, m) if ta else (k, 1)
    b_k, b_column = (1, k) if tb else (n, 1)
    dtype, nbytes = device.dtype, cut.work * cut.grid_m * cut.grid_n * device.dtype.itemsize
    put, plus = (
        tile(tuple(range(rows)), rows, VECTORS, finish, dtype.itemsize, device.machine)
        for finish in ("set", "add")
    )

    def run(a, b, c) -> None:
        work = device.workspace(nbytes).view(dtype)
        multiply(put, plus, a, b, c, m, n, k, a_row, a_k, b_k, b_column, add, work, t, cut)

    return run
