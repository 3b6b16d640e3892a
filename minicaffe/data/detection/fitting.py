"""How images come to one size as resize_param says, and where their boxes are then."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .boxes import Boxes
from .resampling import resized

WARP, SMALL, PAD = "WARP", "FIT_SMALL_SIZE", "FIT_LARGE_SIZE_AND_PAD"
PADDING = {"CONSTANT": "constant", "MIRRORED": "reflect", "REPEAT_NEAREST": "edge"}  # as NumPy calls it


class Fit(NamedTuple):
    """mode     WARP: each axis for itself; FIT_SMALL_SIZE: the image covers height x width, with its own
             proportions; FIT_LARGE_SIZE_AND_PAD: it lies in the middle of that, and the border is padded
    methods  of resampling, of which one is drawn
    pad      a key of PADDING
    values   of CONSTANT: one, or one for each channel
    """

    mode: str
    height: int
    width: int
    methods: tuple[str, ...]
    pad: str
    values: np.ndarray

    def size(self, height: int, width: int) -> tuple[int, int]:
        """What an image of this height and width is resized to, before it is padded."""
        wide = width / height > self.width / self.height
        if self.mode == WARP or width * self.height == height * self.width:
            return self.height, self.width
        if wide == (self.mode == PAD):  # the width decides
            return max(self.width * height // width, 1), self.width
        return self.height, max(self.height * width // height, 1)


def fitted(
    image: np.ndarray, boxes: Boxes | None, fit: Fit, number: float
) -> tuple[np.ndarray, Boxes | None]:
    """An image (C, h, w) and its boxes, resized; `number` from [0, 1) draws the method."""
    height, width = fit.size(*image.shape[1:])
    image = resized(image, height, width, fit.methods[int(number * len(fit.methods))])
    if fit.mode != PAD or (height, width) == (fit.height, fit.width):
        return image, boxes
    top, left = (fit.height - height) // 2, (fit.width - width) // 2
    borders = ((top, fit.height - height - top), (left, fit.width - width - left))
    if boxes is not None:
        scale, shift = [width, height] * 2, [left, top] * 2
        corners = (boxes.corners * scale + shift) / ([fit.width, fit.height] * 2)
        boxes = boxes._replace(corners=corners)
    if fit.pad != "CONSTANT":
        return np.pad(image, ((0, 0), *borders), PADDING[fit.pad]), boxes  # type: ignore[call-overload]
    ground = np.empty((len(image), fit.height, fit.width), image.dtype)
    ground[...] = fit.values.reshape(-1, 1, 1)
    ground[:, top : top + height, left : left + width] = image
    return ground, boxes
