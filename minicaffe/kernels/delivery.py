"""Bringing what the host sent in one piece to its places."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from .registry import geometry, kernel

UNIT = 16  # bytes: pieces of a slab, and the arrays they go to, begin on a multiple of it
MOST = 6  # pieces in a call


@geometry
class Pieces(NamedTuple):
    """Where pieces begin in a slab, in units, and how many bytes they have; 0 bytes: there is no such
    piece."""

    a_start: int
    b_start: int
    c_start: int
    d_start: int
    e_start: int
    f_start: int
    a_bytes: int
    b_bytes: int
    c_bytes: int
    d_bytes: int
    e_bytes: int
    f_bytes: int

    @property
    def units(self) -> int:
        """Of all pieces."""
        return sum(-(-nbytes // UNIT) for nbytes in self[MOST:])


@kernel(threads=lambda slab, a, b, c, d, e, f, g: g.units)
def hand_out(
    slab: np.uint8, a: np.uint8, b: np.uint8, c: np.uint8, d: np.uint8, e: np.uint8, f: np.uint8, g: Pieces
):
    """Each array = its piece of the slab."""
    for i in prange(g.a_bytes):
        a[i] = slab[g.a_start * UNIT + i]
    for i in prange(g.b_bytes):
        b[i] = slab[g.b_start * UNIT + i]
    for i in prange(g.c_bytes):
        c[i] = slab[g.c_start * UNIT + i]
    for i in prange(g.d_bytes):
        d[i] = slab[g.d_start * UNIT + i]
    for i in prange(g.e_bytes):
        e[i] = slab[g.e_start * UNIT + i]
    for i in prange(g.f_bytes):
        f[i] = slab[g.f_start * UNIT + i]
