"""Numbers over the norm of the column they stand in: the channels at a position, or a whole image."""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import prange

from .cpu import jit
from .registry import geometry, kernel
from .softmax import column_blocks

WIDE = 512  # positions that the CPU takes at a time


@geometry
class Norms(NamedTuple):
    """x (n, channels, inner).  `across`: a column is an image, else the channels at a position; `shared`: one
    factor for all channels; `absolute`: the norm is the sum of |x|, else the root of that of x^2."""

    n: int
    channels: int
    inner: int
    across: int
    shared: int
    absolute: int

    @property
    def columns(self) -> int:
        return self.n if self.across else self.n * self.inner

    @property
    def blocks(self) -> int:
        """CUDA blocks of a kernel that sums over columns."""
        if self.across:
            return column_blocks(self.n, self.channels * self.inner, 1)
        return column_blocks(self.n, self.channels, self.inner)


@jit
def place_of(item, g):
    """Image, first position and number of positions of piece `item` of the columns."""
    pieces = (g.inner + WIDE - 1) // WIDE
    first = item % pieces * WIDE
    return item // pieces, first, min(WIDE, g.inner - first)


@kernel(blocks=lambda x, norm, g, eps: g.blocks)
def column_norms(x, norm, g: Norms, eps: float):
    """norm[column] = sqrt(sum of x^2 + eps), or the sum of |x| + eps."""
    size = g.channels * g.inner
    for item in prange(g.n if g.across else g.n * ((g.inner + WIDE - 1) // WIDE)):
        if g.across:
            whole = x[item * size : (item + 1) * size]
            total = sum_of_sizes(whole) if g.absolute else sum_of_products(whole, whole)
            norm[item] = total + eps if g.absolute else math.sqrt(total + eps)
        else:
            image, first, width = place_of(item, g)
            found = norm[image * g.inner + first : image * g.inner + first + width]
            found[:] = eps
            for c in range(g.channels):
                row = x[image * size + c * g.inner + first : image * size + c * g.inner + first + width]
                if g.absolute:
                    add_sizes(row, found)
                else:
                    add_products(row, row, found)
            if not g.absolute:
                for j in range(width):
                    found[j] = math.sqrt(found[j])


@kernel(threads=lambda x, norm, scale, y, g: x.size)
def normalize_forward(x, norm, scale, y, g: Norms):
    """y = x * scale[c] / norm."""
    for row in prange(g.n * g.channels):
        image, c = row // g.channels, row % g.channels
        factor = scale[0 if g.shared else c]
        above, out = x[row * g.inner : (row + 1) * g.inner], y[row * g.inner : (row + 1) * g.inner]
        if g.across:
            factor = factor / norm[image]
            for j in range(g.inner):
                out[j] = above[j] * factor
        else:
            below = norm[image * g.inner : (image + 1) * g.inner]
            for j in range(g.inner):
                out[j] = above[j] * factor / below[j]


@kernel(blocks=lambda x, norm, scale, dy, dots, dx, g: g.blocks)
def normalize_backward(x, norm, scale, dy, dots, dx, g: Norms):
    """dots[column] = sum of dy * x; dx = scale[c] * (dy - x * dots / norm^2) / norm, and for the sum of |x|
    with sign(x) * norm in the place of x."""
    zero, size = x.dtype.type(0), g.channels * g.inner
    for item in prange(g.n if g.across else g.n * ((g.inner + WIDE - 1) // WIDE)):
        if g.across:
            first, last = item * size, (item + 1) * size
            dot, one = sum_of_products(x[first:last], dy[first:last]), x.dtype.type(1)
            inverse = one / norm[item]
            share = dot * inverse if g.absolute else dot * inverse * inverse
            for c in range(g.channels):
                factor = scale[0 if g.shared else c] * inverse
                for i in range(first + c * g.inner, first + (c + 1) * g.inner):
                    along = (one if x[i] > 0 else -one if x[i] < 0 else zero) if g.absolute else x[i]
                    dx[i] = (dy[i] - along * share) * factor
            dots[item] = dot
        else:
            image, first, width = place_of(item, g)
            below = norm[image * g.inner + first : image * g.inner + first + width]
            dot = dots[image * g.inner + first : image * g.inner + first + width]
            dot[:] = zero
            for c in range(g.channels):
                at = image * size + c * g.inner + first
                add_products(x[at : at + width], dy[at : at + width], dot)
            for c in range(g.channels):
                at = image * size + c * g.inner + first
                xs, dys, out = x[at : at + width], dy[at : at + width], dx[at : at + width]
                project(xs, dys, out, below, dot, scale[0 if g.shared else c], g.absolute)


@kernel(blocks=lambda x, norm, dy, sums, g: g.channels)
def scale_sums(x, norm, dy, sums, g: Norms):
    """sums[c] = sum of dy * x / norm over channel c."""
    for c in prange(g.channels):
        total = x.dtype.type(0)
        for image in range(g.n):
            at = (image * g.channels + c) * g.inner
            xs, dys = x[at : at + g.inner], dy[at : at + g.inner]
            if g.across:
                total += sum_of_products(xs, dys) / norm[image]
            else:
                total += sum_of_shares(xs, dys, norm[image * g.inner : (image + 1) * g.inner])
        sums[c] = total


@kernel(threads=lambda sums, dscale, g: 1 if g.shared else g.channels, parallel=False)
def add_scale_sums(sums, dscale, g: Norms):
    """dscale[c] += sums[c], or dscale[0] += the sum of all if the factor is shared."""
    for c in range(g.channels):
        dscale[0 if g.shared else c] += sums[c]


# The loops over a stretch of a row, which become vector code.


@jit
def sum_of_products(a, b):
    total = a.dtype.type(0)
    for j in range(a.size):
        total += a[j] * b[j]
    return total


@jit
def sum_of_sizes(a):
    total = a.dtype.type(0)
    for j in range(a.size):
        total += abs(a[j])
    return total


@jit
def sum_of_shares(a, b, below):
    total = a.dtype.type(0)
    for j in range(a.size):
        total += a[j] * b[j] / below[j]
    return total


@jit
def add_products(a, b, total):
    for j in range(total.size):
        total[j] += a[j] * b[j]


@jit
def add_sizes(a, total):
    for j in range(total.size):
        total[j] += abs(a[j])


@jit
def project(x, dy, dx, norm, dots, factor, absolute):
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for j in range(x.size):
        inverse = one / norm[j]
        if absolute:
            along = one if x[j] > zero else -one if x[j] < zero else zero
        else:
            along = x[j] * inverse
        dx[j] = (dy[j] - along * (dots[j] * inverse)) * (factor * inverse)
