"""Connectionist temporal classification: how likely sequences of scores are to spell lines of labels.

A step of a sequence says a label or nothing, the blank.  What a path of T such says is read by leaving out
repetitions, then blanks.  The likelihood of a line is the sum over all paths that say it; dynamic programming
finds it, over the places of the line with a blank before and behind every label: place 2 i + 1 is label i.
A path begins at place 0 or 1, ends at one of the last two, and goes on by 0 or 1 place, or by 2 over the
blank between labels that differ.

Logarithms in double precision: likelihoods of long sequences are far below what a float holds.  NEVER is that
of 0, still finite when some are added up, so that nothing has to be asked.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import prange

from .cpu import jit
from .elementary import exp
from .partial_sums import NONE, conclude, measuring, whole
from .registry import geometry

NEVER = -1e300


@geometry
class Lines(NamedTuple):
    """`n` sequences of `steps` rows of scores for `classes`, stored (steps, n, classes), and `length` labels
    for each, of which those that equal `blank` are none."""

    steps: int
    n: int
    classes: int
    length: int
    blank: int


@jit
def read_line(labels, path, b, g):
    """path = the labels of line b; how many they are, how often one equals that before it, and where the
    first label stands that is no class (NONE if there is no such)."""
    count, repeats, first = 0, 0, NONE
    for j in range(b * g.length, (b + 1) * g.length):
        label = whole(labels[j])
        if not 0 <= label < g.classes:
            first = min(first, j)
        elif label != g.blank:
            repeats += 1 if count > 0 and path[count - 1] == label else 0
            path[count] = label
            count += 1
    return count, repeats, first


@jit
def softmax_row(x, p):
    """p = softmax(x); returns the logarithm of what exp(x) was divided by."""
    m = x.dtype.type(-math.inf)
    for c in range(x.size):
        m = max(m, x[c])
    for c in range(x.size):
        p[c] = exp(x[c] - m)
    total = x.dtype.type(0)
    for c in range(x.size):
        total += p[c]
    for c in range(x.size):
        p[c] /= total
    return np.float64(m) + math.log(np.float64(total))


@jit
def joined(a, b, c):
    """log(e^a + e^b + e^c)."""
    m = max(a, max(b, c))
    return m + math.log(exp(a - m) + exp(b - m) + exp(c - m))


@jit
def skips(path, s):
    """May a path come to place s from the label before it?"""
    return s % 2 == 1 and s > 1 and path[s // 2] != path[s // 2 - 1]


@jit
def said(x, level, path, s, blank):
    """The logarithm of how likely the step with scores x says what stands at place s."""
    label = path[s // 2] if s % 2 == 1 else blank
    found = np.float64(x[label]) - level
    return NEVER if found < NEVER else found


@jit
def walk(x, path, level, alpha, beta, slope, b, places, g):
    """Minus the logarithm of how likely sequence b says its line; alpha (steps, places) = how likely its path
    is at a place when a step has been said; slope = the gradient by the scores."""
    for t in range(g.steps):
        row = (t * g.n + b) * g.classes
        level[t] = softmax_row(x[row : row + g.classes], slope[row : row + g.classes])
        scores, now, before = x[row : row + g.classes], t * places, (t - 1) * places
        for s in range(places):
            come = 0.0 if t == 0 and s < 2 else NEVER
            if t > 0:
                one = alpha[before + s - 1] if s > 0 else NEVER
                two = alpha[before + s - 2] if skips(path, s) else NEVER
                come = joined(alpha[before + s], one, two)
            alpha[now + s] = come + said(scores, level[t], path, s, g.blank)
    end = g.steps * places - 1
    likely = joined(alpha[end], alpha[end - 1] if places > 1 else NEVER, NEVER)
    for t in range(g.steps - 1, -1, -1):
        row, now = (t * g.n + b) * g.classes, t * places
        here, then = t % 2 * places, (t + 1) % 2 * places
        for s in range(places):
            go = 0.0 if t == g.steps - 1 and s >= places - 2 else NEVER
            if t < g.steps - 1:
                one = beta[then + s + 1] if s + 1 < places else NEVER
                two = beta[then + s + 2] if s + 2 < places and skips(path, s + 2) else NEVER
                go = joined(beta[then + s], one, two)
            alpha[now + s] = exp(alpha[now + s] + go - likely)
            beta[here + s] = go + said(x[row : row + g.classes], level[t], path, s, g.blank)
        for s in range(places):
            slope[row + (path[s // 2] if s % 2 == 1 else g.blank)] -= alpha[now + s]
    return -likely


@measuring(parallel=True)
def ctc_forward(
    x, labels, path: np.int32, level: np.float64, alpha: np.float64, beta: np.float64, slope,
    sums, tally: np.int32, y, outcome, noted: np.int32, value, g: Lines, fixed: float,
):  # fmt: skip
    """The sum of -log(likelihood of line b) over sequences, a partial sum for each; slope = its gradient by
    the scores x.  A line that no path of so many steps says counts 0, and its gradient is 0.

    path (n, length), level (n, steps), alpha (n, steps, places) and beta (n, 2, places) are room to work in,
    places = 2 length + 1.
    """
    most = 2 * g.length + 1
    for b in prange(sums.size):
        total, first = 0.0, NONE
        if b < g.n:
            line = path[b * g.length : (b + 1) * g.length]
            count, repeats, first = read_line(labels, line, b, g)
            if first == NONE and count + repeats <= g.steps:
                total = walk(
                    x,
                    line,
                    level[b * g.steps : (b + 1) * g.steps],
                    alpha[b * g.steps * most : (b + 1) * g.steps * most],
                    beta[2 * b * most : 2 * (b + 1) * most],
                    slope,
                    b,
                    2 * count + 1,
                    g,
                )
            else:
                total = 0.0 if first == NONE else math.nan
                for t in range(g.steps):
                    for c in range(g.classes):
                        slope[(t * g.n + b) * g.classes + c] = 0
        sums[b] = total
        tally[2 * b] = 1 if b < g.n else 0
        tally[2 * b + 1] = first
    conclude(labels, sums, tally, y, outcome, noted, value, fixed)
