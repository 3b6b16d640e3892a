"""What DenseBlock needs beside batch norms and convolutions: filters turned round, running means."""

from __future__ import annotations

from numba import prange

from .batch_norm import Channels
from .registry import kernel


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
