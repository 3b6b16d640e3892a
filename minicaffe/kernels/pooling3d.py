"""Pooling of volumes: pooling.py over depth, rows and columns.

Output (z, i, j) looks at input planes z * sd - pd to z * sd - pd + kd, and at rows and columns alike, as far
as they lie in the image.  No window may lie outside altogether.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .axes import WINDOW, over
from .cpu import jit
from .registry import geometry, kernel


@geometry
class Pool3d(over(WINDOW, "Pool3d", "volumes", "bare")):
    """volumes (images times channels); bare, as in pooling.Pool; axes.py."""

    __slots__ = ()


@jit
def inside(o, kernel, stride, pad, extent):
    """Along one axis: the part of the window of output o in the image, first and last + 1."""
    start = o * stride - pad
    return max(start, 0), min(start + kernel, extent)


@jit
def box(o, g):
    """The same along each axis, for output number o of a volume."""
    z, i, j = o // (g.oh * g.ow), o // g.ow % g.oh, o % g.ow
    depth, rows = inside(z, g.kd, g.sd, g.pd, g.d), inside(i, g.kh, g.sh, g.ph, g.h)
    return depth + rows + inside(j, g.kw, g.sw, g.pw, g.w)


@jit
def counted(o, kernel, stride, pad, extent, bare):
    """How much of a window counts for the mean: padding does, unless bare, what lies beyond it does not."""
    if bare:
        first, last = inside(o, kernel, stride, pad, extent)
        return last - first
    start = o * stride - pad
    return min(start + kernel, extent + pad) - start


@jit
def area(o, g):
    """The same for output number o of a volume: how many elements its mean is over."""
    z, i, j = o // (g.oh * g.ow), o // g.ow % g.oh, o % g.ow
    rows, columns = counted(i, g.kh, g.sh, g.ph, g.h, g.bare), counted(j, g.kw, g.sw, g.pw, g.w, g.bare)
    return counted(z, g.kd, g.sd, g.pd, g.d, g.bare) * rows * columns


@kernel(threads=lambda x, y, mask, g: y.size)
def max_pool_forward(x, y, mask: np.int32, g: Pool3d):
    """y = the greatest number in the window, mask = its index (plane * h + row) * w + column: the first one
    if several are equal.  NaN never wins; a window of NaN alone gives NaN and index -1."""
    size, outputs = g.d * g.h * g.w, g.od * g.oh * g.ow
    for v in prange(g.volumes):
        volume = x[v * size : (v + 1) * size]
        for o in range(outputs):
            z0, z1, i0, i1, j0, j1 = box(o, g)
            best, at = volume.dtype.type(np.nan), -1
            for z in range(z0, z1):
                for i in range(i0, i1):
                    row = (z * g.h + i) * g.w
                    for index in range(row + j0, row + j1):
                        value = volume[index]
                        # Neither less nor equal, and a number: true also for the first number after NaN.
                        wins = (not value <= best) & (value == value)
                        best = value if wins else best
                        at = index if wins else at
            y[v * outputs + o] = best
            mask[v * outputs + o] = at


@kernel(threads=lambda dy, mask, dx, g, add: dx.size)
def max_pool_backward(dy, mask: np.int32, dx, g: Pool3d, add: int):
    """dx[b] = sum of dy[o] over the windows with mask[o] = b, + dx[b] if add."""
    size, outputs = g.d * g.h * g.w, g.od * g.oh * g.ow
    for v in prange(g.volumes):
        down = dx[v * size : (v + 1) * size]
        for b in range(0 if add else size):
            down[b] = 0
        for o in range(v * outputs, (v + 1) * outputs):
            if mask[o] >= 0:
                down[mask[o]] += dy[o]


@kernel(threads=lambda x, y, g: y.size)
def ave_pool_forward(x, y, g: Pool3d):
    """y = sum over the window / its volume, padding included, unless bare, but not what lies beyond it."""
    size, outputs = g.d * g.h * g.w, g.od * g.oh * g.ow
    for v in prange(g.volumes):
        volume = x[v * size : (v + 1) * size]
        for o in range(outputs):
            z0, z1, i0, i1, j0, j1 = box(o, g)
            total = volume.dtype.type(0)
            for z in range(z0, z1):
                for i in range(i0, i1):
                    row = (z * g.h + i) * g.w
                    for index in range(row + j0, row + j1):
                        total += volume[index]
            y[v * outputs + o] = total / volume.dtype.type(area(o, g))


@kernel(threads=lambda dy, dx, g, add: dx.size)
def ave_pool_backward(dy, dx, g: Pool3d, add: int):
    """dx = sum of dy / volume over the windows that hold the element, + dx if add."""
    size, outputs = g.d * g.h * g.w, g.od * g.oh * g.ow
    for v in prange(g.volumes):
        down = dx[v * size : (v + 1) * size]
        for b in range(0 if add else size):
            down[b] = 0
        for o in range(outputs):
            z0, z1, i0, i1, j0, j1 = box(o, g)
            share = dy[v * outputs + o] / down.dtype.type(area(o, g))
            for z in range(z0, z1):
                for i in range(i0, i1):
                    row = (z * g.h + i) * g.w
                    for index in range(row + j0, row + j1):
                        down[index] += share
