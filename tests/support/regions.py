"""Regions of images for the tests of layers that pool them, and where their cells lie, as the forks say."""

from __future__ import annotations

import math

import numpy as np

F = np.float32


def regions(images: int, size: float):
    """Regions in images of `size` pixels each way, some of them partly outside; no corner rounds to another
    pixel if it moves a little, whether or not it is scaled by 1/16 or 1/4 first."""

    def make(shape, rng) -> np.ndarray:
        corners = np.round(rng.uniform(-size / 4, size * 5 / 4, (shape[0], 2, 2)))
        corners = np.sort(corners, axis=1).reshape(-1, 4) + 0.25
        image = rng.integers(0, images, (shape[0], 1)) + 0.25
        return np.concatenate([image, corners], axis=1).reshape(shape)

    return make


def nearest(value: float) -> float:
    """C's round."""
    return math.copysign(math.floor(abs(value) + 0.5), value)


def cells(low: float, high: float, scale: float, count: int, extent: int, whole: bool) -> list[slice]:
    """The cells of a region along one axis, in float32 after every step."""
    scale, count = F(scale), F(count)
    if whole:
        start = F(nearest(F(low) * scale))
        size = max(F(nearest(F(high) * scale)) - start + F(1), F(1))
    else:
        start = F(nearest(low)) * scale
        size = max(F(nearest(high) + 1) * scale - start, F(0.1))
    step = F(size) / count
    found = []
    for i in range(int(count)):
        ends = F(i) * step, F(i + 1) * step
        if whole:
            first, last = math.floor(ends[0]) + int(start), math.ceil(ends[1]) + int(start)
        else:
            first, last = math.floor(ends[0] + start), math.ceil(ends[1] + start)
        found.append(slice(min(max(first, 0), extent), min(max(last, 0), extent)))
    return found
