"""Turning a picture, and finding points of the turned one in the first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .page import Point


class Turn(NamedTuple):
    """A picture turned anticlockwise about its middle, on a canvas that holds all of it."""

    degrees: float
    before: tuple[int, int]  # rows and columns
    after: tuple[int, int]

    def back(self, point: Point) -> Point:
        """The point of the picture before it was turned."""
        c, s = math.cos(math.radians(self.degrees)), math.sin(math.radians(self.degrees))
        x, y = point[0] - self.after[1] / 2, point[1] - self.after[0] / 2
        return c * x - s * y + self.before[1] / 2, s * x + c * y + self.before[0] / 2


def turned(picture: np.ndarray, degrees: float) -> tuple[np.ndarray, Turn]:
    """A float32 picture (H, W), turned; 0 where there was nothing."""
    from PIL import Image

    out = Image.fromarray(picture).rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    array = np.clip(np.asarray(out), 0, 1)
    return array, Turn(degrees, picture.shape, array.shape)  # type: ignore[arg-type]


def back(turns: Sequence[Turn], point: Point) -> Point:
    """The point before all turns, which were made in order."""
    for turn in reversed(turns):
        point = turn.back(point)
    return point
