"""Bringing images to another size by each of the five ways that OpenCV has.

Source: OpenCV's cv::resize.  LINEAR has its numbers (data/resize.py); of the others, which are computed in
float32 here and in fixed point there, a byte may differ by 1.
"""

from __future__ import annotations

import numpy as np

from ..resize import Resize

METHODS = ("LINEAR", "AREA", "NEAREST", "CUBIC", "LANCZOS4")
CUBIC_A = -0.75
Taps = tuple[np.ndarray, np.ndarray]  # (taps, target): source pixels, and their weights


def resized(image: np.ndarray, height: int, width: int, method: str = "LINEAR") -> np.ndarray:
    """An image (C, h, w) as (C, height, width), of the same type: uint8 or float32."""
    h, w = image.shape[1:]
    if (h, w) == (height, width):
        return image
    out = np.empty((len(image), height, width), image.dtype)
    if method == "LINEAR":
        Resize(height, width)(image, out)
        return out
    if method == "NEAREST":
        rows, columns = (_first(m, n).astype(np.intp) for m, n in ((h, height), (w, width)))
        return np.ascontiguousarray(image[:, rows[:, None], columns])
    shrinks = h >= height and w >= width
    values = image.astype(np.float32)
    for axis, source, target in ((2, w, width), (1, h, height)):
        index, weight = _taps(source, target, method, shrinks)
        shape = (-1, 1) if axis == 1 else (-1,)
        values = sum(values.take(i, axis) * k.reshape(shape) for i, k in zip(index, weight))  # type: ignore[assignment]
    if image.dtype == np.uint8:
        np.clip(np.rint(values, out=values), 0, 255, out=values)
    out[...] = values
    return out


def _taps(source: int, target: int, method: str, shrinks: bool) -> Taps:
    if method == "AREA":
        index, weight = _area(source, target) if shrinks else _emulated(source, target)
    else:
        at = (np.arange(target) + 0.5) * (source / target) - 0.5
        low = np.floor(at)
        first, count = (-1, 4) if method == "CUBIC" else (-3, 8)
        offsets = np.arange(first, first + count)[:, None]
        index, weight = low + offsets, (_cubic if method == "CUBIC" else _lanczos)(at - low - offsets)
    return np.clip(index, 0, source - 1).astype(np.intp), weight.astype(np.float32)


def _first(source: int, target: int) -> np.ndarray:
    """The source pixel that each pixel of the result begins in, in OpenCV's precision."""
    return np.minimum(np.floor(np.arange(target) * (1 / (target / source))), source - 1)


def _area(source: int, target: int) -> Taps:
    """The share of each source pixel in a pixel of the result, which is no smaller."""
    scale = source / target
    first = np.arange(target) * scale
    low = np.floor(first + 1e-9)
    index = low + np.arange(int(np.ceil(scale)) + 1)[:, None]
    shared = np.minimum(index + 1, first + scale) - np.maximum(index, first)
    shared = np.where(index < source, np.maximum(shared, 0), 0)
    return index, shared / shared.sum(axis=0)


def _emulated(source: int, target: int) -> Taps:
    """Where an axis grows: pixels keep their size but for a passage between them."""
    low = _first(source, target)
    share = np.arange(1, target + 1) - (low + 1) * (target / source)
    share = np.where(share <= 0, 0, share - np.floor(share))
    return np.stack([low, low + 1]), np.stack([1 - share, share])


def _cubic(t: np.ndarray) -> np.ndarray:
    t, a = np.abs(t), CUBIC_A
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0))


def _lanczos(t: np.ndarray) -> np.ndarray:
    weight = np.sinc(t) * np.sinc(t / 4)
    return weight / weight.sum(axis=0)
