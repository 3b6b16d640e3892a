"""Philox-4x32-10: random numbers as a function of a key and a counter.

The same (key, counter) always gives the same four 32-bit words, on every device and in every thread, so
randomness needs no state: a mask can be drawn again in a replay, and a resumed run continues with the numbers
an uninterrupted one would have drawn.  The function works on NumPy arrays and scalars alike, and Numba
compiles it as it stands.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

import numpy as np

M0, M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)  # multipliers
W0, W1 = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)  # what the key grows by each round
_32 = np.uint64(32)
ROUNDS = 10


def philox(c0, c1, c2, c3, k0, k1):
    """The four 32-bit random words for the counter (c0, c1, c2, c3) and the key (k0, k1).

    All arguments and results are uint32, scalars or arrays; arrays give arrays of words.
    """
    for _ in range(ROUNDS):
        p0 = M0 * np.uint64(c0)
        p1 = M1 * np.uint64(c2)
        c0, c1, c2, c3 = (
            np.uint32(p1 >> _32) ^ c1 ^ k0,
            np.uint32(p1),
            np.uint32(p0 >> _32) ^ c3 ^ k1,
            np.uint32(p0),
        )
        k0, k1 = np.uint32(k0 + W0), np.uint32(k1 + W1)
    return c0, c1, c2, c3
