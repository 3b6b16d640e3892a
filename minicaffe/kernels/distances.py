"""Distances of items to rows of weights."""

from __future__ import annotations

from typing import NamedTuple

from numba import prange

from .registry import geometry, kernel


@geometry
class Rows(NamedTuple):
    """m rows of one array, n rows of another, `length` numbers each; element (i, j) of what belongs to a pair
    is number i * i_step + j * j_step.  absolute 1: distances are sums of sizes, else of squares."""

    m: int
    n: int
    length: int
    i_step: int
    j_step: int
    absolute: int


@kernel(threads=lambda x, w, y, g: g.m * g.n)
def distance_forward(x, w, y, g: Rows):
    """y[i, j] = the distance of row i of x and row j of w."""
    for i in prange(g.m):
        row = x[i * g.length : (i + 1) * g.length]
        for j in range(g.n):
            other = w[j * g.length : (j + 1) * g.length]
            total = x.dtype.type(0)
            for k in range(g.length):
                d = row[k] - other[k]
                total += abs(d) if g.absolute else d * d
            y[i * g.i_step + j * g.j_step] = total


@kernel(threads=lambda x, w, dy, dx, g, add: g.m * g.length)
def distance_gradient(x, w, dy, dx, g: Rows, add: int):
    """dx = the sum over the rows of w of dy times the derivative of the distance, + dx if add."""
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for i in prange(g.m):
        down, row = dx[i * g.length : (i + 1) * g.length], x[i * g.length : (i + 1) * g.length]
        if not add:
            for k in range(g.length):
                down[k] = zero
        for j in range(g.n):
            above, other = dy[i * g.i_step + j * g.j_step], w[j * g.length : (j + 1) * g.length]
            for k in range(g.length):
                d = row[k] - other[k]
                step = (one if d > zero else zero) - (one if d < zero else zero) if g.absolute else d + d
                down[k] += above * step
