"""Softmax along one axis of an array seen as (outer, classes, inner)."""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import prange

from . import cuda
from .cpu import jit
from .elementary import exp
from .registry import geometry, kernel


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


@kernel(blocks=lambda x, y, g: g.blocks)
def softmax_forward(x, y, g: Columns):
    """y = exp(x - m) / sum of exp(x - m) over the column, m its maximum; all NaN if one x is NaN or inf."""
    for column in prange(g.outer * g.inner):
        normalize_column(x, y, column, g.classes, g.inner)


@kernel(blocks=lambda y, dy, dx, g: g.blocks, parallel=False)
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
