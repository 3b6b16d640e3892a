"""Parameter updates over the flat blocks of weights, gradients and history.

A parameter starts on a multiple of BLOCK elements (parameters.py), so its multipliers are looked up per
block.  What changes from iteration to iteration lies in the device array `hyper`, so that a captured step
need not be captured again.

An update kernel turns dw into g (`gradient`), g and the history into a step, and takes the step off w.  A
step is 0 where its numerator is, even with delta 0.  Once HALT is set it does nothing, so that the host may
look later: what it then finds is as it was before the iteration that went wrong.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numba.extending import register_jitable

from .cpu import jit
from .registry import kernel

BLOCK_SIZE = 64  # elements that share one learning-rate and decay multiplier
CHUNK = 4096  # elements per partial sum of the gradient's norm

# Entries of hyper; SECOND is the decay of squared gradients, CORRECTION Adam's for the start.
RATE, MOMENTUM, DECAY, SCALE, NORM, SECOND, DELTA, CORRECTION = range(8)
SETTINGS = 8  # the entries that are set for every update; behind them what `judge` finds:
BAD, HALT, GOOD = range(8, 11)  # a loss was not finite; no more updates are made; gradients good before that
HYPER = 11  # its length


@register_jitable  # a range cannot leave compiled code, so interpreted kernels run this as it stands
def elements(block):
    """The indices of a block.  Unsigned: what Python makes of negative ones keeps a loop from being
    vectorised."""
    return range(np.uintp(block * BLOCK_SIZE), np.uintp((block + 1) * BLOCK_SIZE))


@kernel(blocks=lambda dw, partial, count: -(-count // CHUNK))
def square_sums(dw, partial, count: int):
    """partial[i] = sum of dw^2 over chunk i: the same for any number of threads."""
    for i in prange((count + CHUNK - 1) // CHUNK):
        total = dw.dtype.type(0)
        for j in range(np.uintp(i * CHUNK), np.uintp(min(count, i * CHUNK + CHUNK))):
            total += dw[j] * dw[j]
        partial[i] = total


@kernel(blocks=lambda x, hyper, count: 1, parallel=False)
def note_nonfinite(x, hyper, count: int):
    """hyper[BAD] = 1 if an element of x is not finite."""
    for i in range(count):
        if not np.isfinite(x[i]):
            hyper[BAD] = 1


@kernel(blocks=lambda partial, outcomes, hyper, count, numbers: 1, parallel=False)
def judge(partial, outcomes, hyper, count: int, numbers: int):
    """Count one more good gradient, or from now on none: hyper[HALT] = 1 if a loss was bad or is, or the sum
    of partial, the squared gradient, is not finite.  `numbers` of outcomes are what losses came to."""
    total = np.float64(0)
    for i in range(count):
        total += partial[i]
    bad = hyper[BAD] != 0
    for i in range(numbers):
        bad = bad or not np.isfinite(outcomes[i])
    if bad or not np.isfinite(total):
        hyper[HALT] = 1
    elif hyper[HALT] == 0:
        hyper[GOOD] += 1


@kernel(blocks=lambda partial, hyper, count, clip, passes: 1, parallel=False)
def clip_scale(partial, hyper, count: int, clip: float, passes: float):
    """hyper[NORM] = sqrt of the sum of partial; hyper[SCALE] brings a gradient longer than `clip` to that
    length, and turns the sum over `passes` passes into their mean."""
    total = hyper.dtype.type(0)
    for i in range(count):
        total += partial[i]
    norm = math.sqrt(total)
    hyper[NORM] = norm
    hyper[SCALE] = (clip / norm if norm > clip else 1) / passes


@jit
def gradient(w, dw, scale, decay, l1):
    """g = scale * dw + decay * w, or decay * sign(w) with l1: the gradient of what is minimised."""
    if l1:
        sign = decay if w > 0 else -decay
        return scale * dw + (sign if w != 0 else decay * w)
    return scale * dw + decay * w


@kernel(threads=lambda w, dw, history, rates, decays, hyper, count, l1: count)
def sgd_update(w, dw, history, rates, decays, hyper, count: int, l1: int):
    """history = momentum * history + rate * g, w -= history."""
    if hyper[HALT] != 0:
        return
    momentum, scale = hyper[MOMENTUM], hyper[SCALE]
    for block in prange(count // BLOCK_SIZE):
        rate, decay = hyper[RATE] * rates[block], hyper[DECAY] * decays[block]
        for i in elements(block):
            step = momentum * history[i] + rate * gradient(w[i], dw[i], scale, decay, l1)
            history[i] = step
            w[i] -= step


@kernel(threads=lambda w, dw, history, rates, decays, hyper, count, l1: count)
def nesterov_update(w, dw, history, rates, decays, hyper, count: int, l1: int):
    """new = momentum * history + rate * g, w -= (1 + momentum) * new - momentum * history, history = new."""
    if hyper[HALT] != 0:
        return
    momentum, scale = hyper[MOMENTUM], hyper[SCALE]
    ahead = 1 + momentum
    for block in prange(count // BLOCK_SIZE):
        rate, decay = hyper[RATE] * rates[block], hyper[DECAY] * decays[block]
        for i in elements(block):
            old = momentum * history[i]
            step = old + rate * gradient(w[i], dw[i], scale, decay, l1)
            history[i] = step
            w[i] -= ahead * step - old


@kernel(threads=lambda w, dw, squares, rates, decays, hyper, count, l1: count)
def adagrad_update(w, dw, squares, rates, decays, hyper, count: int, l1: int):
    """squares += g^2, w -= rate * g / (sqrt(squares) + delta)."""
    if hyper[HALT] != 0:
        return
    scale, delta, zero = hyper[SCALE], hyper[DELTA], w.dtype.type(0)
    for block in prange(count // BLOCK_SIZE):
        rate, decay = hyper[RATE] * rates[block], hyper[DECAY] * decays[block]
        for i in elements(block):
            g = gradient(w[i], dw[i], scale, decay, l1)
            squares[i] += g * g
            w[i] -= zero if g == 0 else rate * g / (math.sqrt(squares[i]) + delta)


@kernel(threads=lambda w, dw, squares, rates, decays, hyper, count, l1: count)
def rmsprop_update(w, dw, squares, rates, decays, hyper, count: int, l1: int):
    """squares = second * squares + (1 - second) * g^2, w -= rate * g / (sqrt(squares) + delta)."""
    if hyper[HALT] != 0:
        return
    scale, delta, zero = hyper[SCALE], hyper[DELTA], w.dtype.type(0)
    second, fresh = hyper[SECOND], 1 - hyper[SECOND]
    for block in prange(count // BLOCK_SIZE):
        rate, decay = hyper[RATE] * rates[block], hyper[DECAY] * decays[block]
        for i in elements(block):
            g = gradient(w[i], dw[i], scale, decay, l1)
            squares[i] = second * squares[i] + fresh * g * g
            w[i] -= zero if g == 0 else rate * g / (math.sqrt(squares[i]) + delta)


@kernel(threads=lambda w, dw, squares, steps, rates, decays, hyper, count, l1: count)
def adadelta_update(w, dw, squares, steps, rates, decays, hyper, count: int, l1: int):
    """squares = momentum * squares + (1 - momentum) * g^2, v = g * sqrt((steps + delta) / (squares + delta)),
    steps = momentum * steps + (1 - momentum) * v^2, w -= rate * v."""
    if hyper[HALT] != 0:
        return
    scale, delta, zero = hyper[SCALE], hyper[DELTA], w.dtype.type(0)
    momentum, fresh = hyper[MOMENTUM], 1 - hyper[MOMENTUM]
    for block in prange(count // BLOCK_SIZE):
        rate, decay = hyper[RATE] * rates[block], hyper[DECAY] * decays[block]
        for i in elements(block):
            g = gradient(w[i], dw[i], scale, decay, l1)
            squares[i] = momentum * squares[i] + fresh * g * g
            v = zero if g == 0 else g * math.sqrt((steps[i] + delta) / (squares[i] + delta))
            steps[i] = momentum * steps[i] + fresh * v * v
            w[i] -= rate * v


@kernel(threads=lambda w, dw, means, squares, rates, decays, hyper, count, l1: count)
def adam_update(w, dw, means, squares, rates, decays, hyper, count: int, l1: int):
    """means = momentum * means + (1 - momentum) * g, squares = second * squares + (1 - second) * g^2,
    w -= rate * correction * means / (sqrt(squares) + delta)."""
    if hyper[HALT] != 0:
        return
    scale, delta, zero = hyper[SCALE], hyper[DELTA], w.dtype.type(0)
    momentum, fresh = hyper[MOMENTUM], 1 - hyper[MOMENTUM]
    second, fresh_square = hyper[SECOND], 1 - hyper[SECOND]
    for block in prange(count // BLOCK_SIZE):
        rate = hyper[RATE] * rates[block] * hyper[CORRECTION]
        decay = hyper[DECAY] * decays[block]
        for i in elements(block):
            g = gradient(w[i], dw[i], scale, decay, l1)
            mean = momentum * means[i] + fresh * g
            means[i] = mean
            squares[i] = second * squares[i] + fresh_square * g * g
            w[i] -= zero if mean == 0 else rate * mean / (math.sqrt(squares[i]) + delta)


@kernel(threads=lambda w, dw, means, squares, rates, decays, hyper, count: count)
def adamw_update(w, dw, means, squares, rates, decays, hyper, count: int):
    """As adam_update with g = scale * dw, and w also loses rate * decay * w."""
    if hyper[HALT] != 0:
        return
    scale, delta, zero = hyper[SCALE], hyper[DELTA], w.dtype.type(0)
    momentum, fresh = hyper[MOMENTUM], 1 - hyper[MOMENTUM]
    second, fresh_square = hyper[SECOND], 1 - hyper[SECOND]
    for block in prange(count // BLOCK_SIZE):
        rate = hyper[RATE] * rates[block]
        decay, step = rate * hyper[DECAY] * decays[block], rate * hyper[CORRECTION]
        for i in elements(block):
            g = scale * dw[i]
            mean = momentum * means[i] + fresh * g
            means[i] = mean
            squares[i] = second * squares[i] + fresh_square * g * g
            w[i] -= decay * w[i] + (zero if mean == 0 else step * mean / (math.sqrt(squares[i]) + delta))


@kernel(threads=lambda w, mean, count, keep: count)
def blend(w, mean, count: int, keep: float):
    """mean = keep * mean + (1 - keep) * w."""
    fresh = 1 - keep
    for i in prange(count):
        mean[i] = keep * mean[i] + fresh * w[i]


@kernel(threads=lambda a, b, count: count)
def swap(a, b, count: int):
    """a and b change places."""
    for i in prange(count):
        kept = a[i]
        a[i] = b[i]
        b[i] = kept
