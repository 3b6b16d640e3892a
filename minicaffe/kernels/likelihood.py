"""Losses of probabilities: what the label's, or every class's, probability costs.

Partial sums as in partial_sums.py, labels as in loss.py; slope = the derivative of a position's loss, for
loss_backward.
"""

from __future__ import annotations

import math

import numpy as np

from .loss import Labels, first_score
from .partial_sums import CHUNK, NONE, conclude, leave, measuring, whole

FLOOR = 1e-20  # of a probability, so that its logarithm stays finite


@measuring()
def multinomial_loss_forward(
    p, labels, slope, sums, tally: np.int32, y, outcome, noted: np.int32, value, g: Labels, fixed: float
):
    """The sum of -log(max(p[label], 1e-20)); NaN for a label that is no class.

    slope = -1 / max(p, 1e-20) at the label, 0 elsewhere.
    """
    floor = p.dtype.type(FLOOR)
    positions = g.outer * g.inner
    for chunk in range(sums.size):
        total, first = p.dtype.type(0), NONE
        size = min(positions - chunk * CHUNK, CHUNK)
        for i in range(chunk * CHUNK, chunk * CHUNK + size):
            start = first_score(i, g)
            for c in range(g.classes):
                slope[start + c * g.inner] = 0
            label = whole(labels[i])
            if 0 <= label < g.classes:
                k = start + label * g.inner
                likelihood = floor if p[k] < floor else p[k]
                total -= math.log(likelihood)
                slope[k] = -1 / likelihood
            else:
                first = min(first, i)
                total += p.dtype.type(math.nan)
        leave(chunk, total, size, first, sums, tally)
    conclude(labels, sums, tally, y, outcome, noted, value, fixed)


@measuring()
def class_weights_loss_forward(
    p, labels, weights, slope, sums, tally: np.int32, y, outcome, noted: np.int32, value, g: Labels,
    fixed: float,
):  # fmt: skip
    """The sum of -weights[label] * log(max(p[label], 2^-126)) where the label counts; NaN if it is no class.

    slope = the derivative by the scores whose softmax p is: weights[label] * (p[c] - [c is the label]).
    """
    tiny, zero, one = p.dtype.type(2.0**-126), p.dtype.type(0), p.dtype.type(1)
    positions = g.outer * g.inner
    for chunk in range(sums.size):
        total, counted, first = zero, 0, NONE
        for i in range(chunk * CHUNK, min(positions, (chunk + 1) * CHUNK)):
            start = first_score(i, g)
            label = whole(labels[i])
            counts = not (g.ignoring and label == g.ignore)
            known = 0 <= label < g.classes
            weight = weights[label] if counts and known else zero
            counted += counts
            for c in range(g.classes):
                k = start + c * g.inner
                slope[k] = weight * (p[k] - (one if c == label else zero))
            if counts and known:
                likelihood = p[start + label * g.inner]
                total -= weight * math.log(tiny if likelihood < tiny else likelihood)
            elif counts:
                first = min(first, i)
                total += p.dtype.type(math.nan)
        leave(chunk, total, counted, first, sums, tally)
    conclude(labels, sums, tally, y, outcome, noted, value, fixed)


@measuring()
def infogain_loss_forward(
    p, labels, gain, slope, sums, tally: np.int32, y, outcome, noted: np.int32, value, g: Labels, fixed: float
):
    """The sum of -sum_c gain[label, c] * log(max(p[c], 1e-20)) where the label counts; NaN if it is no class.

    slope = the derivative by the scores whose softmax p is: p[c] * sum(gain[label]) - gain[label, c].
    """
    floor, zero = p.dtype.type(FLOOR), p.dtype.type(0)
    positions = g.outer * g.inner
    for chunk in range(sums.size):
        total, counted, first = zero, 0, NONE
        for i in range(chunk * CHUNK, min(positions, (chunk + 1) * CHUNK)):
            start = first_score(i, g)
            label = whole(labels[i])
            counts = not (g.ignoring and label == g.ignore)
            counted += counts
            if counts and 0 <= label < g.classes:
                row = gain[label * g.classes : (label + 1) * g.classes]
                whole_row = zero
                for c in range(g.classes):
                    likelihood = p[start + c * g.inner]
                    total -= row[c] * math.log(floor if likelihood < floor else likelihood)
                    whole_row += row[c]
                for c in range(g.classes):
                    slope[start + c * g.inner] = p[start + c * g.inner] * whole_row - row[c]
            else:
                for c in range(g.classes):
                    slope[start + c * g.inner] = 0
                if counts:
                    first = min(first, i)
                    total += p.dtype.type(math.nan)
        leave(chunk, total, counted, first, sums, tally)
    conclude(labels, sums, tally, y, outcome, noted, value, fixed)
