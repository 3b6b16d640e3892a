"""Scenes to detect digits in: handwritten digits of several sizes on coloured, textured grounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..detection.boxes import Boxes, marked
from ..detection.resampling import resized

NAMES = tuple("0123456789")  # of the classes; labels begin at 1
LEAST_CONTRAST = 80  # of luminance, between a digit and the ground around it
INK = (0.35, 0.7)  # shares of the brightest value between which an enlarged digit's edge lies
TRIES = 12  # to find a place for a digit
FREE = 2  # pixels between boxes, at least
LUMA = np.array([0.114, 0.587, 0.299], np.float32)  # of blue, green, red


class Scene(NamedTuple):
    """An image (3, side, side), uint8, and its digits."""

    image: np.ndarray
    boxes: Boxes


class Digits(NamedTuple):
    """Digits to take: images (N, H, W), bright on dark, their labels, and the brightest value."""

    images: np.ndarray
    labels: np.ndarray
    white: int


def scene(digits: Digits, side: int, most: int, random: np.random.Generator) -> Scene:
    """A scene with one to `most` digits, 1/6 to 1/2 as high as the image, that do not overlap."""
    image = ground(side, random)
    taken: list[tuple[int, int, int, int]] = []
    labels = []
    for _ in range(int(random.integers(1, most + 1))):
        pick = int(random.integers(len(digits.labels)))
        ink = _ink(digits.images[pick] / digits.white, side, random)
        h, w = ink.shape
        for _ in range(TRIES):
            x, y = int(random.integers(side - w + 1)), int(random.integers(side - h + 1))
            box = (x, y, x + w, y + h)
            if all(_apart(box, other) for other in taken):
                break
        else:
            continue
        under = image[:, y : y + h, x : x + w]
        under += ink * (_colour(float(np.tensordot(LUMA, under, 1).mean()), random)[:, None, None] - under)
        taken.append(box)
        labels.append(int(digits.labels[pick]) + 1)
    corners = [[value / side for value in box] for box in taken]
    return Scene(np.clip(np.rint(image), 0, 255).astype(np.uint8), marked(corners, labels).grouped())


def _ink(digit: np.ndarray, side: int, random: np.random.Generator) -> np.ndarray:
    """How much of each pixel a digit of random size covers, cut to what it covers: from 0 to 1."""
    height = np.exp(random.uniform(np.log(side / 6), np.log(side / 2)))
    small = np.pad(_cut(digit, min(INK[1], float(digit.max()))), 1).astype(np.float32)
    scale = height / max(small.shape[0] - 2, 1)
    sides = scale * np.array(small.shape) * (1, random.uniform(0.8, 1.2))
    h, w = np.clip(np.rint(sides), 4, side).astype(int).tolist()
    large = resized(small[None], h, w, "CUBIC")[0]
    ink = np.clip((large - INK[0]) / (INK[1] - INK[0]), 0, 1)
    if not (ink > 0.5).any():  # of a digit that is hardly there
        return np.clip(large / max(float(large.max()), 1e-6), 0, 1)
    return _cut(ink, 0.5)


def _cut(digit: np.ndarray, least: float) -> np.ndarray:
    """The rows and columns between the outermost that reach `least`."""
    rows, columns = (np.flatnonzero((digit >= least).any(axis=axis)) for axis in (1, 0))
    return digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _apart(box: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return any(a[i + 2] + FREE <= b[i] for a, b in ((box, other), (other, box)) for i in (0, 1))


def _colour(around: float, random: np.random.Generator) -> np.ndarray:
    """A colour that is lighter or darker than what is around by LEAST_CONTRAST at least."""
    while True:
        colour = random.uniform(0, 255, 3)
        if abs(float(LUMA @ colour) - around) >= LEAST_CONTRAST:
            return colour


# -- grounds


def ground(side: int, random: np.random.Generator) -> np.ndarray:
    """A coloured texture (3, side, side), float32: two colours near each other, mixed by a pattern, and a
    little noise."""
    one = random.uniform(30, 225, 3)
    other = one + random.uniform(-60, 60, 3)
    pattern = PATTERNS[int(random.integers(len(PATTERNS)))](side, random)
    mixed = one[:, None, None] + (other - one)[:, None, None] * pattern
    return (mixed + random.normal(0, random.uniform(1, 6), (1, side, side))).astype(np.float32)


def _clouds(side: int, random: np.random.Generator) -> np.ndarray:
    """Noise of several wavelengths, the longer the stronger."""
    total = np.zeros((side, side))
    for cells in (3, 6, 12):
        coarse = random.normal(0, 1, (1, cells, cells)).astype(np.float32)
        total += resized(coarse, side, side, "CUBIC")[0] / cells
    return _unit(total)


def _slope(side: int, random: np.random.Generator) -> np.ndarray:
    """From one side to the other."""
    return _unit(_along(side, random))


def _stripes(side: int, random: np.random.Generator) -> np.ndarray:
    """Waves of one direction."""
    return np.sin(_along(side, random) * random.uniform(6, 30) + random.uniform(0, 6)) / 2 + 0.5


def _weave(side: int, random: np.random.Generator) -> np.ndarray:
    """Waves of two directions."""
    return (_stripes(side, random) + _stripes(side, random)) / 2


def _tiles(side: int, random: np.random.Generator) -> np.ndarray:
    """Squares of different shades."""
    cells = int(random.integers(3, 9))
    return resized(random.uniform(0, 1, (1, cells, cells)).astype(np.float32), side, side, "NEAREST")[0]


def _along(side: int, random: np.random.Generator) -> np.ndarray:
    angle, place = random.uniform(0, 2 * np.pi), np.arange(side) / side
    return np.cos(angle) * place + np.sin(angle) * place[:, None]


def _unit(values: np.ndarray) -> np.ndarray:
    return (values - values.min()) / max(float(np.ptp(values)), 1e-6)


PATTERNS: tuple[Callable[[int, np.random.Generator], np.ndarray], ...] = (
    _clouds,
    _slope,
    _stripes,
    _weave,
    _tiles,
)
