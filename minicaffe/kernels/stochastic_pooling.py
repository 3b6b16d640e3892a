"""Stochastic pooling: one element of every window, drawn with a probability proportional to its value.

Only positive elements count: the weight of the others is 0, so a window without any gives 0 and passes no
gradient.  One NaN makes its window NaN.  Weights are added up in double precision, so that every device draws
the same element.

The word for output e of a sample (channels in front) is number e % 4 of philox at the counter

    (e // 4, low word of the sample's number, high word, which)

with samples numbered through the run, as in random.py; `which` counts the drawings of one layer in one pass.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .cpu import jit
from .pooling3d import Pool3d, box
from .random import draw
from .registry import kernel


@jit
def weight(value):
    """The value if it is positive (or NaN), else 0."""
    return np.float64(0) if value <= 0 else np.float64(value)


@jit
def total_weight(volume, o, g):
    """The sum of the weights in the window of output o."""
    z0, z1, i0, i1, j0, j1 = box(o, g)
    total = np.float64(0)
    for z in range(z0, z1):
        for i in range(i0, i1):
            for index in range((z * g.h + i) * g.w + j0, (z * g.h + i) * g.w + j1):
                total += weight(volume[index])
    return total


@jit
def reached(volume, o, threshold, g):
    """The first place in the window of output o up to which the weights are at least `threshold`; if rounding
    keeps them below it, the last place of positive weight."""
    z0, z1, i0, i1, j0, j1 = box(o, g)
    total, at = np.float64(0), -1
    for z in range(z0, z1):
        for i in range(i0, i1):
            for index in range((z * g.h + i) * g.w + j0, (z * g.h + i) * g.w + j1):
                if volume[index] > 0:
                    total, at = total + weight(volume[index]), index
                    if total >= threshold:
                        return at
    return at


@kernel(threads=lambda x, y, mask, stream, channels, which, g: y.size)
def stochastic_pool_forward(x, y, mask: np.int32, stream: np.uint32, channels: int, which: int, g: Pool3d):
    """mask = the first place in the window, in row-major order, up to which the weights add up to at least u
    times their sum, u = (word + 1) / 2^32; y = x there.  Without a positive element, y = 0 and mask = -1."""
    size, outputs, batch = g.d * g.h * g.w, g.od * g.oh * g.ow, g.volumes // channels
    for v in prange(g.volumes):
        volume = x[v * size : (v + 1) * size]
        number = np.uint64(stream[2]) * np.uint64(batch) + np.uint64(v // channels)
        low, high = np.uint32(number), np.uint32(number >> np.uint64(32))
        first = v % channels * outputs
        a, b, c, d = draw(np.uint32(first // 4), low, high, np.uint32(which), stream[0], stream[1])
        for o in range(outputs):
            e = first + o
            if e % 4 == 0:
                a, b, c, d = draw(np.uint32(e // 4), low, high, np.uint32(which), stream[0], stream[1])
            word = a if e % 4 == 0 else b if e % 4 == 1 else c if e % 4 == 2 else d
            total = total_weight(volume, o, g)
            u = (np.float64(word) + 1.0) * 2.0**-32
            at = reached(volume, o, u * total, g) if total > 0 else -1
            y[v * outputs + o] = volume[at] if at >= 0 else total  # 0 or NaN
            mask[v * outputs + o] = at


@kernel(threads=lambda x, y, sums, g: y.size)
def weighted_pool_forward(x, y, sums, g: Pool3d):
    """y = sum of weight^2 / sum of weight over the window, what stochastic_pool_forward gives on average;
    sums = the sum of weight.  Without a positive element, y = 0."""
    size, outputs = g.d * g.h * g.w, g.od * g.oh * g.ow
    for v in prange(g.volumes):
        volume = x[v * size : (v + 1) * size]
        for o in range(outputs):
            total, squares = total_weight(volume, o, g), np.float64(0)
            z0, z1, i0, i1, j0, j1 = box(o, g)
            for z in range(z0, z1):
                for i in range(i0, i1):
                    for index in range((z * g.h + i) * g.w + j0, (z * g.h + i) * g.w + j1):
                        squares += weight(volume[index]) * weight(volume[index])
            y[v * outputs + o] = squares / total if 0 < total < np.inf else total  # 0, infinity or NaN
            sums[v * outputs + o] = total


@kernel(threads=lambda x, y, sums, dy, dx, g, add: dx.size)
def weighted_pool_backward(x, y, sums, dy, dx, g: Pool3d, add: int):
    """dx = sum of dy * (2 x - y) / sums over the windows that hold the element, 0 where its weight is; + dx
    if add."""
    size, outputs = g.d * g.h * g.w, g.od * g.oh * g.ow
    for v in prange(g.volumes):
        volume, down = x[v * size : (v + 1) * size], dx[v * size : (v + 1) * size]
        for index in range(0 if add else size):
            down[index] = 0
        for o in range(outputs):
            mean, total, above = y[v * outputs + o], sums[v * outputs + o], dy[v * outputs + o]
            z0, z1, i0, i1, j0, j1 = box(o, g)
            for z in range(z0, z1):
                for i in range(i0, i1):
                    for index in range((z * g.h + i) * g.w + j0, (z * g.h + i) * g.w + j1):
                        if not volume[index] <= 0:
                            value = volume[index]
                            down[index] += above * ((value + value - mean) / total)
