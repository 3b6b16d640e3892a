"""One-hot targets."""

from __future__ import annotations

import numpy as np
from numba import prange

from .registry import kernel
from .reindex import Picks


@kernel(threads=lambda picked, y, absent, g: g.count * g.rows)
def one_hot(picked: np.int32, y, absent: float, g: Picks):
    """y[i, j] = 1 where j = picked[i], else 0; all `absent` where picked[i] is -1."""
    for i in prange(g.count):
        target = y[i * g.rows : (i + 1) * g.rows]
        for j in range(g.rows):
            target[j] = absent if picked[i] < 0 else y.dtype.type(j == picked[i])
