"""Local response normalization: every element divided by a power of the squares around it.

    s = k + alpha * sum of x^2 over the neighbourhood         y = x * s^-beta

Elements lie on lines, lines in groups; the neighbourhood of an element reaches `lines` lines and `columns`
columns to either side, as far as there are any in its group.  Across channels a group is an image, a line a
whole channel and the reach 0 columns; within a channel a group is a channel and a line one of its rows.
Neighbourhoods are symmetric, so the gradient sums over them too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import prange

from .cpu import compiled, jit
from .micro import lrn as micro
from .micro.builder import address, call
from .registry import geometry, kernel
from .tiled.panels import part_of, threads

BLOCK = 4096  # columns that the CPU takes at a time: those of a few lines fit the second cache
# Columns that the register kernels take: those of all lines of a neighbourhood stay in the first cache.
NEAR, NEAR_BACKWARD = 256, 128
MOST_COLUMNS = 4  # to either side that these unroll
REACH, STRETCH = 2, 32  # lines to either side where a CUDA thread walks along lines, and how many it walks


@geometry
class Lrn(NamedTuple):
    """groups of h lines of w elements; the reach of a neighbourhood."""

    groups: int
    h: int
    w: int
    lines: int
    columns: int

    @property
    def threads(self) -> int:
        """CUDA threads: one for each column of a stretch of lines, else one for each element (lrn.cu)."""
        walks = self.lines == REACH and self.columns == 0
        return self.groups * (-(-self.h // STRETCH) if walks else self.h) * self.w


def make_forward(device) -> Callable:
    """lrn_forward on register vectors, for the exponent that nets use."""
    plain, settings = compiled(lrn_forward), device.empty((2,))

    def run(x, y, inverse, g, k, alpha, beta):
        if beta != 0.75 or g.columns > MOST_COLUMNS:
            plain(x, y, inverse, g, k, alpha, beta)
            return
        settings[:] = k, alpha
        lanes = lanes_for(g, device)
        kernel = micro.forward(g.lines, g.columns, lanes, device.dtype.itemsize, device.machine)
        walk(kernel, settings, x, y, inverse, x, y, g, lanes, NEAR, threads())

    return run


def make_backward(device) -> Callable:
    """The same for lrn_backward."""
    plain, settings = compiled(lrn_backward), device.empty((2,))

    def run(x, y, inverse, dy, dx, g, factor, beta):
        if beta != 0.75 or g.columns > MOST_COLUMNS:
            plain(x, y, inverse, dy, dx, g, factor, beta)
            return
        settings[0] = factor
        lanes = lanes_for(g, device)
        kernel = micro.backward(g.lines, g.columns, lanes, device.dtype.itemsize, device.machine)
        walk(kernel, settings, x, y, inverse, dy, dx, g, lanes, NEAR_BACKWARD, threads())

    return run


def lanes_for(g: Lrn, device) -> int:
    """How many columns a vector takes."""
    lanes = 2
    while lanes < min(g.w, device.machine.lanes(device.dtype.itemsize)):
        lanes *= 2
    return lanes


def walk(kernel, settings, x, y, inverse, dy, dx, g, lanes, near, parts):
    """`near` columns of a group at a time; all groups of a part, where a line has no more than those."""
    blocks = (g.w + near - 1) // near
    for part in prange(parts):
        item, last = part_of(part, parts, g.groups * blocks)
        while item < last:
            start, begin = item // blocks * g.h * g.w, item % blocks * near
            groups, vectors = last - item if blocks == 1 else 1, (min(near, g.w - begin) + lanes - 1) // lanes
            forward = address(settings, 0), address(x, start), address(y, start), address(inverse, start)
            backward = address(dy, start), address(dx, start)
            call(kernel, (groups, g.h, g.w, begin, vectors, *forward, *backward))
            item += groups


walk = jit(walk, parallel=True)


@kernel(threads=lambda x, y, inverse, g, k, alpha, beta: g.threads, cpu=make_forward)
def lrn_forward(x, y, inverse, g: Lrn, k: float, alpha: float, beta: float):
    """inverse = 1 / s; y = x * inverse^beta."""
    x = x.reshape(g.groups, g.h, g.w)
    y = y.reshape(g.groups, g.h, g.w)
    inverse = inverse.reshape(g.groups, g.h, g.w)
    blocks = (g.w + BLOCK - 1) // BLOCK
    for item in prange(g.groups * blocks):
        group, start = item // blocks, item % blocks * BLOCK
        end = min(start + BLOCK, g.w)
        for i in range(g.h):
            total = inverse[group, i, start:end]
            total[:] = 0
            for near in range(max(i - g.lines, 0), min(i + g.lines + 1, g.h)):
                for step in range(-g.columns, g.columns + 1):
                    a = max(start, -step)  # the columns from a to b have a neighbour there
                    b = max(a, min(end, g.w - step))
                    add_squares(x[group, near, a + step : b + step], total[a - start : b - start])
            normalize(x[group, i, start:end], y[group, i, start:end], total, k, alpha, beta)


@kernel(threads=lambda x, y, inverse, dy, dx, g, factor, beta: g.threads, cpu=make_backward)
def lrn_backward(x, y, inverse, dy, dx, g: Lrn, factor: float, beta: float):
    """dx = dy * inverse^beta - factor * x * sum of dy * y * inverse over the neighbourhood."""
    x = x.reshape(g.groups, g.h, g.w)
    y = y.reshape(g.groups, g.h, g.w)
    inverse = inverse.reshape(g.groups, g.h, g.w)
    dy = dy.reshape(g.groups, g.h, g.w)
    dx = dx.reshape(g.groups, g.h, g.w)
    blocks = (g.w + BLOCK - 1) // BLOCK
    for item in prange(g.groups * blocks):
        group, start = item // blocks, item % blocks * BLOCK
        end = min(start + BLOCK, g.w)
        for i in range(g.h):
            total = dx[group, i, start:end]
            total[:] = 0
            for near in range(max(i - g.lines, 0), min(i + g.lines + 1, g.h)):
                for step in range(-g.columns, g.columns + 1):
                    a = max(start, -step)
                    b = max(a, min(end, g.w - step))
                    there = slice(a + step, b + step)
                    add_products(
                        dy[group, near, there],
                        y[group, near, there],
                        inverse[group, near, there],
                        total[a - start : b - start],
                    )
            line = slice(start, end)
            differentiate(x[group, i, line], inverse[group, i, line], dy[group, i, line], total, factor, beta)


# The loops over a stretch of a line, which become vector code.


@jit
def add_squares(x, total):
    for j in range(total.size):
        total[j] += x[j] * x[j]


@jit
def add_products(dy, y, inverse, total):
    for j in range(total.size):
        total[j] += dy[j] * y[j] * inverse[j]


@jit
def normalize(x, y, total, k, alpha, beta):
    for j in range(total.size):
        total[j] = x.dtype.type(1) / (k + alpha * total[j])
        y[j] = x[j] * power(total[j], beta)


@jit
def differentiate(x, inverse, dy, total, factor, beta):
    for j in range(total.size):
        total[j] = dy[j] * power(inverse[j], beta) - factor * x[j] * total[j]


@jit
def power(base, beta):
    if beta == 0.75:  # what nets use: two square roots are vector instructions, pow is not
        root = np.sqrt(base)
        return root * np.sqrt(root)
    return base**beta
