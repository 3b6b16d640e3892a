"""Losses and accuracies: a sum over the positions of a batch, divided by a count.

A position is one prediction: an item, a pixel of an item, an element.  A forward kernel leaves a partial sum
for every CHUNK of positions in `sums`, and two numbers in `tally`: how many positions count, and which is the
first whose label is no class (NONE if there is none).  `divide_sum` and `note_label` put the partial results
together.  So the order of additions depends on neither threads nor blocks, and no kernel asks the host.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import prange

from .cpu import jit
from .elementary import exp, log1p
from .registry import geometry, kernel
from .reindex import NONE

CHUNK = 1024


@geometry
class Labels(NamedTuple):
    """outer * inner positions with `classes` scores each, stored (outer, classes, inner).  A label is cut to
    a whole number; if `ignoring` is 1, positions with label `ignore` do not count."""

    outer: int
    classes: int
    inner: int
    ignoring: int
    ignore: int

    @property
    def positions(self) -> int:
        return self.outer * self.inner


def chunks(positions: int) -> int:
    """How many partial sums there are."""
    return -(-positions // CHUNK)


@jit
def whole(label):
    """A label as an integer; -2^31 for NaN and whatever else does not fit."""
    return np.int32(label) if abs(label) < 2147483648.0 else np.int32(-2147483648)


# -- softmax: p are probabilities


@kernel(blocks=lambda p, labels, target, sums, tally, g: chunks(g.positions), parallel=False)
def softmax_loss_forward(p, labels, target: np.int32, sums, tally: np.int32, g: Labels):
    """The sum of -log(max(p[label], 2^-126)); NaN for a label that is no class.

    target = the label of every position that has a gradient, -1 elsewhere.
    """
    tiny = p.dtype.type(2.0**-126)
    positions = g.outer * g.inner
    for chunk in range((positions + CHUNK - 1) // CHUNK):
        total, counted, first = p.dtype.type(0), 0, NONE
        for i in range(chunk * CHUNK, min(positions, (chunk + 1) * CHUNK)):
            label = whole(labels[i])
            target[i] = -1
            if g.ignoring and label == g.ignore:
                continue
            counted += 1
            if 0 <= label < g.classes:
                target[i] = label
                likelihood = p[(i // g.inner * g.classes + label) * g.inner + i % g.inner]
                total -= math.log(tiny if likelihood < tiny else likelihood)
            else:
                first = min(first, i)
                total += p.dtype.type(math.nan)
        sums[chunk] = total
        tally[2 * chunk] = counted
        tally[2 * chunk + 1] = first


@kernel(threads=lambda p, target, dloss, divisor, dx, g, add: g.positions * g.classes, parallel=False)
def softmax_loss_backward(p, target: np.int32, dloss, divisor, dx, g: Labels, add: int):
    """dx = (p - [class is the target]) * dloss / divisor, 0 in columns without target; += with add."""
    slope = dloss[0] / divisor[0]
    for column in range(g.outer * g.inner):
        first = column // g.inner * g.classes * g.inner + column % g.inner
        end = first + g.classes * g.inner
        if g.inner == 1:  # contiguous: vector code
            pull(p[first:end], dx[first:end], target[column], slope, add)
        else:
            pull(p[first : end : g.inner], dx[first : end : g.inner], target[column], slope, add)


@jit
def pull(p, dx, label, slope, add):
    """One column of softmax_loss_backward."""
    zero, one = p.dtype.type(0), p.dtype.type(1)
    for c in range(p.size):
        step = (p[c] - (one if c == label else zero)) * slope if label >= 0 else zero
        dx[c] = dx[c] + step if add else step


# -- elementwise: slope = the derivative of a position's loss, which the forward pass leaves for the backward


@kernel(blocks=lambda x, t, slope, sums, tally, g: chunks(g.positions))
def sigmoid_loss_forward(x, t, slope, sums, tally: np.int32, g: Labels):
    """The sum of x * ([x > 0] - t) + log(1 + exp(-|x|)), the cross entropy of sigmoid(x) and t.

    slope = sigmoid(x) - t; 0 where t, cut to a whole number, is ignored.
    """
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for chunk in prange((g.outer * g.inner + CHUNK - 1) // CHUNK):
        part = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
        xs, ts, slopes = x[part], t[part], slope[part]
        total, counted = zero, 0
        for i in range(xs.size):
            counts = not (g.ignoring and whole(ts[i]) == g.ignore)
            step = one if xs[i] > 0 else zero
            e = exp(-abs(xs[i]))  # at most 1
            total += xs[i] * (step - ts[i]) + log1p(e) if counts else zero
            slopes[i] = (one if xs[i] > 0 else e) / (one + e) - ts[i] if counts else zero
            counted += counts
        sums[chunk] = total
        tally[2 * chunk] = counted
        tally[2 * chunk + 1] = NONE


@kernel(blocks=lambda a, b, slope, sums, tally, count: chunks(count), parallel=False)
def euclidean_loss_forward(a, b, slope, sums, tally: np.int32, count: int):
    """The sum of (a - b)^2 / 2; slope = a - b."""
    half = a.dtype.type(0.5)
    for chunk in range((count + CHUNK - 1) // CHUNK):
        part = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
        xs, ys, slopes = a[part], b[part], slope[part]
        total = a.dtype.type(0)
        for i in range(xs.size):
            difference = xs[i] - ys[i]
            slopes[i] = difference
            total += difference * difference
        sums[chunk] = half * total
        tally[2 * chunk] = xs.size
        tally[2 * chunk + 1] = NONE


@kernel(threads=lambda slope, dloss, divisor, dx, sign, add: slope.size, parallel=False)
def loss_backward(slope, dloss, divisor, dx, sign: float, add: int):
    """dx = sign * slope * dloss / divisor; += with add."""
    factor = sign * dloss[0] / divisor[0]
    if add:
        for i in range(slope.size):
            dx[i] += slope[i] * factor
    else:
        for i in range(slope.size):
            dx[i] = slope[i] * factor


# -- accuracy


@kernel(blocks=lambda x, labels, sums, tally, g, top_k: chunks(g.positions), parallel=False)
def accuracy_forward(x, labels, sums, tally: np.int32, g: Labels, top_k: int):
    """How many positions have their label's score among the top_k."""
    positions = g.outer * g.inner
    for chunk in range((positions + CHUNK - 1) // CHUNK):
        right, counted, first = 0, 0, NONE
        for i in range(chunk * CHUNK, min(positions, (chunk + 1) * CHUNK)):
            label = whole(labels[i])
            if g.ignoring and label == g.ignore:
                continue
            counted += 1
            if 0 <= label < g.classes:
                right += is_right(x, label, i, g, top_k)
            else:
                first = min(first, i)
        sums[chunk] = right
        tally[2 * chunk] = counted
        tally[2 * chunk + 1] = first


@kernel(blocks=lambda x, labels, y, g, top_k: g.classes)
def class_accuracy_forward(x, labels, y, g: Labels, top_k: int):
    """y[c] = the accuracy over the positions with label c, 0 if there are none."""
    for c in prange(g.classes):
        right, counted = 0, 0
        if not (g.ignoring and c == g.ignore):
            for i in range(g.outer * g.inner):
                if whole(labels[i]) == c:
                    counted += 1
                    right += is_right(x, c, i, g, top_k)
        y[c] = right / max(counted, 1)


@jit
def is_right(x, label, i, g, top_k):
    """Is the label's score at position i a number, and do fewer than top_k others reach it?  NaN does."""
    first = i // g.inner * g.classes * g.inner + i % g.inner
    score = x[first + label * g.inner]
    reach = 0
    for c in range(g.classes):
        reach += not x[first + c * g.inner] < score
    return score == score and reach <= top_k


# -- putting partial results together


@kernel(blocks=lambda sums, tally, y, divisor, chunks, fixed: 1, parallel=False)
def divide_sum(sums, tally: np.int32, y, divisor, chunks: int, fixed: float):
    """y = sum of sums / divisor; divisor = fixed or, where that is 0, the number of positions that count, at
    least 1."""
    total, counted = 0.0, 0
    for chunk in range(chunks):
        total += sums[chunk]
        counted += tally[2 * chunk]
    divisor[0] = fixed if fixed > 0 else max(counted, 1)
    y[0] = total / divisor[0]


@kernel(blocks=lambda labels, tally, position, value, chunks: 1, parallel=False)
def note_label(labels, tally: np.int32, position: np.int32, value, chunks: int):
    """position, value = those of the first label that is no class, unless an earlier one is noted there."""
    first = NONE
    for chunk in range(chunks):
        first = min(first, tally[2 * chunk + 1])
    if position[0] == NONE and first != NONE:
        position[0] = first
        value[0] = labels[first]
