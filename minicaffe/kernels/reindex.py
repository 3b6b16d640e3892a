"""Rows taken by number, and their gradients brought back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from .registry import geometry, kernel

NONE = 2**31 - 1


@geometry
class Picks(NamedTuple):
    """`count` rows, each one of `rows` rows of `length` elements."""

    count: int
    rows: int
    length: int


@kernel(blocks=lambda index, picked, position, value, g: 1, parallel=False)
def read_index(index, picked: np.int32, position: np.int32, value, g: Picks):
    """picked = index cut to a whole number, or -1 where it is no row; position, value = those of the first
    such, unless an earlier one is noted there."""
    first = NONE
    for i in range(g.count):
        inside = -1 < index[i] < g.rows
        picked[i] = int(index[i]) if inside else -1
        if not inside:
            first = min(first, i)
    if position[0] == NONE and first != NONE:
        position[0] = first
        value[0] = index[first]


@kernel(threads=lambda x, picked, y, absent, g: g.count * g.length)
def take_rows(x, picked: np.int32, y, absent: float, g: Picks):
    """y[i] = x[picked[i]]; all `absent` where picked[i] is -1."""
    for i in prange(g.count):
        copy = y[i * g.length : (i + 1) * g.length]
        row = picked[i]
        if row < 0:
            for j in range(g.length):
                copy[j] = absent
        else:
            source = x[row * g.length : (row + 1) * g.length]
            for j in range(g.length):
                copy[j] = source[j]


@kernel(threads=lambda dy, picked, dx, g: g.rows * g.length)
def return_rows(dy, picked: np.int32, dx, g: Picks):
    """dx[r] = sum of the dy[i] with picked[i] = r, added in the order of i."""
    for row in prange(g.rows):
        total = dx[row * g.length : (row + 1) * g.length]
        for j in range(g.length):
            total[j] = 0
        for i in range(g.count):
            if picked[i] == row:
                part = dy[i * g.length : (i + 1) * g.length]
                for j in range(g.length):
                    total[j] += part[j]
