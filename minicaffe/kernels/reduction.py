"""Sums over the rows of a matrix: of the elements, of their sizes, of their squares.

A row is added up by one thread of the CPU, or one block of CUDA, in an order that depends only on its length.
"""

from __future__ import annotations

from typing import NamedTuple

from numba import prange

from .registry import geometry, kernel

PIECE = 4096  # elements added in the net's floating type; the sums of pieces are added in double precision


@geometry
class Matrix(NamedTuple):
    """`rows` rows of `length` elements."""

    rows: int
    length: int


@kernel(blocks=lambda x, y, g, coeff: g.rows)
def sum_forward(x, y, g: Matrix, coeff: float):
    """y[r] = coeff * sum of x[r, j]."""
    for r in prange(g.rows):
        total = 0.0
        for first in range(0, g.length, PIECE):
            part = x[r * g.length + first : r * g.length + min(first + PIECE, g.length)]
            subtotal = x.dtype.type(0)
            for j in range(part.size):
                subtotal += part[j]
            total += subtotal
        y[r] = coeff * total


@kernel(blocks=lambda x, y, g, coeff: g.rows)
def size_forward(x, y, g: Matrix, coeff: float):
    """y[r] = coeff * sum of |x[r, j]|."""
    for r in prange(g.rows):
        total = 0.0
        for first in range(0, g.length, PIECE):
            part = x[r * g.length + first : r * g.length + min(first + PIECE, g.length)]
            subtotal = x.dtype.type(0)
            for j in range(part.size):
                subtotal += abs(part[j])
            total += subtotal
        y[r] = coeff * total


@kernel(blocks=lambda x, y, g, coeff: g.rows)
def square_forward(x, y, g: Matrix, coeff: float):
    """y[r] = coeff * sum of x[r, j]^2."""
    for r in prange(g.rows):
        total = 0.0
        for first in range(0, g.length, PIECE):
            part = x[r * g.length + first : r * g.length + min(first + PIECE, g.length)]
            subtotal = x.dtype.type(0)
            for j in range(part.size):
                subtotal += part[j] * part[j]
            total += subtotal
        y[r] = coeff * total


@kernel(threads=lambda dy, dx, g, coeff: g.rows * g.length)
def sum_backward(dy, dx, g: Matrix, coeff: float):
    """dx[r, j] = coeff * dy[r]."""
    pieces = (g.length + PIECE - 1) // PIECE  # so that threads can share a long row
    for item in prange(g.rows * pieces):
        row, first = item // pieces, item % pieces * PIECE
        slope = coeff * dy[row]
        for j in range(row * g.length + first, row * g.length + min(first + PIECE, g.length)):
            dx[j] = slope


@kernel(threads=lambda x, dy, dx, g, coeff: g.rows * g.length)
def size_backward(x, dy, dx, g: Matrix, coeff: float):
    """dx[r, j] = coeff * dy[r] * sign of x[r, j]: 0 for 0, NaN for NaN."""
    one = x.dtype.type(1)
    pieces = (g.length + PIECE - 1) // PIECE
    for item in prange(g.rows * pieces):
        row, first = item // pieces, item % pieces * PIECE
        slope = coeff * dy[row]
        for j in range(row * g.length + first, row * g.length + min(first + PIECE, g.length)):
            sign = one if x[j] > 0 else -one if x[j] < 0 else x[j]
            dx[j] = slope * sign


@kernel(threads=lambda x, dy, dx, g, coeff: g.rows * g.length)
def square_backward(x, dy, dx, g: Matrix, coeff: float):
    """dx[r, j] = 2 * coeff * dy[r] * x[r, j]."""
    pieces = (g.length + PIECE - 1) // PIECE
    for item in prange(g.rows * pieces):
        row, first = item // pieces, item % pieces * PIECE
        slope = coeff * dy[row]
        for j in range(row * g.length + first, row * g.length + min(first + PIECE, g.length)):
            dx[j] = slope * (x[j] + x[j])
