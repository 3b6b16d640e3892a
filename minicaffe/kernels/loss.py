"""Losses and accuracies; see partial_sums.py for what their kernels share."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import prange

from .cpu import jit
from .elementary import exp, log1p
from .partial_sums import CHUNK, NONE, conclude, leave, measuring, whole
from .registry import geometry, kernel
from .softmax import column_blocks, normalize_column


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

    @property
    def pieces(self) -> int:
        """Partial sums of softmax_loss_forward: one for each block of a GPU, and enough for the CPU."""
        return max(1, column_blocks(self.outer, self.classes, self.inner))


@jit
def first_score(i, g):
    """Where the scores of position i begin; one is g.inner behind the other."""
    return i // g.inner * g.classes * g.inner + i % g.inner


# -- softmax: p are probabilities


@measuring(parallel=True)
def softmax_loss_forward(
    x, labels, p, target: np.int32, sums, tally: np.int32, y, outcome, noted: np.int32, value, g: Labels,
    fixed: float,
):  # fmt: skip
    """p = softmax(x), and the sum of -log(max(p[label], 2^-126)); NaN for a label that is no class.

    target = the label of every position that has a gradient, -1 elsewhere.  The CPU has partial sums of
    chunks, and no use for the rest of `sums`.
    """
    tiny = p.dtype.type(2.0**-126)
    positions = g.outer * g.inner
    for column in prange(positions):
        normalize_column(x, p, column, g.classes, g.inner)
    pieces = max(1, (positions + CHUNK - 1) // CHUNK)
    for chunk in range(pieces):
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
        leave(chunk, total, counted, first, sums, tally)
    conclude(labels, sums[:pieces], tally, y, outcome, noted, value, fixed)


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


@measuring(parallel=True)
def sigmoid_loss_forward(
    x, t, slope, sums, tally: np.int32, y, outcome, noted: np.int32, value, g: Labels, fixed: float
):
    """The sum of x * ([x > 0] - t) + log(1 + exp(-|x|)), the cross entropy of sigmoid(x) and t.

    slope = sigmoid(x) - t; 0 where t, cut to a whole number, is ignored.
    """
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for chunk in prange(sums.size):
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
        leave(chunk, total, counted, NONE, sums, tally)
    conclude(t, sums, tally, y, outcome, noted, value, fixed)


@kernel(blocks=lambda t, shares, g: g.outer)
def balance(t, shares, g: Labels):
    """shares[image] = the share of the zeros among the zeros and ones of t; 0 if there are none."""
    for image in prange(g.outer):
        ones, zeros = 0, 0
        for i in range(image * g.inner, (image + 1) * g.inner):
            ones += t[i] == 1
            zeros += t[i] == 0
        shares[image] = zeros / max(ones + zeros, 1)


@measuring(parallel=True)
def balanced_loss_forward(
    x, t, shares, slope, sums, tally: np.int32, y, outcome, noted: np.int32, value, g: Labels, fixed: float
):
    """As sigmoid_loss_forward: where t is 1 times the image's share, where it is 0 times the rest of 1.

    What else t is does not count in the sum; slope is there that of sigmoid_loss_forward.
    """
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for chunk in prange(sums.size):
        total, size = zero, min(x.size - chunk * CHUNK, CHUNK)
        for i in range(chunk * CHUNK, chunk * CHUNK + size):
            share = shares[i // g.inner]
            e = exp(-abs(x[i]))  # at most 1
            weight = share if t[i] == 1 else one - share
            counts = t[i] == 1 or t[i] == 0
            if counts:
                total += weight * (x[i] * ((one if x[i] > 0 else zero) - t[i]) + log1p(e))
            error = (one if x[i] > 0 else e) / (one + e) - t[i]
            slope[i] = weight * error if counts else error
        leave(chunk, total, size, NONE, sums, tally)
    conclude(t, sums, tally, y, outcome, noted, value, fixed)


@measuring()
def euclidean_loss_forward(
    a, b, slope, sums, tally: np.int32, y, outcome, noted: np.int32, value, count: int, fixed: float
):
    """The sum of (a - b)^2 / 2; slope = a - b."""
    half = a.dtype.type(0.5)
    for chunk in range(sums.size):
        part = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
        xs, ys, slopes = a[part], b[part], slope[part]
        total = a.dtype.type(0)
        for i in range(xs.size):
            difference = xs[i] - ys[i]
            slopes[i] = difference
            total += difference * difference
        leave(chunk, half * total, xs.size, NONE, sums, tally)
    conclude(b, sums, tally, y, outcome, noted, value, fixed)


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


@measuring()
def accuracy_forward(
    x, labels, sums, tally: np.int32, y, outcome, noted: np.int32, value, g: Labels, top_k: int, fixed: float
):
    """How many positions have their label's score among the top_k."""
    positions = g.outer * g.inner
    for chunk in range(sums.size):
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
        leave(chunk, right, counted, first, sums, tally)
    conclude(labels, sums, tally, y, outcome, noted, value, fixed)


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
    first = first_score(i, g)
    score = x[first + label * g.inner]
    reach = 0
    for c in range(g.classes):
        reach += not x[first + c * g.inner] < score
    return score == score and reach <= top_k
