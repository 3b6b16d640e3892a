"""Axes in another order: squares turned where the last axis moves, rows copied where it stays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from numba import prange

from .cpu import compiled, jit
from .micro.builder import address, call
from .registry import geometry, kernel
from .shape import Box
from .tiled.panels import part_of, threads, tiling

LANES = 32  # rows and columns of a square that a CUDA block turns
MOST = 5  # axes that move apart from their neighbours
NEAR = 32  # rows that the CPU takes at a time: so many places in y are written in turn
FEW = 8  # rows or columns, of which a CUDA block would fill too little of a square


@geometry
class Turn(NamedTuple):
    """a * b * c matrices, each turned: element q * x_step + r of it in x is element r * y_step + q in y, for
    r < rows and q < columns; matrix (i, j, k) begins at i * xa + j * xb + k * xc in x, and so in y."""

    a: int
    b: int
    c: int
    rows: int
    columns: int
    x_step: int
    y_step: int
    xa: int
    xb: int
    xc: int
    ya: int
    yb: int
    yc: int

    @property
    def blocks(self) -> int:
        """CUDA blocks: one for each square of LANES rows and columns, else one for LANES * LANES elements."""
        count = self.a * self.b * self.c
        if min(self.rows, self.columns) < FEW:
            return -(-count * self.rows * self.columns // (LANES * LANES))
        return count * -(-self.rows // LANES) * -(-self.columns // LANES)


def moves(shape: Sequence[int], order: Sequence[int]) -> Box | Turn | None:
    """What brings x of this shape to y, whose axis i is axis order[i] of x: the geometry of shape.take_box or
    of `turn`, or None where all elements are in their order.  ValueError for more than MOST axes that move
    apart."""
    runs: list[tuple[int, int]] = []  # axes of y: extents, and steps in x
    for axis in order:
        extent, step = shape[axis], math.prod(shape[axis + 1 :])
        if extent == 1:
            continue
        if runs and runs[-1][1] == extent * step:
            runs[-1] = runs[-1][0] * extent, step
        else:
            runs.append((extent, step))
    if len(runs) <= 1 or math.prod(shape) == 0:
        return None
    if len(runs) > MOST:
        raise ValueError(len(runs))
    *outer, (columns, x_step) = runs
    if x_step == 1:
        outer = [(1, 0)] * (4 - len(outer)) + outer
        return Box(*(extent for extent, _ in outer), columns, 0, *(step for _, step in outer))
    y_steps = [math.prod(extent for extent, _ in runs[i + 1 :]) for i in range(len(runs))]
    (last,) = (i for i, run in enumerate(runs) if run[1] == 1)
    rest = [(*run, y_steps[i]) for i, run in enumerate(outer) if i != last]
    extents, x_steps, into = zip(*([(1, 0, 0)] * (3 - len(rest)) + rest))
    return Turn(*extents, runs[last][0], columns, x_step, y_steps[last], *x_steps, *into)


@jit
def corner(item, steps, g):
    """Where matrix `item` begins, by the steps from one to the next."""
    j, k = item // g.c % g.b, item % g.c
    return item // g.c // g.b * steps[0] + j * steps[1] + k * steps[2]


def make_turn(device) -> Callable:
    """`turn` by squares that are turned in registers."""
    plain, t = compiled(turn), tiling(device.dtype, device.machine)

    def run(x, y, g):
        if min(g.rows, g.columns) < t.lanes:
            plain(x, y, g)
        else:
            turn_squares(x, y, g, t, threads())

    return run


def turn_squares(x, y, g, t, parts):
    """The last square of a block overlaps the one before it."""
    blocks = (g.rows + NEAR - 1) // NEAR
    for part in prange(parts):
        first, last = part_of(part, parts, g.a * g.b * g.c * blocks)
        for item in range(first, last):
            matrix, begin = item // blocks, item % blocks * NEAR
            end = min(begin + NEAR, g.rows)
            source = corner(matrix, (g.xa, g.xb, g.xc), g)
            target = corner(matrix, (g.ya, g.yb, g.yc), g)
            for q in range(0, g.columns, t.lanes):
                column = min(q, g.columns - t.lanes)
                for r in range(begin, end, t.lanes):
                    row = min(r, g.rows - t.lanes)
                    above = address(x, source + column * g.x_step + row)
                    call(t.turn, (above, g.x_step, address(y, target + row * g.y_step + column), g.y_step))


turn_squares = jit(turn_squares, parallel=True)


@kernel(blocks=lambda x, y, g: g.blocks, cpu=make_turn)
def turn(x, y, g: Turn):
    """Every matrix of y is the transpose of that of x."""
    blocks = (g.rows + NEAR - 1) // NEAR
    for item in prange(g.a * g.b * g.c * blocks):
        matrix, begin = item // blocks, item % blocks * NEAR
        source = corner(matrix, (g.xa, g.xb, g.xc), g) + begin
        target = corner(matrix, (g.ya, g.yb, g.yc), g) + begin * g.y_step
        rows = min(NEAR, g.rows - begin)
        for q in range(g.columns):
            above = x[source + q * g.x_step : source + q * g.x_step + rows]
            for r in range(rows):
                y[target + r * g.y_step + q] = above[r]
