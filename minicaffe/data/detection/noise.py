"""What noise_param does to every image: switches, in a fixed order.

Images are (C, H, W), uint8.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .. import encoding, images

SIGMA = 1.5  # of the blur, in pixels, of 7 x 7
STEP = 64  # of posterize


class Noise(NamedTuple):
    """decolorize: all channels grey.  gauss_blur: 7 x 7.  hist_eq: the luma's histogram made even.  jpeg: the
    quality that it is stored in once, or None.  erode: the darkest of 3 x 3.  posterize: four levels, 32 to
    224.  inverse: 255 minus it.  salt: the share of pixels that become `pepper`, one value or one for each
    channel."""

    decolorize: bool
    gauss_blur: bool
    hist_eq: bool
    jpeg: int | None
    erode: bool
    posterize: bool
    inverse: bool
    salt: float
    pepper: np.ndarray


def noisy(image: np.ndarray, conf: Noise, numbers: np.ndarray) -> np.ndarray:
    """The image with its noise; `numbers` (pixels,) from [0, 1) choose what is salted."""
    if conf.decolorize:
        image = np.repeat(images.grey(image), len(image), axis=0)
    if conf.gauss_blur:
        image = _blurred(image)
    if conf.hist_eq:
        image = _equalized(image)
    if conf.jpeg is not None:
        channels = images.Channels.GRAY if len(image) == 1 else images.Channels.COLOR
        image = images.decode(encoding.encode(image, "jpg", quality=conf.jpeg), channels)
    if conf.erode:
        image = _eroded(image)
    if conf.posterize:
        image = image // STEP * STEP + STEP // 2
    if conf.inverse:
        image = 255 - image
    if conf.salt:
        salted = (numbers < conf.salt).reshape(image.shape[1:])
        pepper = np.broadcast_to(conf.pepper.reshape(-1, 1, 1), image.shape)
        image = np.where(salted, pepper, image).astype(np.uint8)
    return image


def _blurred(image: np.ndarray) -> np.ndarray:
    weights = np.exp(-(np.arange(-3, 4) ** 2) / (2 * SIGMA**2))
    weights = (weights / weights.sum()).astype(np.float32)
    values = image.astype(np.float32)
    for axis in (1, 2):
        n = values.shape[axis]
        at = [_reflected(np.arange(n) + offset, n) for offset in range(-3, 4)]
        values = sum(w * values.take(index, axis) for w, index in zip(weights, at))  # type: ignore[assignment]
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _equalized(image: np.ndarray) -> np.ndarray:
    """All channels move by as much as the luma does, so that the differences of colour stay."""
    luma = images.grey(image)[0]
    upto = np.bincount(luma.ravel(), minlength=256).cumsum()
    first = int(upto[luma.min()])
    if first == luma.size:
        return image
    level = np.rint((upto - first) * (255 / (luma.size - first)))
    return np.clip(image + (level - np.arange(256))[luma], 0, 255).astype(np.uint8)


def _eroded(image: np.ndarray) -> np.ndarray:
    for axis in (1, 2):
        n = image.shape[axis]
        at = [np.clip(np.arange(n) + offset, 0, n - 1) for offset in (-1, 0, 1)]
        image = np.minimum.reduce([image.take(index, axis) for index in at])
    return image


def _reflected(at: np.ndarray, n: int) -> np.ndarray:
    """Places beyond the border, mirrored at the middle of the border's pixel."""
    if n == 1:
        return np.zeros_like(at)
    at = np.mod(at, 2 * (n - 1))
    return np.minimum(at, 2 * (n - 1) - at)
