"""What DenseBlock needs beside batch norms and convolutions: filters turned, running means, dropout."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from .batch_norm import Channels
from .random import draw, limit_of
from .registry import geometry, kernel


@kernel(threads=lambda w, turned, taps: w.size)
def turn_filters(w, turned, taps: int):
    """turned = every plane of `taps` weights from the last to the first."""
    for plane in prange(w.size // taps):
        for k in range(taps):
            turned[plane * taps + k] = w[(plane + 1) * taps - 1 - k]


@kernel(threads=lambda turned, dw, taps: dw.size)
def add_turned(turned, dw, taps: int):
    """dw += `turned`, turned back."""
    for plane in prange(dw.size // taps):
        for k in range(taps):
            dw[plane * taps + k] += turned[(plane + 1) * taps - 1 - k]


@kernel(threads=lambda mean, variance, means, variances, factor, g, part, unbias: g.channels, parallel=False)
def mix_moments(mean, variance, means, variances, factor, g: Channels, part: float, unbias: float):
    """means / f and variances / f go by `part` of the way to mean and unbias * variance; f is the factor, and
    1 where that is 0."""
    one = mean.dtype.type(1)
    f = factor[0] if factor[0] != 0 else one
    for c in range(g.channels):
        means[c] += part * (f * mean[c] - means[c])
        variances[c] += part * (f * (unbias * variance[c]) - variances[c])


@kernel(threads=lambda means, variances, factor, mean, variance, g: g.channels, parallel=False)
def kept_moments(means, variances, factor, mean, variance, g: Channels):
    """mean = means / f, variance = variances / f, f as in mix_moments."""
    one = mean.dtype.type(1)
    f = factor[0] if factor[0] != 0 else one
    for c in range(g.channels):
        mean[c] = means[c] / f
        variance[c] = variances[c] / f


@geometry
class Part(NamedTuple):
    """`width` elements of each of n samples, x_step apart in x, and y_step in y; in the sample they begin
    with element `first`."""

    n: int
    width: int
    first: int
    x_step: int
    y_step: int


@kernel(threads=lambda x, y, stream, g, ratio, scale: g.n * g.width)
def drop_part(x, y, stream: np.uint32, g: Part, ratio: float, scale: float):
    """What random.py's dropout does, of a part of every sample."""
    zero, limit = x.dtype.type(0), limit_of(ratio)
    for sample in prange(g.n):
        number = np.uint64(stream[2]) * np.uint64(g.n) + np.uint64(sample)
        low, high, last = np.uint32(number), np.uint32(number >> np.uint64(32)), np.uint32(0)
        for j in range(g.width):
            e = g.first + j
            a, b, c, d = draw(np.uint32(e // 4), low, high, last, stream[0], stream[1])
            word = a if e % 4 == 0 else b if e % 4 == 1 else c if e % 4 == 2 else d
            kept = np.int64(word) >= limit
            y[sample * g.y_step + j] = x[sample * g.x_step + j] * scale if kept else zero
