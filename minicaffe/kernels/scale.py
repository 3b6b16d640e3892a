"""Scale and bias: a factor and a summand for every index of some axes, repeated over the others.

With `relu`, 0 takes the place of what is not positive.  Where nothing follows these axes (inner = 1), loops
go along the operand, over neighbours in memory.
"""

from __future__ import annotations

from typing import NamedTuple

from numba import prange

from .cpu import jit
from .gemm import add_row, rectify, row_part, row_parts
from .registry import geometry, kernel


@geometry
class Extent(NamedTuple):
    """x (outer, size, inner); the operand has `size` elements."""

    outer: int
    size: int
    inner: int


@jit
def rows(g):
    """How many pieces of x have one factor, or where inner is 1, one of each."""
    return g.outer if g.inner == 1 else g.outer * g.size


@jit
def blocks(g):
    """How many parts of an operand are summed up by themselves: its elements, or if inner is 1, some of them
    together."""
    return row_parts(g.size) if g.inner == 1 else g.size


@kernel(threads=lambda x, scale, y, g, relu: x.size)
def scale_forward(x, scale, y, g: Extent, relu: int):
    """y = x * scale[j]; dx = dy * scale[j] likewise."""
    zero = x.dtype.type(0)
    for row in prange(rows(g)):
        if g.inner == 1:
            for j in range(g.size):
                value = x[row * g.size + j] * scale[j]
                y[row * g.size + j] = zero if relu and value <= 0 else value
            continue
        factor = scale[row % g.size]
        for i in range(row * g.inner, (row + 1) * g.inner):
            value = x[i] * factor
            y[i] = zero if relu and value <= 0 else value


@kernel(threads=lambda x, scale, bias, y, g, relu: x.size)
def scale_bias_forward(x, scale, bias, y, g: Extent, relu: int):
    """y = x * scale[j] + bias[j]."""
    zero = x.dtype.type(0)
    for row in prange(rows(g)):
        if g.inner == 1:
            for j in range(g.size):
                value = x[row * g.size + j] * scale[j] + bias[j]
                y[row * g.size + j] = zero if relu and value <= 0 else value
            continue
        factor, summand = scale[row % g.size], bias[row % g.size]
        for i in range(row * g.inner, (row + 1) * g.inner):
            value = x[i] * factor + summand
            y[i] = zero if relu and value <= 0 else value


@kernel(threads=lambda x, bias, y, g, relu: x.size)
def bias_forward(x, bias, y, g: Extent, relu: int):
    """y = x + bias[j]."""
    zero = x.dtype.type(0)
    for row in prange(rows(g)):
        if g.inner == 1:
            for j in range(g.size):
                value = x[row * g.size + j] + bias[j]
                y[row * g.size + j] = zero if relu and value <= 0 else value
            continue
        summand = bias[row % g.size]
        for i in range(row * g.inner, (row + 1) * g.inner):
            value = x[i] + summand
            y[i] = zero if relu and value <= 0 else value


@kernel(threads=lambda x, scale, summand, y, g: y.size)
def scale_add_forward(x, scale, summand, y, g: Extent):
    """y = x * scale[j] + summand, which is as large as x."""
    for row in prange(g.outer * g.size):
        factor = scale[row % g.size]
        for i in range(row * g.inner, (row + 1) * g.inner):
            y[i] = x[i] * factor + summand[i]


@kernel(blocks=lambda x, dy, dscale, g, add: g.size)
def scale_gradient(x, dy, dscale, g: Extent, add: int):
    """dscale[j] = sum over outer and inner of dy * x, + dscale[j] if add."""
    for j in prange(blocks(g)):
        zero = x.dtype.type(0)
        if g.inner == 1:
            first, last = row_part(j, g.size)
            totals = dscale[first:last]
            if not add:
                totals[:] = 0
            for at in range(0, g.outer * g.size, g.size):
                add_products(x[at + first : at + last], dy[at + first : at + last], totals)
            continue
        total = zero
        for o in range(g.outer):
            first, part = (o * g.size + j) * g.inner, zero
            xs, dys = x[first : first + g.inner], dy[first : first + g.inner]
            for i in range(xs.size):
                part += dys[i] * xs[i]
            total += part
        dscale[j] = dscale[j] + total if add else total


@kernel(blocks=lambda dy, dbias, g, add: g.size)
def bias_gradient(dy, dbias, g: Extent, add: int):
    """dbias[j] = sum over outer and inner of dy, + dbias[j] if add."""
    for j in prange(blocks(g)):
        zero = dy.dtype.type(0)
        if g.inner == 1:
            first, last = row_part(j, g.size)
            totals = dbias[first:last]
            if not add:
                totals[:] = 0
            for at in range(0, g.outer * g.size, g.size):
                add_row(dy[at + first : at + last], totals)
            continue
        total = zero
        for o in range(g.outer):
            first, part = (o * g.size + j) * g.inner, zero
            dys = dy[first : first + g.inner]
            for i in range(dys.size):
                part += dys[i]
            total += part
        dbias[j] = dbias[j] + total if add else total


@kernel(blocks=lambda y, dy, dbias, g, add: g.size)
def relu_bias_gradient(y, dy, dbias, g: Extent, add: int):
    """dy = dy where y > 0, 0 * dy elsewhere; then as bias_gradient."""
    for j in prange(blocks(g)):
        zero = dy.dtype.type(0)
        if g.inner == 1:
            first, last = row_part(j, g.size)
            totals = dbias[first:last]
            if not add:
                totals[:] = 0
            for at in range(0, g.outer * g.size, g.size):
                dys = dy[at + first : at + last]
                rectify(y[at + first : at + last], dys)
                add_row(dys, totals)
            continue
        total = zero
        for o in range(g.outer):
            first, part = (o * g.size + j) * g.inner, zero
            dys = dy[first : first + g.inner]
            rectify(y[first : first + g.inner], dys)
            for i in range(dys.size):
                part += dys[i]
            total += part
        dbias[j] = dbias[j] + total if add else total


@jit
def add_products(x, dy, totals):
    """totals += dy * x."""
    for i in range(totals.size):
        totals[i] += dy[i] * x[i]
