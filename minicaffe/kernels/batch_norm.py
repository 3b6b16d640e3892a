"""Batch normalization: mean and variance of every channel over batch and space, and what they are for."""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import prange

from .registry import geometry, kernel


@geometry
class Channels(NamedTuple):
    """x (n, channels, inner)."""

    n: int
    channels: int
    inner: int


@kernel(blocks=lambda x, mean, variance, g: g.channels)
def channel_moments(x, mean, variance, g: Channels):
    """mean[c] and (biased) variance[c] of the elements of channel c; two passes, so that nothing cancels."""
    zero, count = x.dtype.type(0), x.dtype.type(g.n * g.inner)
    for c in prange(g.channels):
        total = zero
        for n in range(g.n):
            first = (n * g.channels + c) * g.inner
            for i in range(first, first + g.inner):
                total += x[i]
        m = total / count
        total = zero
        for n in range(g.n):
            first = (n * g.channels + c) * g.inner
            for i in range(first, first + g.inner):
                total += (x[i] - m) * (x[i] - m)
        mean[c] = m
        variance[c] = total / count


@kernel(threads=lambda mean, variance, means, variances, g, keep, unbias: g.channels, parallel=False)
def add_moments(mean, variance, means, variances, g: Channels, keep: float, unbias: float):
    """means = keep * means + mean, variances = keep * variances + unbias * variance."""
    for c in range(g.channels):
        means[c] = keep * means[c] + mean[c]
        variances[c] = keep * variances[c] + unbias * variance[c]


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


@kernel(threads=lambda x, mean, variance, y, g, eps: x.size)
def normalize(x, mean, variance, y, g: Channels, eps: float):
    """y = (x - mean[c]) / sqrt(variance[c] + eps)."""
    one = x.dtype.type(1)
    for row in prange(g.n * g.channels):
        c = row % g.channels
        m, inverse = mean[c], one / math.sqrt(variance[c] + eps)
        for i in range(row * g.inner, (row + 1) * g.inner):
            y[i] = (x[i] - m) * inverse


@kernel(threads=lambda variance, dy, dx, g, eps: dy.size)
def normalize_backward(variance, dy, dx, g: Channels, eps: float):
    """dx = dy / sqrt(variance[c] + eps): the moments are constants."""
    one = dy.dtype.type(1)
    for row in prange(g.n * g.channels):
        inverse = one / math.sqrt(variance[row % g.channels] + eps)
        for i in range(row * g.inner, (row + 1) * g.inner):
            dx[i] = dy[i] * inverse


@kernel(blocks=lambda x, mean, variance, dy, dx, g, eps: g.channels)
def batch_norm_backward(x, mean, variance, dy, dx, g: Channels, eps: float):
    """dx = (dy - a - b * y) / sqrt(variance[c] + eps), with y = (x - mean[c]) / sqrt(variance[c] + eps); a is
    the mean of dy over the channel and b that of dy * y."""
    zero, one, count = x.dtype.type(0), x.dtype.type(1), x.dtype.type(g.n * g.inner)
    for c in prange(g.channels):
        m, inverse = mean[c], one / math.sqrt(variance[c] + eps)
        a, b = zero, zero
        for n in range(g.n):
            first = (n * g.channels + c) * g.inner
            for i in range(first, first + g.inner):
                a += dy[i]
                b += dy[i] * ((x[i] - m) * inverse)
        a, b = a / count, b / count
        for n in range(g.n):
            first = (n * g.channels + c) * g.inner
            for i in range(first, first + g.inner):
                dx[i] = (dy[i] - a - b * ((x[i] - m) * inverse)) * inverse
