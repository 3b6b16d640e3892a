"""Parameter updates over the flat blocks of weights, gradients and history.

A parameter starts on a multiple of BLOCK elements (parameters.py), so its multipliers are looked up per
block.  What changes from iteration to iteration lies in the device array `hyper`, so that a captured step
need not be captured again.
"""

from __future__ import annotations

import math

from numba import prange

from .registry import kernel

BLOCK_SIZE = 64  # elements that share one learning-rate and decay multiplier
CHUNK = 4096  # elements per partial sum of the gradient's norm

RATE, MOMENTUM, DECAY, SCALE, NORM = range(5)  # entries of hyper
HYPER = 8  # its length


@kernel(blocks=lambda dw, partial, count: -(-count // CHUNK))
def square_sums(dw, partial, count: int):
    """partial[i] = sum of dw^2 over chunk i: the same for any number of threads."""
    for i in prange((count + CHUNK - 1) // CHUNK):
        total = dw.dtype.type(0)
        for j in range(i * CHUNK, min(count, i * CHUNK + CHUNK)):
            total += dw[j] * dw[j]
        partial[i] = total


@kernel(threads=lambda partial, hyper, count, clip, passes: 1, parallel=False)
def clip_scale(partial, hyper, count: int, clip: float, passes: float):
    """hyper[NORM] = sqrt of the sum of partial; hyper[SCALE] brings a gradient longer than `clip` to that
    length, and turns the sum over `passes` passes into their mean."""
    total = hyper.dtype.type(0)
    for i in range(count):
        total += partial[i]
    norm = math.sqrt(total)
    hyper[NORM] = norm
    hyper[SCALE] = (clip / norm if norm > clip else 1) / passes


@kernel(threads=lambda w, dw, history, rates, decays, hyper, count, l1: count)
def sgd_update(w, dw, history, rates, decays, hyper, count: int, l1: int):
    """history = momentum * history + rate * g, w -= history, where g = scale * dw + decay * w (or
    sign(w))."""
    zero, one = w.dtype.type(0), w.dtype.type(1)
    momentum, scale = hyper[MOMENTUM], hyper[SCALE]
    for block in prange(count // BLOCK_SIZE):
        rate, decay = hyper[RATE] * rates[block], hyper[DECAY] * decays[block]
        for i in range(block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE):
            pull = (one if w[i] > 0 else zero) - (one if w[i] < 0 else zero) if l1 else w[i]
            step = momentum * history[i] + rate * (scale * dw[i] + decay * pull)
            history[i] = step
            w[i] -= step
