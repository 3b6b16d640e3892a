"""Batch normalization: mean and variance of every channel over batch and space, and what they are for.

A factor and a summand for every channel go with it, and with `relu` 0 takes the place of what is not
positive: what a net has behind its batch normalizations, in the same pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from numba import prange

from .cpu import compiled, jit
from .gemm import add_row, row_part, row_parts
from .registry import geometry, kernel


@geometry
class Channels(NamedTuple):
    """x (n, channels, inner); `fixed`: the moments do not depend on x."""

    n: int
    channels: int
    inner: int
    fixed: int


@geometry
class Wanted(NamedTuple):
    """Which gradients are computed."""

    x: int
    scale: int
    bias: int


@kernel(blocks=lambda x, mean, variance, g: g.channels)
def channel_moments(x, mean, variance, g: Channels):
    """mean[c] and (biased) variance[c] of the elements of channel c; two passes, so that nothing cancels."""
    zero, count = x.dtype.type(0), x.dtype.type(g.n * g.inner)
    for c in prange(row_parts(g.channels) if g.inner == 1 else g.channels):
        if g.inner == 1:  # some channels together, which are neighbours in memory
            first, last = row_part(c, g.channels)
            means, variances = mean[first:last], variance[first:last]
            means[:], variances[:] = 0, 0
            for at in range(0, g.n * g.channels, g.channels):
                add_row(x[at + first : at + last], means)
            means /= count
            for at in range(0, g.n * g.channels, g.channels):
                add_squares(x[at + first : at + last], means, variances)
            variances /= count
            continue
        total = zero
        for n in range(g.n):
            first = (n * g.channels + c) * g.inner
            total += sum_of(x[first : first + g.inner])
        m = total / count
        total = zero
        for n in range(g.n):
            first = (n * g.channels + c) * g.inner
            total += squares(x[first : first + g.inner], m)
        mean[c] = m
        variance[c] = total / count


@kernel(threads=lambda mean, variance, means, variances, g, keep, first, second: g.channels, parallel=False)
def add_moments(mean, variance, means, variances, g: Channels, keep: float, first: float, second: float):
    """means = keep * means + first * mean, variances = keep * variances + second * variance."""
    for c in range(g.channels):
        means[c] = keep * means[c] + first * mean[c]
        variances[c] = keep * variances[c] + second * variance[c]


@kernel(threads=lambda factor, keep: 1, parallel=False)
def add_factor(factor, keep: float):
    """factor = keep * factor + 1: by how much the running sums are too large."""
    factor[0] = keep * factor[0] + 1


@kernel(threads=lambda means, variances, factor, mean, variance, g: g.channels, parallel=False)
def running_moments(means, variances, factor, mean, variance, g: Channels):
    """mean = means / factor, variance = variances / factor; 0 if factor is 0."""
    zero, one = means.dtype.type(0), means.dtype.type(1)
    scale = zero if factor[0] == 0 else one / factor[0]
    for c in range(g.channels):
        mean[c] = means[c] * scale
        variance[c] = variances[c] * scale


@kernel(
    threads=lambda before, means, variances, factor, scale, bias, a, b, g, eps: g.channels, parallel=False
)
def fold(before, means, variances, factor, scale, bias, a, b, g: Channels, eps: float):
    """a and b of every channel with a * x + b = what batch_norm_forward gives for x + before[c] and the
    running moments."""
    zero, one = means.dtype.type(0), means.dtype.type(1)
    part = zero if factor[0] == 0 else one / factor[0]
    for c in range(g.channels):
        a[c] = scale[c] * (one / math.sqrt(variances[c] * part + eps))
        b[c] = bias[c] + (before[c] - means[c] * part) * a[c]


@kernel(threads=lambda x, mean, variance, scale, bias, y, g, eps, relu: x.size)
def batch_norm_forward(x, mean, variance, scale, bias, y, g: Channels, eps: float, relu: int):
    """y = scale[c] * z + bias[c] with z = (x - mean[c]) / sqrt(variance[c] + eps)."""
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for row in prange(g.n if g.inner == 1 else g.n * g.channels):
        if g.inner == 1:
            for c in range(g.channels):
                i, factor = row * g.channels + c, scale[c] * (one / math.sqrt(variance[c] + eps))
                value = (x[i] - mean[c]) * factor + bias[c]
                y[i] = zero if relu and value <= 0 else value
            continue
        c = row % g.channels
        m, factor, summand = mean[c], scale[c] * (one / math.sqrt(variance[c] + eps)), bias[c]
        for i in range(row * g.inner, (row + 1) * g.inner):
            value = (x[i] - m) * factor + summand
            y[i] = zero if relu and value <= 0 else value


@kernel(threads=lambda variance, dy, dx, g, eps: dy.size)
def normalize_backward(variance, dy, dx, g: Channels, eps: float):
    """dx = dy / sqrt(variance[c] + eps): the moments are constants, and nothing goes with them."""
    one = dy.dtype.type(1)
    for row in prange(g.n * g.channels):
        inverse = one / math.sqrt(variance[row % g.channels] + eps)
        for i in range(row * g.inner, (row + 1) * g.inner):
            dx[i] = dy[i] * inverse


def columns_backward(x, mean, variance, scale, bias, dy, dx, dscale, dbias, g, eps, relu, wanted, sums):
    """batch_norm_backward for g.inner = 1: some channels together, which are neighbours in memory.  `sums`
    holds two numbers for each channel."""
    count = x.dtype.type(g.n)
    for block in prange(row_parts(g.channels)):
        first, last = row_part(block, g.channels)
        here = mean[first:last], variance[first:last], scale[first:last], bias[first:last]
        p, q = sums[first:last], sums[g.channels + first : g.channels + last]
        p[:], q[:] = 0, 0
        for at in range(0, g.n * g.channels, g.channels):
            add_row_up(x[at + first : at + last], dy[at + first : at + last], here, p, q, eps, relu)
        if wanted.bias:
            add_row(p, dbias[first:last])
        if wanted.scale:
            add_row(q, dscale[first:last])
        if g.fixed:
            p[:], q[:] = 0, 0
        p /= count
        q /= count
        for at in range(0, g.n * g.channels if wanted.x else 0, g.channels):
            xs, dys = x[at + first : at + last], dy[at + first : at + last]
            differentiate_row(xs, dys, dx[at + first : at + last], here, p, q, eps, relu)


columns_backward = jit(columns_backward, parallel=True)


def make_backward(device) -> Callable:
    """batch_norm_backward: a kernel of its own for columns, which as slices of one number take many times as
    long."""
    plain = compiled(batch_norm_backward)

    def run(*arguments) -> None:
        g = arguments[9]
        if g.inner > 1:
            plain(*arguments)
            return
        count = 2 * g.channels
        sums = device.workspace(count * device.dtype.itemsize)[: count * device.dtype.itemsize]
        columns_backward(*arguments, sums.view(device.dtype))

    return run


@kernel(
    blocks=lambda x, mean, variance, scale, bias, dy, dx, dscale, dbias, g, eps, relu, wanted: g.channels,
    cpu=make_backward,
)
def batch_norm_backward(
    x, mean, variance, scale, bias, dy, dx, dscale, dbias, g: Channels, eps: float, relu: int, wanted: Wanted
):
    """dbias += sum of dy, dscale += sum of dy * z, dx = (dy - p - q * z) * scale / sqrt(variance + eps); p is
    the mean of dy over the channel and q that of dy * z, both 0 if g.fixed.  With relu dy counts where y > 0,
    which is computed again."""
    zero, one, count = x.dtype.type(0), x.dtype.type(1), x.dtype.type(g.n * g.inner)
    for c in prange(g.channels):
        m, inverse, summand = mean[c], one / math.sqrt(variance[c] + eps), bias[c]
        factor = scale[c] * inverse
        p, q = zero, zero
        for n in range(g.n):
            first = (n * g.channels + c) * g.inner
            xs, dys = x[first : first + g.inner], dy[first : first + g.inner]
            one_p, one_q = add_up(xs, dys, m, inverse, factor, summand, relu)
            p, q = p + one_p, q + one_q
        if wanted.bias:
            dbias[c] += p
        if wanted.scale:
            dscale[c] += q
        if g.fixed:
            p, q = zero, zero
        p, q = p / count, q / count
        for n in range(g.n if wanted.x else 0):
            first = (n * g.channels + c) * g.inner
            xs, dys = x[first : first + g.inner], dy[first : first + g.inner]
            differentiate(xs, dys, dx[first : first + g.inner], p, q, m, inverse, factor, summand, relu)


# The loops over a channel of an image, or of a batch of numbers; over neighbours they become vector code.


@jit
def sum_of(x):
    total = x.dtype.type(0)
    for i in range(x.size):
        total += x[i]
    return total


@jit
def squares(x, m):
    """The sum of (x - m)^2."""
    total = x.dtype.type(0)
    for i in range(x.size):
        total += (x[i] - m) * (x[i] - m)
    return total


@jit
def add_squares(x, means, totals):
    """totals += (x - means)^2."""
    for i in range(totals.size):
        totals[i] += (x[i] - means[i]) * (x[i] - means[i])


@jit
def add_up(x, dy, m, inverse, factor, summand, relu):
    """The sums of dy, and of dy * z."""
    p, q, zero = dy.dtype.type(0), dy.dtype.type(0), dy.dtype.type(0)
    for i in range(x.size):
        on = relu == 0 or (x[i] - m) * factor + summand > 0
        above = dy[i] if on else dy[i] * zero
        p += above
        q += above * ((x[i] - m) * inverse)
    return p, q


@jit
def differentiate(x, dy, dx, p, q, m, inverse, factor, summand, relu):
    zero = dy.dtype.type(0)
    for i in range(x.size):
        on = relu == 0 or (x[i] - m) * factor + summand > 0
        dx[i] = ((dy[i] if on else dy[i] * zero) - p - q * ((x[i] - m) * inverse)) * factor


@jit
def add_row_up(x, dy, here, p, q, eps, relu):
    """p += dy and q += dy * z, of one number of every channel."""
    mean, variance, scale, bias = here
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for c in range(x.size):
        inverse = one / math.sqrt(variance[c] + eps)
        on = relu == 0 or (x[c] - mean[c]) * (scale[c] * inverse) + bias[c] > 0
        above = dy[c] if on else dy[c] * zero
        p[c] += above
        q[c] += above * ((x[c] - mean[c]) * inverse)


@jit
def differentiate_row(x, dy, dx, here, p, q, eps, relu):
    """`differentiate` for one number of every channel."""
    mean, variance, scale, bias = here
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for c in range(x.size):
        inverse = one / math.sqrt(variance[c] + eps)
        factor = scale[c] * inverse
        on = relu == 0 or (x[c] - mean[c]) * factor + bias[c] > 0
        dx[c] = ((dy[c] if on else dy[c] * zero) - p[c] - q[c] * ((x[c] - mean[c]) * inverse)) * factor
