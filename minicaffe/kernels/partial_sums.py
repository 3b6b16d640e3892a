"""Sums over the positions of a batch, divided by a count: what loss.py, likelihood.py and margin.py share.

A position is one prediction: an item, a pixel of an item, an element.  A kernel of a measure takes, beside
its own arrays,

    sums      real: a partial sum for every piece of the positions.  A piece is a CHUNK of positions;
              softmax_loss_forward has pieces of its own on a GPU
    tally     int32, two for every piece: how many of its positions count, and which is the first whose label
              is none (NONE if there is no such)
    y         real, 1: the result
    outcome   real, 2: by what the sum was divided, and the result again, for who looks behind the pass
              whether it was finite
    noted     int32, 2: the first position whose label was none, which stays until the host looks (NONE if
              there is no such), and how many CUDA blocks have arrived, 0 between launches
    value     real, 1: what stood there
    fixed     the divisor; 0: the number of positions that count, at least 1

and ends with `conclude`.  The order of additions depends on neither threads nor blocks, and no kernel asks
the host.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np

from .cpu import jit
from .registry import KernelSpec, kernel
from .reindex import NONE

CHUNK = 1024
OUTCOME = 2  # numbers of an outcome


def chunks(positions: int) -> int:
    """How many partial sums there are."""
    return max(1, -(-positions // CHUNK))


def measuring(*, parallel: bool = False) -> Callable[[Callable], KernelSpec]:
    """Declare the kernel of a measure: a CUDA block for every partial sum."""

    def declare(function: Callable) -> KernelSpec:
        place = list(inspect.signature(function).parameters).index("sums")
        return kernel(blocks=lambda *args: args[place].size, parallel=parallel)(function)

    return declare


@jit
def whole(label):
    """A label as an integer; -2^31 for NaN and whatever else does not fit."""
    return np.int32(label) if abs(label) < 2147483648.0 else np.int32(-2147483648)


@jit
def leave(chunk, total, counted, first, sums, tally):
    """The partial results of a chunk."""
    sums[chunk] = total
    tally[2 * chunk] = counted
    tally[2 * chunk + 1] = first


@jit
def conclude(labels, sums, tally, y, outcome, noted, value, fixed):
    """Put the partial results together."""
    total, counted, first = 0.0, 0, NONE
    for piece in range(sums.size):
        total += sums[piece]
        counted += tally[2 * piece]
        first = min(first, tally[2 * piece + 1])
    outcome[0] = fixed if fixed > 0 else max(counted, 1)
    y[0] = total / outcome[0]
    outcome[1] = y[0]
    if noted[0] == NONE and first != NONE:
        noted[0] = first
        value[0] = labels[first]
