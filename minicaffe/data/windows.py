"""Batches of windows of images, with which R-CNN is trained."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

from ..errors import DataError, locate
from ..proto.schema import Message
from . import images
from .batch import Batch
from .order import Share
from .resize import Resize
from .transformer import factors, random_words, read_mean
from .window_list import Window, WindowList


class WindowBatches:
    """Reads and transforms batch number b of windows.  The result depends on b alone, not on earlier calls.

    A batch has background windows first, then floor(batch_size * fg_fraction) foreground windows, each drawn
    with replacement.  A window is cut out of its image, resized to crop_size x crop_size and perhaps
    mirrored; out = (pixel - mean) * (scale / std) inside the image, and 0 outside.

    conf       a WindowDataParameter: fg_fraction, context_pad, crop_mode, cache_images
    transform  a TransformationParameter: crop_size, mirror, mean_file or mean_value, std_value
    share      the batches; of the random numbers under its key, words 0 (the window) and 1 (mirrored)
    """

    transformer = None  # pieces of many sizes between zeros: no work for a device

    def __init__(
        self, windows: WindowList, conf: Message, transform: Message, scale: float, share: Share
    ) -> None:
        self.windows, self.conf, self.share = windows, conf, share
        self.factors = factors(scale, transform.std_value, 3).astype(np.float32)[:, None, None]
        self.crop, self.mirror = transform.crop_size, transform.mirror
        front = int(np.float32(share.batch) * np.float32(conf.fg_fraction))
        self.counts = (share.batch - front, front)
        for rows, count, what in zip((windows.background, windows.foreground), self.counts, ("back", "fore")):
            if count and not len(rows):
                raise DataError(
                    f"{windows.source}: a batch needs {count} {what}ground windows; there is none"
                )
        self.mean = read_mean(transform, 3, self._middle)
        self._resize = functools.lru_cache(maxsize=32)(Resize)
        self._cached: dict[int, bytes] = {}

    def __call__(self, number: int, out: Batch) -> None:
        """Fill `out` with batch `number`."""
        out.images[...] = 0
        labels = []
        words = random_words(self.share.positions(number), self.share.key)
        for k in range(self.share.batch):
            rows = self.windows.foreground if k >= self.counts[0] else self.windows.background
            window = Window(*rows[int(words[0][k]) % len(rows)].tolist())
            with locate(f"{self.windows.source}:{self.windows.lines[window.image]}"):
                self._cut(window, self.mirror and words[1][k] % 2 == 1, out.images[k])
            labels.append(window.label)
        out.label(labels)

    def _middle(self, mean: np.ndarray) -> np.ndarray:
        """(3, crop, crop) of the array in a mean_file."""
        mean = mean.reshape(mean.shape[-3:]) if mean.ndim == 4 and len(mean) == 1 else mean
        if mean.ndim != 3 or mean.shape[0] != 3 or min(mean.shape[1:]) < self.crop:
            raise DataError(
                f"the mean must have 3 channels of at least {self.crop} x {self.crop}; got {mean.shape}"
            )
        top, left = ((extent - self.crop) // 2 for extent in mean.shape[1:])
        return mean[:, top : top + self.crop, left : left + self.crop]

    def _cut(self, window: Window, mirrored: bool, out: np.ndarray) -> None:
        path = self.windows.paths[window.image]
        data = self._cached.get(window.image) or images.contents(path)
        if self.conf.cache_images:
            self._cached[window.image] = data
        with locate(path):
            image = images.decode(data)
            square = self.conf.crop_mode == "square"
            part = warp(window, image.shape[1:], self.crop, self.conf.context_pad, square, mirrored)
        if not part.height or not part.width:
            return  # what there is of the image rounds to nothing
        patch = np.empty((3, part.height, part.width), np.uint8)
        self._resize(part.height, part.width)(image[part.source], patch)
        place = np.s_[:, part.top : part.top + part.height, part.left : part.left + part.width]
        target = out[place]
        np.copyto(target, patch[:, :, ::-1] if mirrored else patch)
        target -= np.broadcast_to(self.mean, out.shape)[place]
        target *= self.factors


class Warp(NamedTuple):
    """Which part of an image is copied to which part of the output."""

    source: tuple[slice, slice, slice]
    top: int
    left: int
    height: int
    width: int


def warp(
    window: Window, size: tuple[int, ...], crop: int, context_pad: int, square: bool, mirrored: bool
) -> Warp:
    """Which part of an image of height and width `size` is copied where in the crop x crop output, for a
    window.

    With context_pad the window is enlarged about its centre by crop / (crop - 2 context_pad), so that the
    output has that many pixels around it; with `square` it is first made as high as wide.  Where it then lies
    outside the image, the output stays empty; DataError if all of it does.  Without both, DataError if any of
    it does.
    """
    h, w = size
    x1, y1, x2, y2 = window[2:]
    if not context_pad and not square:
        if x1 < 0 or y1 < 0 or x2 >= w or y2 >= h:
            raise DataError(
                f"a window must lie in the image, {h} x {w}; got x {x1} to {x2}, y {y1} to {y2}",
                hint="context_pad allows for windows that reach beyond",
            )
        return Warp(np.s_[:, y1 : y2 + 1, x1 : x2 + 1], 0, 0, crop, crop)
    f = np.float32  # as Caffe computes, to round alike
    grow = f(crop) / f(crop - 2 * context_pad)
    halves = [f((b - a + 1) / 2) for a, b in ((y1, y2), (x1, x2))]
    centres = [f(a) + half for a, half in zip((y1, x1), halves)]
    if square:
        halves = [max(halves)] * 2
    spans = []
    for centre, half, extent, name in zip(centres, halves, (h, w), "yx"):
        low, high = _round(centre - half * grow), _round(centre + half * grow)
        first, last = max(low, 0), min(high, extent - 1)
        if first > last:
            raise DataError(f"a window must meet the image, {h} x {w}; got {name} {low} to {high}")
        scale = f(crop) / f(high - low + 1)
        before, after = _round(f(first - low) * scale), _round(f(high - last) * scale)
        start = after if mirrored and name == "x" else before
        length = min(_round(f(last - first + 1) * scale), crop - start)
        spans.append((slice(first, last + 1), start, length))
    (rows, top, height), (columns, left, width) = spans
    return Warp((slice(None), rows, columns), top, left, height, width)


def _round(value: float) -> int:
    """The nearest whole number, halves away from zero, as C's round does."""
    return int(math.copysign(math.floor(abs(float(value)) + 0.5), value))
