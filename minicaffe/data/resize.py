"""Resizing images as OpenCV does."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

ONE = 2048  # OpenCV's weights of bytes are fixed-point numbers of 11 bits
CHUNK = 1 << 18  # output pixels worked on at a time: few enough to stay in the cache


class Taps(NamedTuple):
    """For every pixel of the result along one axis: the two source pixels that it is computed from, and their
    weights, float32."""

    low: np.ndarray
    high: np.ndarray
    low_weight: np.ndarray
    high_weight: np.ndarray


class Resize:
    """Resizes images to height x width by linear interpolation.

    Pixel i of the result is at (i + 0.5) * source / target - 0.5 in the source, between two pixels along each
    axis; beyond the border, the border's pixel counts.  Nothing is smoothed before an image shrinks.

    Bytes are computed in OpenCV's fixed-point arithmetic: weights have 11 bits; first the rows are
    interpolated, then 4 bits are dropped, then the columns are interpolated.  Images of other types are
    computed as float32 or float64, and the result has that type.

    The object reuses its working memory, so only one thread at a time may use it.

    Source: OpenCV's cv::resize with INTER_LINEAR.
    """

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self._taps = functools.lru_cache(maxsize=64)(taps)
        self._scratch: dict[str, np.ndarray] = {}

    def __call__(self, images: np.ndarray, out: np.ndarray) -> None:
        """Resize `images` (..., h, w) into `out` (..., height, width), which is uint8 if they are, else
        float."""
        h, w = images.shape[-2:]
        if (h, w) == (self.height, self.width):
            np.copyto(out, images)
            return
        planes, targets = images.reshape(-1, h, w), out.reshape(-1, self.height, self.width)
        fixed = images.dtype == np.uint8
        work = np.dtype(np.int32 if fixed else np.float64 if images.dtype == np.float64 else np.float32)
        columns = _typed(self._taps(w, self.width, border=0), work)
        rows = _typed(self._taps(h, self.height), work)
        step = max(1, CHUNK // (self.height * self.width))
        for start in range(0, len(planes), step):
            chunk = planes[start : start + step]
            across = self._across(chunk, columns, work)
            if fixed:
                across >>= 4
            self._down(across, rows, targets[start : start + step], fixed)

    def _across(self, planes: np.ndarray, columns: Taps, work: np.dtype) -> np.ndarray:
        """The rows interpolated to the new width: (P, h, width)."""
        shape = (*planes.shape[:2], self.width)
        total, other = self._array("across", shape, work), self._array("other", shape, work)
        ends = self._array("ends", shape, planes.dtype)
        np.take(planes, columns.low, axis=2, out=ends, mode="clip")  # "clip" spares NumPy a buffer
        np.multiply(ends, columns.low_weight, out=total)
        np.take(planes, columns.high, axis=2, out=ends, mode="clip")
        np.multiply(ends, columns.high_weight, out=other)
        total += other
        return total

    def _down(self, across: np.ndarray, rows: Taps, out: np.ndarray, fixed: bool) -> None:
        """The columns interpolated to the new height, into `out` (P, height, width)."""
        total, other = (self._array(name, out.shape, across.dtype) for name in ("upper", "lower"))
        np.take(across, rows.low, axis=1, out=total, mode="clip")
        np.take(across, rows.high, axis=1, out=other, mode="clip")
        total *= rows.low_weight[:, None]
        other *= rows.high_weight[:, None]
        if fixed:  # (a >> 16) + (b >> 16) + 2 >> 2
            total += 2 << 16
            total >>= 16
            other >>= 16
            total += other
            total >>= 2
            np.copyto(out, total, casting="unsafe")
        else:
            np.add(total, other, out=out)

    def _array(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Working memory of this shape and type: that of the last call if it suffices."""
        nbytes = int(np.prod(shape)) * dtype.itemsize
        if name not in self._scratch or self._scratch[name].size < nbytes:
            self._scratch[name] = np.empty(nbytes, np.uint8)
        return self._scratch[name][:nbytes].view(dtype).reshape(shape)


def nearest(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    """A plane (h, w) in another size, every pixel that of the place height / h and width / w times as far,
    rounded down: cv::resize with INTER_NEAREST."""
    rows, columns = (
        np.minimum(np.floor(np.arange(target) * (1 / (target / source))), source - 1).astype(np.intp)
        for source, target in zip(plane.shape, (height, width))
    )
    return plane[rows[:, None], columns]


def taps(source: int, target: int, border: float | None = None) -> Taps:
    """The source pixels and weights for the `target` pixels of an axis with `source` pixels, in OpenCV's
    precision.

    Beyond the border both source pixels are the border's, so that any weights give the same but for rounding.
    There OpenCV sets the weight of the second to 0 along rows (`border`), and keeps the weights along
    columns.
    """
    at = ((np.arange(target) + 0.5) * (1 / (target / source)) - 0.5).astype(np.float32)
    low = np.floor(at)
    weight = at - low
    index = low.astype(np.intp)
    if border is not None:
        weight[(index < 0) | (index >= source - 1)] = border
    low_index, high_index = (np.clip(i, 0, source - 1) for i in (index, index + 1))
    return Taps(low_index, high_index, 1 - weight, weight)


def _typed(taps: Taps, work: np.dtype) -> Taps:
    """The weights in the type of the computation.  For fixed point they are rounded, halves to even, as in
    OpenCV."""
    low, high = taps.low_weight, taps.high_weight
    if work == np.int32:
        low, high = np.rint(low * np.float32(ONE)), np.rint(high * np.float32(ONE))
    return taps._replace(low_weight=low.astype(work), high_weight=high.astype(work))
