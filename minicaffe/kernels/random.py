"""Random masks: functions of a layer's key and the place of an element, never of what was drawn before.

A layer's `stream` (core/randomness.py) holds a key of two words and the number of the pass.  Element e of a
sample takes word e % 4 of philox at the counter

    (e // 4, low word of the sample's number, high word, 0)

where samples are numbered through the run: pass * batch + index in the batch.  So a sample is given the same
numbers on every device, however many threads draw them, and whether it came in one large batch or in one of
several small ones.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import prange

from ..philox import philox
from .cpu import jit
from .micro import dropout as micro
from .micro.builder import address, call
from .registry import kernel

draw = jit(philox, inline="always")  # inlined, ten rounds over eight counters at a time become vector code
CHUNK = 1 << 14  # elements of a sample that a thread takes at a time, a multiple of four


def make_dropout(device) -> Callable:
    """dropout on register vectors."""
    kernel = micro.dropout(device.dtype.itemsize, device.machine)
    factor = device.empty((1,))

    def dropout(x, y, stream, batch, width, ratio, scale):
        factor[0] = scale
        drop(kernel, x, y, stream, batch, width, limit_of(ratio), factor)

    return dropout


@jit
def limit_of(ratio):
    """An element is dropped if its word is below."""
    return np.int64(np.float64(ratio) * 2.0**32 + 0.5)


def drop(kernel, x, y, stream, batch, width, limit, factor):
    """All samples, piece by piece with the register kernel."""
    pieces, half = (width + CHUNK - 1) // CHUNK, np.uint64(32)
    for item in prange(batch * pieces):
        sample, first = item // pieces, item % pieces * CHUNK
        number = np.uint64(stream[2]) * np.uint64(batch) + np.uint64(sample)
        counter = first // 4, np.int64(np.uint32(number)), np.int64(number >> half)
        key = np.int64(stream[0]), np.int64(stream[1])
        places = address(x, sample * width + first), address(y, sample * width + first)
        count = min(CHUNK, width - first)
        call(kernel, (count, *counter, *key, limit, address(factor, 0), *places))


drop = jit(drop, parallel=True)


@kernel(threads=lambda x, y, stream, batch, width, ratio, scale: batch * -(-width // 4), cpu=make_dropout)
def dropout(x, y, stream: np.uint32, batch: int, width: int, ratio: float, scale: float):
    """y = x * scale where the element's word is at least ratio * 2^32, 0 elsewhere; `batch` samples of
    `width` elements.  The same call makes y from x and dx from dy."""
    zero, limit = x.dtype.type(0), limit_of(ratio)
    for sample in prange(batch):
        number = np.uint64(stream[2]) * np.uint64(batch) + np.uint64(sample)
        low, high, last = np.uint32(number), np.uint32(number >> np.uint64(32)), np.uint32(0)
        for e in range(width):
            a, b, c, d = draw(np.uint32(e // 4), low, high, last, stream[0], stream[1])
            word = a if e % 4 == 0 else b if e % 4 == 1 else c if e % 4 == 2 else d
            y[sample * width + e] = x[sample * width + e] * scale if np.int64(word) >= limit else zero
