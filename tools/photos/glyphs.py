"""Digits of MNIST as ink: the 20 pixels of a digit made smooth at any size, with the pen's width chosen."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

LEVEL = 0.4  # of a pixel's ink that is inside the stroke
STROKE = 0.13  # the width of MNIST's usual pen, in heights of a digit
ONE_PEN = 0.6  # how much of the differences between the pens of MNIST is taken out: a page has one pen


def outline(image: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the ink in a uint8 image, light on dark."""
    rows, columns = np.flatnonzero((image > 100).any(1)), np.flatnonzero((image > 100).any(0))
    if not len(rows):
        return slice(0, image.shape[0]), slice(0, image.shape[1])
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def aspect(image: np.ndarray) -> float:
    """Width by height of the ink."""
    rows, columns = outline(image)
    return (columns.stop - columns.start) / (rows.stop - rows.start)


def strokes_of(image: np.ndarray, height_px: float, boldness: float = 1.0) -> np.ndarray:
    """The digit `image`, (28, 28) uint8, with ink `height_px` pixels high: how much of each pixel is ink,
    (H, W) from 0 to 1, cut to the ink; strokes are `boldness` times as wide as MNIST's."""
    rows, columns = outline(image)
    scale = height_px / (rows.stop - rows.start)
    padded = np.pad(image, 3).astype(np.float32)[rows.start : rows.stop + 6, columns.start : columns.stop + 6]
    large = ndimage.zoom(padded / 255, scale, order=3, grid_mode=True, mode="nearest")
    large = ndimage.gaussian_filter(large, 0.55 * scale)
    inside = large > LEVEL * min(1.0, 1.5 * float(large.max()))
    depth = ndimage.distance_transform_edt(inside) - ndimage.distance_transform_edt(~inside)
    depth = ndimage.gaussian_filter(depth.astype(np.float32), 0.1 * scale)
    # Half the stroke's width around each pixel, and close to it: thin strokes beside thick ones stay whole.
    half = ndimage.maximum_filter(depth, int(2 * max(depth.max(), 1)) + 1)
    half = ndimage.gaussian_filter(np.clip(half, 0.3 * scale, None), 0.8 * scale)
    near = ndimage.maximum_filter(depth, int(2.4 * scale) + 1)
    near = ndimage.gaussian_filter(np.clip(near, 0, None), 0.4 * scale)
    wanted = boldness * ((1 - ONE_PEN) * half + ONE_PEN * STROKE / 2 * height_px)
    alpha = np.clip(depth + np.clip(wanted - half, -0.45 * near, 0.35 * half) + 0.5, 0, 1)
    return cut(alpha)


def broken(rng: np.random.Generator, alpha: np.ndarray, gap_px: float) -> np.ndarray:
    """The ink with a gap of about `gap_px` pixels somewhere in its stroke."""
    y, x = (int(v[rng.integers(len(v))]) for v in np.nonzero(alpha > 0.9)) if (alpha > 0.9).any() else (0, 0)
    rows, columns = np.ogrid[: alpha.shape[0], : alpha.shape[1]]
    distance = np.hypot(rows - y, columns - x)
    return alpha * np.clip((distance - gap_px / 2) / 1.5 + 0.5, 0, 1).astype(np.float32)


def cut(alpha: np.ndarray) -> np.ndarray:
    """The part of `alpha` that holds its ink."""
    inked = alpha > 0.3
    rows, columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    if not len(rows):
        return alpha
    return alpha[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
