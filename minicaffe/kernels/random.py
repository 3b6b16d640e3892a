"""Random masks: functions of a layer's key and the place of an element, never of what was drawn before.

A layer's `stream` (core/randomness.py) holds a key of two words and the number of the pass.  Element e of a
sample takes word e % 4 of philox at the counter

    (e // 4, low word of the sample's number, high word, 0)

where samples are numbered through the run: pass * batch + index in the batch.  So a sample is given the same
numbers on every device, however many threads draw them, and whether it came in one large batch or in one of
several small ones.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from ..philox import philox
from .cpu import jit
from .registry import kernel

draw = jit(philox, inline="always")  # inlined, ten rounds over eight counters at a time become vector code


@kernel(threads=lambda x, y, stream, batch, width, ratio, scale: batch * -(-width // 4))
def dropout(x, y, stream: np.uint32, batch: int, width: int, ratio: float, scale: float):
    """y = x * scale where the element's word is at least ratio * 2^32, 0 elsewhere; `batch` samples of
    `width` elements.  The same call makes y from x and dx from dy."""
    zero = x.dtype.type(0)
    limit = np.uint64(np.float64(ratio) * 2.0**32 + 0.5)
    for sample in prange(batch):
        number = np.uint64(stream[2]) * np.uint64(batch) + np.uint64(sample)
        low, high, last = np.uint32(number), np.uint32(number >> np.uint64(32)), np.uint32(0)
        xs, ys = x[sample * width : (sample + 1) * width], y[sample * width : (sample + 1) * width]
        for q in range(width // 4):
            a, b, c, d = draw(np.uint32(q), low, high, last, stream[0], stream[1])
            ys[4 * q] = xs[4 * q] * scale if a >= limit else zero
            ys[4 * q + 1] = xs[4 * q + 1] * scale if b >= limit else zero
            ys[4 * q + 2] = xs[4 * q + 2] * scale if c >= limit else zero
            ys[4 * q + 3] = xs[4 * q + 3] * scale if d >= limit else zero
        for e in range(width // 4 * 4, width):
            a, b, c, _ = draw(np.uint32(e // 4), low, high, last, stream[0], stream[1])
            word = a if e % 4 == 0 else b if e % 4 == 1 else c
            ys[e] = xs[e] * scale if word >= limit else zero
