"""Moving blocks between arrays: rows of different lengths, boxes, repetitions."""

from __future__ import annotations

from typing import NamedTuple

from numba import prange

from .cpu import jit
from .registry import geometry, kernel

PIECE = 8192  # elements that the CPU copies at a time, so that threads can share a long row


@geometry
class Rows(NamedTuple):
    """`length` elements of each of `count` rows: row r starts at x_start + r * x_step in x, and so in y."""

    count: int
    length: int
    x_start: int
    x_step: int
    y_start: int
    y_step: int


@kernel(threads=lambda x, y, g: g.count * g.length)
def copy_rows(x, y, g: Rows):
    """y[y_start + r * y_step + j] = x[x_start + r * x_step + j] for r < count, j < length."""
    pieces = (g.length + PIECE - 1) // PIECE
    for item in prange(g.count * pieces):
        row, first = item // pieces, item % pieces * PIECE
        length = min(PIECE, g.length - first)
        source, target = g.x_start + row * g.x_step + first, g.y_start + row * g.y_step + first
        above, below = x[source : source + length], y[target : target + length]
        for j in range(length):
            below[j] = above[j]


@geometry
class Box(NamedTuple):
    """A box of extents (a, b, c, d, length) in a larger array: element (i, j, k, l, m) of it is number
    start + i * a_step + j * b_step + k * c_step + l * d_step + m of the array."""

    a: int
    b: int
    c: int
    d: int
    length: int
    start: int
    a_step: int
    b_step: int
    c_step: int
    d_step: int


@jit
def row_start(row, g):
    """Where row `row` of a box, of a * b * c * d, begins in the larger array."""
    k, l = row // g.d, row % g.d
    j, k = k // g.c, k % g.c
    return g.start + j // g.b * g.a_step + j % g.b * g.b_step + k * g.c_step + l * g.d_step


@kernel(threads=lambda x, y, g: g.a * g.b * g.c * g.d * g.length)
def take_box(x, y, g: Box):
    """y = the box of x."""
    for row in prange(g.a * g.b * g.c * g.d):
        source, target = row_start(row, g), row * g.length
        inside, whole = x[source : source + g.length], y[target : target + g.length]
        for m in range(g.length):
            whole[m] = inside[m]


@kernel(threads=lambda x, y, g: g.a * g.b * g.c * g.d * g.length)
def put_box(x, y, g: Box):
    """The box of y = x; the rest of y is left alone."""
    for row in prange(g.a * g.b * g.c * g.d):
        source, target = row * g.length, row_start(row, g)
        whole, inside = x[source : source + g.length], y[target : target + g.length]
        for m in range(g.length):
            inside[m] = whole[m]


@geometry
class Repeats(NamedTuple):
    """`rows` rows of `length` elements, each of them `times` times in the repeated array, one behind the
    other."""

    rows: int
    length: int
    times: int


@kernel(threads=lambda x, y, g: g.rows * g.times * g.length)
def repeat_rows(x, y, g: Repeats):
    """y[r, t, j] = x[r, j] for t < times."""
    pieces = (g.length + PIECE - 1) // PIECE
    for item in prange(g.rows * pieces):
        row, first = item // pieces, item % pieces * PIECE
        length = min(PIECE, g.length - first)
        once = x[row * g.length + first : row * g.length + first + length]
        for t in range(g.times):
            target = (row * g.times + t) * g.length + first
            copy = y[target : target + length]
            for j in range(length):
                copy[j] = once[j]


@kernel(threads=lambda dy, dx, g: g.rows * g.length)
def sum_repeats(dy, dx, g: Repeats):
    """dx[r, j] = sum over t of dy[r, t, j], added in the order of t."""
    pieces = (g.length + PIECE - 1) // PIECE
    for item in prange(g.rows * pieces):
        row, first = item // pieces, item % pieces * PIECE
        length = min(PIECE, g.length - first)
        total = dx[row * g.length + first : row * g.length + first + length]
        for j in range(length):
            total[j] = 0
        for t in range(g.times):
            source = (row * g.times + t) * g.length + first
            part = dy[source : source + length]
            for j in range(length):
                total[j] += part[j]
