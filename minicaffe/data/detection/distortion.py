"""Random changes of the colours of an image, and the larger ground that it is put on.

Images are (C, H, W), uint8, in the order blue, green, red; every step rounds to the nearest byte and holds
within 0 and 255.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

NUMBERS = 12  # that `distorted` takes
EXPAND_NUMBERS = 4
ORDERS = list(itertools.permutations(range(3)))


class Change(NamedTuple):
    """A step that happens with a probability, with an amount drawn from `low` to `high`."""

    probability: float
    low: float
    high: float

    def amount(self, happens: float, share: float) -> float | None:
        """For two numbers from [0, 1); None if it does not happen."""
        return self.low + (self.high - self.low) * share if happens < self.probability else None


class Distortion(NamedTuple):
    """brightness is added; contrast and saturation are factors; hue is added in half degrees."""

    brightness: Change
    contrast: Change
    saturation: Change
    hue: Change
    order: float  # the probability that the channels change places


class Expansion(NamedTuple):
    """With a probability the image is put somewhere on a ground up to `most` times as high and wide."""

    probability: float
    most: float
    ground: np.ndarray  # one value, or one for each channel


def distorted(image: np.ndarray, conf: Distortion, numbers: np.ndarray) -> np.ndarray:
    """An image whose colours change; number 0 says whether contrast comes before saturation and hue, or
    behind them."""
    u = numbers.tolist()
    image = _brighter(image, conf.brightness.amount(u[1], u[2]))
    contrast = conf.contrast.amount(u[3], u[4])
    if u[0] > 0.5:
        image = _contrasted(image, contrast)
    image = _saturated(image, conf.saturation.amount(u[5], u[6]))
    image = _turned(image, conf.hue.amount(u[7], u[8]))
    if u[0] <= 0.5:
        image = _contrasted(image, contrast)
    return image[list(ORDERS[int(u[10] * len(ORDERS))])] if u[9] < conf.order else image


def expanded(image: np.ndarray, conf: Expansion, numbers: np.ndarray) -> tuple[np.ndarray, slice, slice]:
    """An image on its ground, and the rows and columns of the image that the ground has, counted from the
    image's first; the image as it is where that does not happen."""
    c, h, w = image.shape
    ratio = 1 + (conf.most - 1) * float(numbers[1])
    height, width = int(h * ratio), int(w * ratio)
    if numbers[0] >= conf.probability or (height, width) == (h, w):
        return image, slice(0, h), slice(0, w)
    top, left = int(numbers[2] * (height - h + 1)), int(numbers[3] * (width - w + 1))
    ground = np.empty((c, height, width), image.dtype)
    ground[...] = (
        _bytes(conf.ground).reshape(-1, 1, 1) if image.dtype == np.uint8 else conf.ground.reshape(-1, 1, 1)
    )
    ground[:, top : top + h, left : left + w] = image
    return ground, slice(-top, height - top), slice(-left, width - left)


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _brighter(image: np.ndarray, amount: float | None) -> np.ndarray:
    return image if amount is None else _bytes(np.arange(256) + amount)[image]


def _contrasted(image: np.ndarray, factor: float | None) -> np.ndarray:
    return image if factor is None else _bytes(np.arange(256) * factor)[image]


def _saturated(image: np.ndarray, factor: float | None) -> np.ndarray:
    """Saturation is (v - min) / v, where v is the largest channel: it becomes factor times as large, 1 at
    most, and hue and v stay."""
    if factor is None:
        return image
    v, low = image.max(axis=0).astype(np.float32), image.min(axis=0)
    most = np.divide(v, v - low, out=np.ones_like(v), where=v > low)  # the factor that makes it 1
    return _bytes(v - (v - image) * np.minimum(np.float32(factor), most))


def _turned(image: np.ndarray, half_degrees: float | None) -> np.ndarray:
    """The hue turned on the circle red, yellow, green, cyan, blue, magenta, each 60 degrees from the last."""
    if half_degrees is None:
        return image
    blue, green, red = image.astype(np.float32)
    v, low = image.max(axis=0).astype(np.float32), image.min(axis=0)
    chroma = v - low
    safe = np.where(chroma == 0, 1, chroma)
    hue = np.where(
        v == red,
        (green - blue) / safe,
        np.where(v == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    hue += np.float32(half_degrees / 30)
    ways = [np.mod(hue + offset, 6) for offset in (1, 3, 5)]  # blue, green, red
    return _bytes(np.stack([v - chroma * np.clip(np.minimum(way, 4 - way), 0, 1) for way in ways]))
