"""Bringing images of any shape to one size: the four ways of NVIDIA's DIGITS.

Of an image H x W and a target h x w, both axes are scaled:

squash     h / H and w / W, each axis for itself: nothing is lost, shapes are distorted
crop       r = max(h / H, w / W): the target is covered, and what stands out along the longer axis is lost
fill       r = min(h / H, w / W): all of the image is inside, and the border along one axis is filled
half-crop  r = 2 / (H / h + W / w): between the two, a little is lost along one axis and filled along
           another

An axis of L pixels becomes round(L r); one longer than its target l keeps its middle, l / r pixels of the
source, one shorter lies in the middle of it.  Pillow interpolates linearly, over all pixels that shrink into
one, so that a large photo does not turn into dots; the Resize of a net (data/resize.py) does not smooth, as
Caffe's does not.

Source: resize_image in DIGITS' utils/image.py, which fills with noise.
"""

from __future__ import annotations

import numpy as np

from ...errors import ConfigError, suggest

MODES = ("squash", "crop", "fill", "half-crop")


def check(mode: str) -> None:
    """ConfigError unless images can be fitted so."""
    if mode not in MODES:
        raise ConfigError(f"no way to resize {mode!r}", hint=suggest(mode, MODES))


def fit(image: np.ndarray, size: tuple[int, int], mode: str = "squash", fill: int = 0) -> np.ndarray:
    """The image (C, H, W), uint8, at `size` (h, w); borders become `fill`."""
    if image.shape[1:] == size:
        return image
    from PIL import Image

    rows, columns = _axes(image.shape[1:], size, mode)
    out = np.full((len(image), *size), fill, np.uint8)
    box = (columns.start, rows.start, columns.end, rows.end)
    for plane, target in zip(image, out):
        picture = Image.fromarray(plane).resize(
            (columns.length, rows.length), Image.Resampling.BILINEAR, box=box
        )
        target[rows.at : rows.at + rows.length, columns.at : columns.at + columns.length] = np.asarray(
            picture
        )
    return out


class _Axis:
    """Of one axis: which stretch of the source (start, end) becomes how many pixels (length), and where in
    the target they lie (at)."""

    def __init__(self, source: int, target: int, scale: float) -> None:
        self.length, self.start, self.end = max(1, round(source * scale)), 0.0, float(source)
        if self.length >= target:
            kept = min(source, target / scale)
            self.length, self.start, self.end = target, (source - kept) / 2, (source + kept) / 2
        self.at = (target - self.length) // 2


def _axes(source: tuple[int, ...], target: tuple[int, int], mode: str) -> tuple[_Axis, _Axis]:
    down, across = (t / s for t, s in zip(target, source))
    if mode == "squash":
        return _Axis(source[0], target[0], down), _Axis(source[1], target[1], across)
    r = {"crop": max(down, across), "fill": min(down, across), "half-crop": 2 / (1 / down + 1 / across)}[mode]
    return _Axis(source[0], target[0], r), _Axis(source[1], target[1], r)
