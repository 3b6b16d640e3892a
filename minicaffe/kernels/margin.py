"""Losses that ask for a margin: between classes (hinge), between items (contrastive).

Partial sums as in partial_sums.py, labels as in loss.py; slope = the derivative of an item's loss, for
loss_backward.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .loss import Labels
from .partial_sums import CHUNK, NONE, conclude, leave, measuring, whole
from .registry import geometry

NEAR = 1e-4  # Caffe adds it to a distance before dividing by it
NOT_WHOLE = -(2**31)  # what `whole` makes of NaN


@measuring()
def hinge_loss_forward(
    x, labels, slope, sums, tally: np.int32, y, outcome, noted: np.int32, value, g: Labels, squared: int,
    fixed: float,
):  # fmt: skip
    """The sum over items and classes of m, or m^2 if squared, with m = max(0, 1 + x), at the label max(0, 1 -
    x); NaN for a label that is no class."""
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for chunk in range(sums.size):
        total, first = zero, NONE
        size = min(g.outer - chunk * CHUNK, CHUNK)
        for i in range(chunk * CHUNK, chunk * CHUNK + size):
            label = whole(labels[i])
            known = 0 <= label < g.classes
            for c in range(g.classes):
                k = i * g.classes + c
                sign = -one if c == label else one
                m = one + sign * x[k]
                if m <= 0:  # NaN stays
                    m = zero
                total += m * m if squared else m
                step = 2 * m if squared else (one if m > 0 else m)
                slope[k] = sign * step if known else zero
            if not known:
                first = min(first, i)
                total += x.dtype.type(math.nan)
        leave(chunk, total, size, first, sums, tally)
    conclude(labels, sums, tally, y, outcome, noted, value, fixed)


@geometry
class Pairs(NamedTuple):
    """`count` pairs of items of `length` elements; legacy 1: the margin is one of squared distances."""

    count: int
    length: int
    legacy: int


@measuring()
def contrastive_loss_forward(
    a, b, same, slope, sums, tally: np.int32, y, outcome, noted: np.int32, value, g: Pairs, margin: float,
    fixed: float,
):  # fmt: skip
    """The sum of d^2 / 2 over pairs that are the same, of max(0, margin - d)^2 / 2 over others, with d = |a -
    b|; legacy: max(0, margin - d^2) / 2.  NaN where `same` is no number.

    slope = the derivative by a; for pairs that are not the same with 1 / (d + 1e-4) in the place of 1 / d.
    """
    zero, half = a.dtype.type(0), a.dtype.type(0.5)
    for chunk in range(sums.size):
        total, first = zero, NONE
        size = min(g.count - chunk * CHUNK, CHUNK)
        for i in range(chunk * CHUNK, chunk * CHUNK + size):
            square = zero
            for k in range(i * g.length, (i + 1) * g.length):
                square += (a[k] - b[k]) * (a[k] - b[k])
            factor, kind = a.dtype.type(1), whole(same[i])
            if kind == NOT_WHOLE:
                first = min(first, i)
                total += a.dtype.type(math.nan)
                factor = zero
            elif kind != 0:
                total += square
            elif g.legacy:
                short = margin - square
                total += zero if short <= 0 else short
                factor = zero if short <= 0 else -factor
            else:
                d = math.sqrt(square)
                short = margin - d
                short = zero if short <= 0 else short
                total += short * short
                factor = -short / (d + a.dtype.type(NEAR))
            for k in range(i * g.length, (i + 1) * g.length):
                slope[k] = factor * (a[k] - b[k])
        leave(chunk, half * total, size, first, sums, tally)
    conclude(same, sums, tally, y, outcome, noted, value, fixed)
