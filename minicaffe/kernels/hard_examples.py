"""Hard examples: the loss of every position by itself, and a choice of those with the highest."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import prange

from .cpu import jit
from .loss import Labels
from .partial_sums import whole
from .registry import geometry, kernel


@geometry
class Examples(NamedTuple):
    """outer * inner positions, stored (outer, channels, inner), of which `most` in every image are kept."""

    outer: int
    channels: int
    inner: int
    most: int


@jit
def precedes(a, i, b, j):
    """Does loss a at position i come before loss b at j?  The higher does, NaN before all; of equals the
    first."""
    if a != a or b != b:
        return a != a and (b == b or i < j)
    return a > b or (a == b and i < j)


@kernel(threads=lambda rois, losses, kept, g: g.outer * g.inner)
def keep_hard(rois, losses, kept: np.int32, g: Examples):
    """kept = 1 for the `most` positions of every image with the highest losses, else 0.  The image is the
    first channel of rois (outer, channels, inner)."""
    for i in prange(g.outer * g.inner):
        image = whole(rois[i // g.inner * g.channels * g.inner + i % g.inner])
        loss, before = losses[i], 0
        for j in range(g.outer * g.inner):
            if precedes(losses[j], j, loss, i):
                before += whole(rois[j // g.inner * g.channels * g.inner + j % g.inner]) == image
        kept[i] = 1 if before < g.most else 0


@kernel(threads=lambda x, kept, y, absent, g: g.outer * g.channels * g.inner)
def where_kept(x, kept: np.int32, y, absent: float, g: Examples):
    """y = x at positions that are kept, else `absent`."""
    for row in prange(g.outer * g.channels):
        first, place = row * g.inner, row // g.channels * g.inner
        for i in range(g.inner):
            y[first + i] = x[first + i] if kept[place + i] else absent


@kernel(threads=lambda p, target, y, g: g.outer * g.inner)
def position_losses(p, target: np.int32, y, g: Labels):
    """y = -log(max(p[target], 2^-126)) for every position, 0 for one without target."""
    tiny = p.dtype.type(2.0**-126)
    for i in prange(g.outer * g.inner):
        loss = p.dtype.type(0)
        if target[i] >= 0:
            likelihood = p[(i // g.inner * g.classes + target[i]) * g.inner + i % g.inner]
            loss = -math.log(tiny if likelihood < tiny else likelihood)
        y[i] = loss


@kernel(threads=lambda p, target, dy, dx, g: g.outer * g.classes * g.inner)
def position_losses_backward(p, target: np.int32, dy, dx, g: Labels):
    """dx += (p - [class is the target]) * dy of its position, nothing for one without target."""
    zero, one = p.dtype.type(0), p.dtype.type(1)
    for row in prange(g.outer * g.classes):
        c, place = row % g.classes, row // g.classes * g.inner
        for i in range(g.inner):
            label, k = target[place + i], row * g.inner + i
            dx[k] += (p[k] - (one if label == c else zero)) * dy[place + i] if label >= 0 else zero
