"""Scores of classes as angles to their weights, and what is changed in the score of an item's own class.

`picked` is the class of every item, -1 where its label is none.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import prange

from .cpu import jit
from .registry import geometry, kernel

SINGLE, DOUBLE, TRIPLE, QUADRUPLE = range(4)  # times the angle that a margin asks for


@geometry
class Items(NamedTuple):
    """`count` items of `length` numbers, with scores for so many classes."""

    count: int
    classes: int
    length: int


@kernel(threads=lambda *args: 1, parallel=False)
def anneal(
    passes, value, iteration: int, before: int, gamma: float, power: float, base: float, low: float,
    high: float, product: int,
):  # fmt: skip
    """value = base p if product, else base + p - 1, between low and high, with p = (1 + gamma t)^power; t =
    iteration + the number of earlier passes, which is counted here, + 1 if `before`."""
    one = passes.dtype.type(1)
    t = iteration + before + passes[0]
    passes[0] += one
    p = (one + gamma * t) ** power
    v = base * p if product else base + p - one
    value[0] = min(max(v, low), high)


@kernel(blocks=lambda w, rows, length, eps, slack: rows)
def normalize_rows(w, rows: int, length: int, eps: float, slack: float):
    """Every row over sqrt(sum of its squares + eps); where that is 1 but for `slack`, it is left alone: doing
    it again changes nothing."""
    one = w.dtype.type(1)
    for r in prange(rows):
        row = w[r * length : (r + 1) * length]
        total = w.dtype.type(0)
        for k in range(length):
            total += row[k] * row[k]
        total += eps
        if abs(total - one) > slack:
            norm = math.sqrt(total)
            for k in range(length):
                row[k] /= norm


@jit
def sign(v):
    """-1, 0 or 1."""
    return (v > 0) - (v < 0)


@kernel(threads=lambda x, picked, y, norms, cosines, strength, g, kind: g.count)
def margin_forward(x, picked: np.int32, y, norms, cosines, strength, g: Items, kind: int):
    """The score y of an item's own class, |x| cos a, becomes (f(cos a) |x| + s y) / (1 + s), s = strength[0];
    norms = |x| and cosines = cos a are kept.  Without a class scores are NaN.

    f falls all the way from a = 0 to pi, and is cos(kind + 1) a at first.
    """
    one, two, three, four, eight = [x.dtype.type(n) for n in (1, 2, 3, 4, 8)]
    for i in prange(g.count):
        square = x.dtype.type(0)
        for k in range(i * g.length, (i + 1) * g.length):
            square += x[k] * x[k]
        norms[i] = math.sqrt(square)
        label = picked[i]
        if label < 0:
            cosines[i] = 0
            for c in range(g.classes):
                y[i * g.classes + c] = x.dtype.type(math.nan)
            continue
        at = i * g.classes + label
        c = y[at] / norms[i]
        cosines[i] = c
        s0 = x.dtype.type(sign(c))
        f = c
        if kind == DOUBLE:
            f = two * s0 * c * c - one
        elif kind == TRIPLE:
            s1 = x.dtype.type(sign(abs(c) - x.dtype.type(0.5)))
            f = s1 * (four * c * c * c - three * c) + s0 * (one + s1) - two
        elif kind == QUADRUPLE:
            s3 = s0 * x.dtype.type(sign(two * c * c - one))
            f = s3 * (eight * c * c * c * c - eight * c * c + one) + two * s0 + s3 - three
        if kind != SINGLE:
            y[at] = (f * norms[i] + strength[0] * y[at]) / (one + strength[0])


@kernel(threads=lambda dy, picked, norms, cosines, strength, slope, shares, g, kind: g.count)
def margin_slopes(dy, picked: np.int32, norms, cosines, strength, slope, shares, g: Items, kind: int):
    """slope = dy, at the item's class times what its weights count in the gradient of x; shares = the same
    for x itself.  Both factors, of the first kind alone, are those of a vector of length 1."""
    n = norms.dtype.type
    for i in prange(g.count):
        for j in range(i * g.classes, (i + 1) * g.classes):
            slope[j] = dy[j]
        shares[i] = 0
        label, c = picked[i], cosines[i]
        if label < 0 or kind == SINGLE:
            continue
        s0 = n(sign(c))
        if kind == DOUBLE:
            w = n(4) * s0 * c
            x = -(n(2) * s0 * c * c + n(1))
        elif kind == TRIPLE:
            s1 = n(sign(abs(c) - n(0.5)))
            w = s1 * (n(12) * c * c - n(3))
            x = -(n(8) * s1 * c * c * c - s0 * (n(1) + s1) + n(2))
        else:
            s3 = s0 * n(sign(n(2) * c * c - n(1)))
            w = s3 * (n(32) * c * c * c - n(16) * c)
            x = -(s3 * (n(24) * c * c * c * c - n(8) * c * c - n(1)) - n(2) * s0 - s3 + n(3))
        x /= norms[i]
        size = math.sqrt(w * w + x * x)
        above = dy[i * g.classes + label] / (n(1) + strength[0])
        slope[i * g.classes + label] = above * (w / size + strength[0])
        shares[i] = above * (x / size)


@kernel(threads=lambda x, shares, dx, g: g.count * g.length)
def add_shares(x, shares, dx, g: Items):
    """dx += x times the share of its item."""
    for i in prange(g.count):
        for k in range(i * g.length, (i + 1) * g.length):
            dx[k] += shares[i] * x[k]


@kernel(threads=lambda x, picked, y, shift, g: g.count * g.classes)
def shift_own(x, picked: np.int32, y, shift, g: Items):
    """y = x, + shift[0] at the item's own class where x is greater than -shift[0]."""
    for i in prange(g.count):
        for j in range(g.classes):
            at = i * g.classes + j
            v = x[at]
            y[at] = v + shift[0] if j == picked[i] and v > -shift[0] else v


@kernel(threads=lambda x, picked, y, own, g, other, above, fixed, powers: g.count * g.classes)
def rescale_own(
    x, picked: np.int32, y, own, g: Items, other: float, above: int, fixed: int, powers: int
):  # fmt: skip
    """y = other x, and at the item's own class own[0] x, + 1 - own[0] if `fixed`, or the power own[0] of |x|
    with the sign of x if `powers`; if `above`, it stays x there unless that is above 0."""
    one = x.dtype.type(1)
    for i in prange(g.count):
        for j in range(g.classes):
            at = i * g.classes + j
            v = x[at]
            if j != picked[i]:
                y[at] = other * v
            elif above and not v > 0:
                y[at] = v
            elif powers:
                y[at] = x.dtype.type(sign(v)) * abs(v) ** own[0]
            else:
                y[at] = own[0] * v + (one - own[0] if fixed else x.dtype.type(0))


@kernel(threads=lambda x, picked, dy, dx, own, g, other, above, powers: g.count * g.classes)
def rescale_own_backward(
    x, picked: np.int32, dy, dx, own, g: Items, other: float, above: int, powers: int
):  # fmt: skip
    """dx = dy times the derivative; x may be any array unless `above` or `powers`."""
    one = x.dtype.type(1)
    for i in prange(g.count):
        for j in range(g.classes):
            at = i * g.classes + j
            slope = other
            if j == picked[i]:
                slope = own[0]
                if above and not x[at] > 0:
                    slope = one
                elif powers:
                    slope = own[0] * abs(x[at]) ** (own[0] - one)
            dx[at] = slope * dy[at]
