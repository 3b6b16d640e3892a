"""Softmax along one axis of an array seen as (outer, classes, inner)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from numba import prange

from . import cuda
from .cpu import compiled, jit
from .elementary import exp
from .registry import geometry, kernel
from .tiled.panels import carve, part_of, threads

WIDE = 256  # columns side by side that the CPU takes at a time


def column_blocks(outer: int, classes: int, inner: int) -> int:
    """CUDA blocks: BLOCK threads, a warp or one thread for each column (see share in columns.cuh)."""
    lanes = cuda.BLOCK if classes >= cuda.BLOCK else 32 if inner == 1 else 1
    return -(-outer * inner * lanes // cuda.BLOCK)


@geometry
class Columns(NamedTuple):
    """outer * inner columns of `classes` numbers each, `inner` apart."""

    outer: int
    classes: int
    inner: int

    @property
    def blocks(self) -> int:
        return column_blocks(*self)


def make_forward(device) -> Callable:
    """softmax_forward row by row of neighbouring columns, where columns are not contiguous."""
    plain = compiled(softmax_forward)

    def run(x, y, g):
        if g.inner == 1:
            plain(x, y, g)
        else:
            normalize_rows(x, y, *carve(device, (threads(), WIDE), (threads(), WIDE)), g)

    return run


def make_backward(device) -> Callable:
    """The same for softmax_backward."""
    plain = compiled(softmax_backward)

    def run(y, dy, dx, g):
        if g.inner == 1:
            plain(y, dy, dx, g)
        else:
            project_rows(y, dy, dx, *carve(device, (threads(), WIDE)), g)

    return run


@kernel(blocks=lambda x, y, g: g.blocks, cpu=make_forward)
def softmax_forward(x, y, g: Columns):
    """y = exp(x - m) / sum of exp(x - m) over the column, m its maximum; all NaN if one x is NaN or inf."""
    for column in prange(g.outer * g.inner):
        normalize_column(x, y, column, g.classes, g.inner)


@kernel(blocks=lambda y, dy, dx, g: g.blocks, parallel=False, cpu=make_backward)
def softmax_backward(y, dy, dx, g: Columns):
    """dx = y * (dy - sum of dy * y over the column)."""
    for column in range(g.outer * g.inner):
        first = column // g.inner * g.classes * g.inner + column % g.inner
        end = first + g.classes * g.inner
        if g.inner == 1:
            project(y[first:end], dy[first:end], dx[first:end])
        else:
            project(y[first : end : g.inner], dy[first : end : g.inner], dx[first : end : g.inner])


# One column; y may be x, and dx may be dy.


@jit
def normalize_column(x, y, column, classes, inner):
    """y = softmax(x) in one column."""
    first = column // inner * classes * inner + column % inner
    end = first + classes * inner
    if inner == 1:  # contiguous: vector code
        normalize(x[first:end], y[first:end])
    else:
        normalize(x[first:end:inner], y[first:end:inner])


@jit
def normalize(x, y):
    m = x.dtype.type(-math.inf)
    for c in range(x.size):
        m = max(m, x[c])
    for c in range(x.size):
        y[c] = exp(x[c] - m)
    total = x.dtype.type(0)
    for c in range(y.size):  # apart from the loop above, so that the order of the sum is the same in place
        total += y[c]
    for c in range(y.size):
        y[c] /= total


@jit
def project(y, dy, dx):
    total = y.dtype.type(0)
    for c in range(y.size):
        total += dy[c] * y[c]
    for c in range(y.size):
        dx[c] = y[c] * (dy[c] - total)


# WIDE columns side by side.


@jit
def place_of(item, g):
    """Where piece `item` of the columns starts, and how many there are in it."""
    pieces = (g.inner + WIDE - 1) // WIDE
    first = item % pieces * WIDE
    return item // pieces * g.classes * g.inner + first, min(WIDE, g.inner - first)


@jit
def row_of(start, c, width, g):
    """Where class c of `width` columns lies."""
    return slice(start + c * g.inner, start + c * g.inner + width)


def normalize_rows(x, y, greatest, totals, g):
    """Every part keeps the greatest number and the sum of each of its columns."""
    parts, pieces = len(totals), g.outer * ((g.inner + WIDE - 1) // WIDE)
    for part in prange(parts):
        first, last = part_of(part, parts, pieces)
        for item in range(first, last):
            start, width = place_of(item, g)
            m, total = greatest[part][:width], totals[part][:width]
            m[:], total[:] = -math.inf, 0
            for c in range(g.classes):
                row = row_of(start, c, width, g)
                raise_to(m, x[row])
            for c in range(g.classes):
                row = row_of(start, c, width, g)
                exponentials(x[row], m, y[row], total)
            for c in range(g.classes):
                row = row_of(start, c, width, g)
                divide(y[row], total)


def project_rows(y, dy, dx, totals, g):
    """Every part keeps the sum of each of its columns."""
    parts, pieces = len(totals), g.outer * ((g.inner + WIDE - 1) // WIDE)
    for part in prange(parts):
        first, last = part_of(part, parts, pieces)
        for item in range(first, last):
            start, width = place_of(item, g)
            total = totals[part][:width]
            total[:] = 0
            for c in range(g.classes):
                row = row_of(start, c, width, g)
                add_products(y[row], dy[row], total)
            for c in range(g.classes):
                row = row_of(start, c, width, g)
                project_row(y[row], dy[row], total, dx[row])


normalize_rows, project_rows = jit(normalize_rows, parallel=True), jit(project_rows, parallel=True)


@jit
def raise_to(m, x):
    for j in range(m.size):
        m[j] = x[j] if x[j] > m[j] else m[j]


@jit
def exponentials(x, m, y, total):
    for j in range(m.size):
        y[j] = exp(x[j] - m[j])
        total[j] += y[j]


@jit
def divide(y, total):
    for j in range(total.size):
        y[j] /= total[j]


@jit
def add_products(y, dy, total):
    for j in range(total.size):
        total[j] += dy[j] * y[j]


@jit
def project_row(y, dy, total, dx):
    for j in range(total.size):
        dx[j] = y[j] * (dy[j] - total[j])
