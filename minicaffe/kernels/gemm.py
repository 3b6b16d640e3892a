"""Matrix products: c = op(a) op(b), row-major; and the two bias forms that go with them."""

from __future__ import annotations

from typing import NamedTuple

from numba import prange

from .cpu import jit
from .registry import geometry, kernel
from .tiled import gemm as tiled


@geometry
class Gemm(NamedTuple):
    """c (m, n) = op(a) (m, k) times op(b) (k, n); `ta`, `tb`: stored transposed; `add`: add to c."""

    m: int
    n: int
    k: int
    ta: int
    tb: int
    add: int


def by_cublas(device):
    """gemm by the library on a CUDA device; None where there is none."""
    blas = device.blas
    if blas is None:
        return None

    def product(a, b, c, g: Gemm) -> None:
        a, b, c = (device.checked(array).data.ptr for array in (a, b, c))
        tf32 = device.math == "TF32"
        blas.gemm(a, b, c, g.m, g.n, g.k, ta=g.ta, tb=g.tb, add=g.add, dtype=device.dtype, tf32=tf32)

    return product


@kernel(blocks=lambda a, b, c, g: -(-g.m // 16) * -(-g.n // 16), cpu=tiled.make, cuda=by_cublas)
def gemm(a, b, c, g: Gemm):
    """c = op(a) op(b) + (add ? c : 0)."""
    for i in prange(g.m):
        for j in range(g.n):
            total = a.dtype.type(0)
            for p in range(g.k):
                x = a[p * g.m + i] if g.ta else a[i * g.k + p]
                y = b[j * g.k + p] if g.tb else b[p * g.n + j]
                total += x * y
            c[i * g.n + j] = c[i * g.n + j] + total if g.add else total


@kernel(threads=lambda bias, y, rows, columns, relu: rows * columns)
def add_bias(bias, y, rows: int, columns: int, relu: int):
    """y[i, j] += bias[j]; with relu then 0 where y <= 0."""
    for i in prange(rows):
        row = y[i * columns : (i + 1) * columns]
        add_row(bias, row)
        if relu:
            cut_off(row)


@kernel(blocks=lambda dy, dbias, rows, columns: -(-columns // 32))
def add_column_sums(dy, dbias, rows: int, columns: int):
    """dbias[j] += sum over i of dy[i, j]."""
    for block in prange(row_parts(columns)):
        first, last = row_part(block, columns)
        for i in range(rows):
            add_row(dy[i * columns + first : i * columns + last], dbias[first:last])


@kernel(blocks=lambda y, dy, dbias, rows, columns: -(-columns // 32))
def relu_add_column_sums(y, dy, dbias, rows: int, columns: int):
    """dy = dy where y > 0, 0 * dy elsewhere; dbias[j] += sum over i of dy[i, j]."""
    for block in prange(row_parts(columns)):
        first, last = row_part(block, columns)
        for i in range(rows):
            slopes = dy[i * columns + first : i * columns + last]
            rectify(y[i * columns + first : i * columns + last], slopes)
            add_row(slopes, dbias[first:last])


# The loops over a part of a row, which become vector code.

COLUMNS = 256  # of a row, in a part: loops that are much shorter take longer to begin than to run


@jit
def row_parts(columns):
    """How many parts rows of so many columns have."""
    return (columns + COLUMNS - 1) // COLUMNS


@jit
def row_part(part, columns):
    """The first column of a part, and the one behind its last."""
    return part * COLUMNS, min(columns, (part + 1) * COLUMNS)


@jit
def add_row(row, total):
    for j in range(total.size):
        total[j] += row[j]


@jit
def cut_off(y):
    """0 where y <= 0; NaN stays."""
    zero = y.dtype.type(0)
    for j in range(y.size):
        y[j] = zero if y[j] <= zero else y[j]


@jit
def rectify(y, dy):
    """dy where y > 0, 0 * dy elsewhere."""
    zero, one = dy.dtype.type(0), dy.dtype.type(1)
    for j in range(dy.size):
        dy[j] *= one if y[j] > zero else zero  # a choice between products is no vector code
