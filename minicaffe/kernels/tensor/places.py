"""Where the values of a convolution lie: tables for the kernels, made once per geometry on the host.

A *place* is (offset, z, i, j).  A gathered value is read at the sum of two places: of a pixel, which says
where a window begins, and of a tap with its channel, which says how far from there.  The value is zero unless
the sum of the coordinates lies inside the image.

Backward by data gathers too.  Input pixel i takes part in output o under tap k if i + pad = o * stride +
k * dilation; so o is whole only if both sides leave the same rest by stride.  The input pixels of one rest
along each axis are a *lattice*; only the taps of that rest reach them, and with i + pad = stride * a + rest
and k * dilation = stride * b + rest, o is a - b: again the sum of two places.  No product is wasted on
zeros between the pixels of dy.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from ..registry import geometry

DEPTH = 16  # of a slice: tile.cuh
NOWHERE = -(1 << 29)  # a coordinate that no sum brings back inside: convolution.cu


@geometry
class Lattice(NamedTuple):
    """Pixels (d, h, w) of the result that share their taps.

    begin, slices   where their part of the table of taps begins, and how many slices of DEPTH it has
    scale, shift    pixel (z, i, j) has its place at (z, i, j) * scale + shift of the image that is read,
    step, first     and its result at (z, i, j) * step + first of the image that is written
    """

    begin: int
    slices: int
    d: int
    h: int
    w: int
    scale_z: int
    scale_i: int
    scale_j: int
    shift_z: int
    shift_i: int
    shift_j: int
    step_z: int
    step_i: int
    step_j: int
    first_z: int
    first_i: int
    first_j: int

    @property
    def pixels(self) -> int:
        return self.d * self.h * self.w


class Gathering(NamedTuple):
    """What the kernel that gathers reads beside its operands.

    taps      places of (channel, tap), (k, 4) int32; every lattice's part is filled up to whole slices
    lattices  the lattices that have pixels
    row       floats of a row of the weights as the kernel takes them
    origins   int32, for weights to be packed: where element (m, tap) of a row comes from; -1: a zero
    """

    taps: np.ndarray
    lattices: list[Lattice]
    row: int
    origins: np.ndarray


def forward(g) -> Gathering:
    """One lattice, the output pixels; rows of the weights (channel, tap) as they are stored, or packed and
    filled up to whole slices."""
    taps = whole_slices(channel_taps(g))
    lattice = Lattice(
        *(0, len(taps) // DEPTH, g.od, g.oh, g.ow),
        *(g.sd, g.sh, g.sw, -g.pd, -g.ph, -g.pw),
        *(1, 1, 1, 0, 0, 0),
    )
    origins = np.arange(len(taps), dtype=np.int32)
    origins[g.c * g.taps :] = -1
    return Gathering(taps, [lattice], g.c * g.taps, origins)


def backward_data(g) -> Gathering:
    """A lattice for each rest; rows of the weights are packed (lattice, output channel, tap of the rest)."""
    axes = (
        axis_lattices(g.d, g.kd, g.sd, g.pd, g.ld),
        axis_lattices(g.h, g.kh, g.sh, g.ph, g.lh),
        axis_lattices(g.w, g.kw, g.sw, g.pw, g.lw),
    )
    tables, origins, lattices, begin = [], [], [], 0
    for z, i, j in itertools.product(*axes):
        places, taken = [], []
        for (a, back_z), (b, back_i), (e, back_j) in itertools.product(z.taps, i.taps, j.taps):
            places.append((-((back_z * g.oh + back_i) * g.ow + back_j), -back_z, -back_i, -back_j))
            taken.append((a * g.kh + b) * g.kw + e)
        channels = np.arange(g.m)[:, None]
        table = np.array(places, np.int32).reshape(1, -1, 4) + channels[..., None] * [g.pixels, 0, 0, 0]
        table = whole_slices(table.reshape(-1, 4))
        origin = np.full(len(table), -1, np.int32)
        origin[: g.m * len(taken)] = (channels * g.c * g.taps + np.array(taken, np.int32)).reshape(-1)
        lattices.append(
            Lattice(
                *(begin, len(table) // DEPTH, z.count, i.count, j.count),
                *(1, 1, 1, z.shift, i.shift, j.shift),
                *(g.sd, g.sh, g.sw, z.first, i.first, j.first),
            )
        )
        tables.append(table)
        origins.append(origin)
        begin += len(table)
    if not begin:  # no pixel is reached by any tap; the kernels want arrays all the same
        tables.append(whole_slices(np.full((1, 4), NOWHERE, np.int32)))
        origins.append(np.full(DEPTH, -1, np.int32))
        begin = DEPTH
    return Gathering(np.concatenate(tables), lattices, begin, np.concatenate(origins))


class AxisLattice(NamedTuple):
    """Along one axis: `count` pixels from `first` on in steps of the stride, the first with a = `shift`; and
    the taps that reach them, as (tap, b)."""

    first: int
    count: int
    shift: int
    taps: list[tuple[int, int]]


def axis_lattices(extent: int, kernel: int, stride: int, pad: int, dilation: int) -> list[AxisLattice]:
    """Those that have pixels."""
    found = []
    for first in range(min(stride, extent)):
        start, rest = divmod(first + pad, stride)
        taps = [(k, k * dilation // stride) for k in range(kernel) if k * dilation % stride == rest]
        found.append(AxisLattice(first, -(-(extent - first) // stride), start, taps))
    return found


def channel_taps(g) -> np.ndarray:
    """Places of (channel, tap) in an image that is read forward, (c * taps, 4)."""
    tap = grid((g.kd, g.kh, g.kw)) * [g.ld, g.lh, g.lw]
    offsets = np.arange(g.c)[:, None] * (g.d * g.h * g.w) + offset(tap, g)
    return np.column_stack([offsets.reshape(-1), np.tile(tap, (g.c, 1))]).astype(np.int32)


def pixels(g) -> np.ndarray:
    """Places of output pixels: where their windows begin, (pixels, 4)."""
    start = grid((g.od, g.oh, g.ow)) * [g.sd, g.sh, g.sw] - [g.pd, g.ph, g.pw]
    return np.column_stack([offset(start, g), start]).astype(np.int32)


def grid(shape: tuple[int, int, int]) -> np.ndarray:
    """All coordinates of a box in row-major order, (count, 3)."""
    return np.indices(shape).reshape(3, -1).T


def offset(coordinates: np.ndarray, g) -> np.ndarray:
    """Of coordinates (count, 3) in a plane of x."""
    return coordinates @ [g.h * g.w, g.w, 1]


def whole_slices(table: np.ndarray) -> np.ndarray:
    """The table filled up to a multiple of DEPTH with places that are outside every image."""
    more = np.zeros((-len(table) % DEPTH, 4), np.int32)
    more[:, 1] = NOWHERE
    return np.concatenate([table, more]).astype(np.int32)
