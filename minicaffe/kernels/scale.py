"""Scale and bias: a factor and a summand for every index of some axes, repeated over the others.

With `relu`, 0 takes the place of what is not positive.
"""

from __future__ import annotations

from typing import NamedTuple

from numba import prange

from .gemm import rectify
from .registry import geometry, kernel


@geometry
class Extent(NamedTuple):
    """x (outer, size, inner); the operand has `size` elements."""

    outer: int
    size: int
    inner: int


@kernel(threads=lambda x, scale, y, g, relu: x.size)
def scale_forward(x, scale, y, g: Extent, relu: int):
    """y = x * scale[j]; dx = dy * scale[j] likewise."""
    zero = x.dtype.type(0)
    for row in prange(g.outer * g.size):
        factor = scale[row % g.size]
        for i in range(row * g.inner, (row + 1) * g.inner):
            value = x[i] * factor
            y[i] = zero if relu and value <= 0 else value


@kernel(threads=lambda x, scale, bias, y, g, relu: x.size)
def scale_bias_forward(x, scale, bias, y, g: Extent, relu: int):
    """y = x * scale[j] + bias[j]."""
    zero = x.dtype.type(0)
    for row in prange(g.outer * g.size):
        factor, summand = scale[row % g.size], bias[row % g.size]
        for i in range(row * g.inner, (row + 1) * g.inner):
            value = x[i] * factor + summand
            y[i] = zero if relu and value <= 0 else value


@kernel(threads=lambda x, bias, y, g, relu: x.size)
def bias_forward(x, bias, y, g: Extent, relu: int):
    """y = x + bias[j]."""
    zero = x.dtype.type(0)
    for row in prange(g.outer * g.size):
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
    for j in prange(g.size):
        zero = x.dtype.type(0)
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
    for j in prange(g.size):
        zero = dy.dtype.type(0)
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
    for j in prange(g.size):
        zero = dy.dtype.type(0)
        total = zero
        for o in range(g.outer):
            first, part = (o * g.size + j) * g.inner, zero
            dys = dy[first : first + g.inner]
            rectify(y[first : first + g.inner], dys)
            for i in range(dys.size):
                part += dys[i]
            total += part
        dbias[j] = dbias[j] + total if add else total
