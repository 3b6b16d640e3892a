"""What scores say, read greedily: the best class of each step, without repetitions and blanks."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import prange

from . import cuda
from .cpu import jit
from .partial_sums import NONE, conclude, measuring, whole
from .registry import geometry, kernel

WARP = 32  # lanes that look for the best class of a row on a GPU


@geometry
class Readings(NamedTuple):
    """`n` sequences of `steps` rows of scores for `classes`; a step is `t_step` rows behind the one before, a
    sequence `n_step`.  Lines have `length` labels, of which those that equal `blank` are none.

    merge  1 if a class said twice in a row counts once
    """

    steps: int
    n: int
    classes: int
    t_step: int
    n_step: int
    length: int
    blank: int
    merge: int

    @property
    def blocks(self) -> int:
        return -(-self.steps * self.n * WARP // cuda.BLOCK)


@jit
def best_class(x):
    """The class with the highest score, of equal ones the first; NaN is none."""
    m, best = x.dtype.type(-math.inf), 0
    for c in range(x.size):
        if x[c] > m:
            m, best = x[c], c
    return best


@jit
def tells(best, b, t, g):
    """The label that step t of sequence b adds to what was said; the blank if it adds none."""
    row = b * g.n_step + t * g.t_step
    again = g.merge and t > 0 and best[row] == best[row - g.t_step]
    return g.blank if again else best[row]


@kernel(blocks=lambda x, best, g: g.blocks)
def best_classes(x, best: np.int32, g: Readings):
    """best = the best class of every row."""
    for row in prange(g.steps * g.n):
        best[row] = best_class(x[row * g.classes : (row + 1) * g.classes])


@kernel(threads=lambda best, y, g: g.n)
def write_lines(best: np.int32, y, g: Readings):
    """y (n, steps) = what every sequence says, and -1 behind it."""
    for b in prange(g.n):
        count = b * g.steps
        for t in range(g.steps):
            label = tells(best, b, t, g)
            if label != g.blank:
                y[count] = label
                count += 1
        for k in range(count, (b + 1) * g.steps):
            y[k] = -1


@kernel(threads=lambda best, labels, line, room, errors, g: g.n)
def line_errors(best: np.int32, labels, line: np.int32, room: np.int32, errors, g: Readings):
    """errors (n, 2): how many insertions, deletions and exchanges bring what a sequence says to its line of
    labels, divided by the number of labels of the longer one; and whether any are needed.

    line (n, length) and room (n, length + 1) are room to work in.
    """
    zero, one = errors.dtype.type(0), errors.dtype.type(1)
    for b in prange(g.n):
        wanted, row = b * g.length, b * (g.length + 1)
        count, told = 0, 0
        for j in range(g.length):
            label = whole(labels[wanted + j])
            if label != g.blank:
                line[wanted + count] = label
                count += 1
        for j in range(count + 1):  # changes that make the first j labels of nothing
            room[row + j] = j
        for t in range(g.steps):
            label = tells(best, b, t, g)
            if label != g.blank:
                told += 1
                corner, room[row] = room[row], told
                for j in range(count):
                    exchange = corner + (0 if line[wanted + j] == label else 1)
                    corner = room[row + j + 1]
                    room[row + j + 1] = min(exchange, min(corner, room[row + j]) + 1)
        changes = errors.dtype.type(room[row + count])
        errors[2 * b] = changes / max(count, told) if changes > zero else zero
        errors[2 * b + 1] = one if changes > zero else zero


@kernel(threads=lambda errors, y, g: 2)
def mean_of_errors(errors, y, g: Readings):
    """y = 1 - the mean of each of the two errors."""
    for k in prange(2):
        total = 0.0
        for b in range(g.n):
            total += errors[2 * b + k]
        y[k] = 1 - total / max(g.n, 1)


@jit
def says(best, labels, b, g):
    """Does sequence b say its line of labels, no more and no less?"""
    j, end = b * g.length, (b + 1) * g.length
    for t in range(g.steps):
        label = tells(best, b, t, g)
        if label != g.blank:
            while j < end and whole(labels[j]) == g.blank:
                j += 1
            if j == end or whole(labels[j]) != label:
                return False
            j += 1
    while j < end and whole(labels[j]) == g.blank:
        j += 1
    return j == end


@measuring(parallel=True)
def line_accuracy(
    x,
    labels,
    best: np.int32,
    sums,
    tally: np.int32,
    y,
    outcome,
    noted: np.int32,
    value,
    g: Readings,
    fixed: float,
):
    """How many sequences say their line, a partial sum for each; best is room to work in."""
    zero, one = sums.dtype.type(0), sums.dtype.type(1)
    for b in prange(sums.size):
        right = False
        if b < g.n:
            for t in range(g.steps):
                row = b * g.n_step + t * g.t_step
                best[row] = best_class(x[row * g.classes : (row + 1) * g.classes])
            right = says(best, labels, b, g)
        sums[b] = one if right else zero
        tally[2 * b] = 1 if b < g.n else 0
        tally[2 * b + 1] = NONE
    conclude(labels, sums, tally, y, outcome, noted, value, fixed)
