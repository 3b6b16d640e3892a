"""Gradients of rows that were taken by number (reindex.take_rows), added to the table they came from."""

from __future__ import annotations

import numpy as np
from numba import prange

from .registry import kernel
from .reindex import Picks

PARTS = 16  # of the table, for the threads of the CPU: each looks at every pick, and adds those of its part


@kernel(blocks=lambda dy, picked, dtable, g: g.count)
def add_rows(dy, picked: np.int32, dtable, g: Picks):
    """dtable[r] += dy[i] for every i with picked[i] = r, added in the order of i; -1 is no row."""
    for part in prange(PARTS):
        first, last = part * g.rows // PARTS, (part + 1) * g.rows // PARTS
        for i in range(g.count):
            row = picked[i]
            if first <= row < last:
                total = dtable[row * g.length : (row + 1) * g.length]
                above = dy[i * g.length : (i + 1) * g.length]
                for j in range(g.length):
                    total[j] += above[j]
