"""The smooth L1 distance: half the square of a small difference, the size of a large one.

    loss = sum of outside * f(d),  d = inside * (x - t)
    f(d) = s d^2 / 2 if |d| < 1 / s, else |d| - 1 / (2 s)

Partial sums as in partial_sums.py.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from .partial_sums import CHUNK, NONE, conclude, leave, measuring
from .registry import geometry, kernel


@geometry
class Distances(NamedTuple):
    """outer * inner positions of `channels` differences each, stored (outer, channels, inner).

    inside, outside  1 if there are such weights; 0: they are 1, and what is passed for them is not read
    each             1 if there is an array for the loss of every position, or for the gradient by it
    """

    outer: int
    channels: int
    inner: int
    inside: int
    outside: int
    each: int


@measuring(parallel=True)
def smooth_l1_forward(
    x, t, inside, outside, slope, each, sums, tally: np.int32, y, outcome, noted: np.int32, value,
    g: Distances, s: float, fixed: float,
):  # fmt: skip
    """The sum of outside * f; slope = its derivative by x; each = its part of every position."""
    zero, one, half = x.dtype.type(0), x.dtype.type(1), x.dtype.type(0.5)
    positions = g.outer * g.inner
    for chunk in prange(sums.size):
        first, last = chunk * CHUNK, min(positions, (chunk + 1) * CHUNK)
        total = zero
        if g.channels == 1 and not (g.inside or g.outside or g.each):  # contiguous: vector code
            xs, ts, slopes = x[first:last], t[first:last], slope[first:last]
            for i in range(xs.size):
                d = xs[i] - ts[i]
                near, size = abs(d) * s < one, abs(d)
                total += half * s * d * d if near else size - half / s
                slopes[i] = s * d if near else (one if d > zero else -one)
        else:
            for i in range(first, last):
                part, start = zero, i // g.inner * g.channels * g.inner + i % g.inner
                for c in range(g.channels):
                    k = start + c * g.inner
                    w = inside[k] if g.inside else one
                    factor = outside[k] if g.outside else one
                    d = w * (x[k] - t[k])
                    near, size = abs(d) * s < one, abs(d)
                    part += factor * (half * s * d * d if near else size - half / s)
                    slope[k] = factor * w * (s * d if near else (one if d > zero else -one))
                if g.each:
                    each[i] = part
                total += part
        leave(chunk, total, max(last - first, 0), NONE, sums, tally)
    conclude(t, sums, tally, y, outcome, noted, value, fixed)


@kernel(threads=lambda slope, dloss, divisor, deach, dx, g, sign: g.outer * g.channels * g.inner)
def smooth_l1_backward(slope, dloss, divisor, deach, dx, g: Distances, sign: float):
    """dx = sign * slope * (dloss / divisor + deach)."""
    factor = dloss[0] / divisor[0]
    for row in prange(g.outer * g.channels):
        first, above = row * g.inner, row // g.channels * g.inner
        for i in range(g.inner):
            step = factor + deach[above + i] if g.each else factor
            dx[first + i] = sign * slope[first + i] * step


@kernel(
    threads=lambda x, t, inside, outside, dloss, divisor, deach, dw, g, s, outer: (
        g.outer * g.channels * g.inner
    )
)
def smooth_l1_weights_backward(
    x, t, inside, outside, dloss, divisor, deach, dw, g: Distances, s: float, outer: int
):  # fmt: skip
    """dw = the gradient by `outside` if outer is 1, else by `inside`."""
    zero, one, half = x.dtype.type(0), x.dtype.type(1), x.dtype.type(0.5)
    factor = dloss[0] / divisor[0]
    for row in prange(g.outer * g.channels):
        for i in range(g.inner):
            k = row * g.inner + i
            d = inside[k] * (x[k] - t[k])
            near, size = abs(d) * s < one, abs(d)
            step = factor + deach[row // g.channels * g.inner + i] if g.each else factor
            if outer:
                dw[k] = step * (half * s * d * d if near else size - half / s)
            else:
                slope = s * d if near else (one if d > zero else -one)
                dw[k] = step * slope * (x[k] - t[k]) * (outside[k] if g.outside else one)
