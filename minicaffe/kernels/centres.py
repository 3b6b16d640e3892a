"""Losses of items against centres of their classes, against targets, and against each other.

Partial sums as in partial_sums.py; slope = the derivative of the sum, for loss_backward.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import prange

from .partial_sums import CHUNK, NONE, conclude, leave, measuring, whole
from .registry import geometry, kernel


@geometry
class Centres(NamedTuple):
    """`count` items of `length` numbers, and a centre for each of the classes.

    absolute  1: sizes of differences are summed up, else halves of their squares
    each      1: the step of a centre counts for every item of its class
    """

    count: int
    classes: int
    length: int
    absolute: int
    each: int


@measuring()
def center_loss_forward(
    x, labels, centres, slope, sums, tally: np.int32, y, outcome, noted: np.int32, value, g: Centres,
    fixed: float,
):  # fmt: skip
    """The sum of (x - c)^2 / 2, or |x - c|, with c the centre of the item's class; NaN without a class."""
    zero, one, half = x.dtype.type(0), x.dtype.type(1), x.dtype.type(0.5)
    for chunk in range(sums.size):
        total, first = zero, NONE
        size = min(g.count - chunk * CHUNK, CHUNK)
        for i in range(chunk * CHUNK, chunk * CHUNK + size):
            label = whole(labels[i])
            known = 0 <= label < g.classes
            if not known:
                first = min(first, i)
                total += x.dtype.type(math.nan)
            for k in range(g.length):
                d = x[i * g.length + k] - centres[label * g.length + k] if known else zero
                step = (one if d > zero else zero) - (one if d < zero else zero)
                total += abs(d) if g.absolute else half * d * d
                slope[i * g.length + k] = step if g.absolute else d
        leave(chunk, total, size, first, sums, tally)
    conclude(labels, sums, tally, y, outcome, noted, value, fixed)


@kernel(threads=lambda slope, labels, dcentres, g: g.classes * g.length)
def center_steps(slope, labels, dcentres, g: Centres):
    """dcentres[j] -= the sum of the slopes of items of class j, over 1 + their number; `each`: so many times
    as much."""
    zero, one = slope.dtype.type(0), slope.dtype.type(1)
    for j in prange(g.classes):
        members = 0
        for i in range(g.count):
            members += whole(labels[i]) == j
        if members == 0:
            continue
        factor = (slope.dtype.type(members) if g.each else one) / (one + slope.dtype.type(members))
        for k in range(g.length):
            total = zero
            for i in range(g.count):
                if whole(labels[i]) == j:
                    total += slope[i * g.length + k]
            dcentres[j * g.length + k] -= factor * total


@geometry
class Locations(NamedTuple):
    """outer * inner locations of `channels` differences each, stored (outer, channels, inner).

    pairs      1: differences are those of two arrays; 0: the first one as it stands
    skipping   1: what is NaN counts as 0, and has no gradient
    together   1: the root of the sum of squares of a location; 0: the sum of sizes
    entries    1: the divisor is the number of differences that are no NaN, over the channels
    """

    outer: int
    channels: int
    inner: int
    pairs: int
    skipping: int
    together: int
    entries: int


@measuring()
def l1_loss_forward(
    x, t, slope, sums, tally: np.int32, y, outcome, noted: np.int32, value, g: Locations, share: float,
    eps: float, plateau: float, fixed: float,
):  # fmt: skip
    """The sum of |d|, or of sqrt(share * sum of d^2 + eps) over locations; |d| below `plateau` is 0, and a
    sum of squares below its square.  Where entries are counted, slope and sum are `channels` times as much.
    """
    zero, one, times = x.dtype.type(0), x.dtype.type(1), x.dtype.type(g.channels if g.entries else 1)
    locations = g.outer * g.inner
    for chunk in range(sums.size):
        total, counted = zero, 0
        for i in range(chunk * CHUNK, min(locations, (chunk + 1) * CHUNK)):
            start, square = i // g.inner * g.channels * g.inner + i % g.inner, zero
            for k in range(start, start + g.channels * g.inner, g.inner):
                d = x[k] - t[k] if g.pairs else x[k]
                known = d == d or not g.skipping
                counted += known
                d = d if known else zero
                if g.together:
                    slope[k] = d
                    square += share * d * d
                else:
                    d = zero if abs(d) < plateau else d
                    total += times * abs(d)
                    step = one if d > zero else -one
                    slope[k] = d if d == zero or d != d else times * step
            if g.together:
                flat = square < plateau * plateau
                root = math.sqrt((zero if flat else square) + eps)
                total += times * root
                factor = zero if flat or root == zero else times * share / root
                for k in range(start, start + g.channels * g.inner, g.inner):
                    slope[k] *= factor
        leave(chunk, total, counted, NONE, sums, tally)
    conclude(x, sums, tally, y, outcome, noted, value, fixed)


@geometry
class Codes(NamedTuple):
    """`count` items of `length` numbers and `labels` labels each."""

    count: int
    length: int
    labels: int


@measuring()
def hashing_loss_forward(
    x, labels, slope, sums, tally: np.int32, y, outcome, noted: np.int32, value, g: Codes, margin: float,
    tradeoff: float, fixed: float,
):  # fmt: skip
    """The sum over pairs of d^2 where items are alike, max(margin - d^2, 0) where not, over count * (count -
    1), + tradeoff * the sum of ||x| - 1| / count.  slope = the derivative, with half of that of pairs.

    Items are alike if their labels are equal, cut to whole numbers; of several, if their product is above 0.
    """
    zero, one = x.dtype.type(0), x.dtype.type(1)
    pairs, weight = x.dtype.type(max(g.count * (g.count - 1), 1)), tradeoff / x.dtype.type(g.count)
    for chunk in range(sums.size):
        total = zero
        for i in range(chunk * CHUNK, min(g.count, (chunk + 1) * CHUNK)):
            for k in range(i * g.length, (i + 1) * g.length):
                total += weight * abs(abs(x[k]) - one)
                outward = x[k] >= one or (-one <= x[k] <= zero)
                slope[k] = weight if outward else -weight
            for j in range(g.count):
                if j == i:
                    continue
                alike = whole(labels[i * g.labels]) == whole(labels[j * g.labels])
                if g.labels > 1:
                    product = zero
                    for l in range(g.labels):
                        product += labels[i * g.labels + l] * labels[j * g.labels + l]
                    alike = product > zero
                square = zero
                for k in range(g.length):
                    d = x[i * g.length + k] - x[j * g.length + k]
                    square += d * d
                near = margin - square
                if j > i:
                    total += (square if alike else max(near, zero)) / pairs
                sign = one if alike else (-one if near > zero else zero)
                for k in range(g.length):
                    slope[i * g.length + k] += sign * (x[i * g.length + k] - x[j * g.length + k]) / pairs
        leave(chunk, total, 0, NONE, sums, tally)
    conclude(labels, sums, tally, y, outcome, noted, value, fixed)
