"""Turning a picture, undoing that a page was seen from one side, and finding points in the picture before.

A page that lies before a camera at a slant has lines that meet far away.  In coordinates from the middle of
the picture, with (u, v) on the page and (x, y) in the photo once it is turned,

    x = u / (1 - kx u - ky v),   y = v / (1 - kx u - ky v)

so that level lines of the page have the slope kx v, and upright ones the slope ky u.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .page import Point


class View(NamedTuple):
    """How a page was seen: `degrees` by which the photo must be turned, anticlockwise, and how lines
    converge, per pixel."""

    degrees: float
    kx: float = 0.0
    ky: float = 0.0

    def matrix(self) -> np.ndarray:
        """From the page to the photo, both from their middles, (3, 3)."""
        c, s = math.cos(math.radians(self.degrees)), math.sin(math.radians(self.degrees))
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
        return turn @ np.array([[1, 0, 0], [0, 1, 0], [-self.kx, -self.ky, 1.0]])


class Rotation(NamedTuple):
    """A picture that was turned: `matrix`, (3, 3), takes points (x, y, 1) of it to points of the one
    before."""

    matrix: np.ndarray
    degrees: float

    def back(self, point: Point) -> Point:
        """The point of the picture before it was turned."""
        x, y, w = self.matrix @ (*point, 1.0)
        return float(x / w), float(y / w)


def turned(picture: np.ndarray, view: View, *, whole: bool = True) -> tuple[np.ndarray, Rotation]:
    """A float32 picture (H, W) as if seen from above; 0 where there was nothing.

    whole  on a canvas that holds all of it, else on one of the same size
    """
    from PIL import Image

    height, width = picture.shape
    matrix = view.matrix()
    size = np.array([width, height])
    if whole:
        corners = np.array([(x, y, 1.0) for x in (-width / 2, width / 2) for y in (-height / 2, height / 2)])
        page = corners @ np.linalg.inv(matrix).T
        size = np.ceil(2 * np.abs(page[:, :2] / page[:, 2:]).max(axis=0)).astype(int)
    to_middle = np.array([[1, 0, -size[0] / 2], [0, 1, -size[1] / 2], [0, 0, 1.0]])
    from_middle = np.array([[1, 0, width / 2], [0, 1, height / 2], [0, 0, 1.0]])
    full = from_middle @ matrix @ to_middle
    full /= full[2, 2]
    out = Image.fromarray(picture).transform(
        (int(size[0]), int(size[1])),
        Image.Transform.PERSPECTIVE,
        full.ravel()[:8].tolist(),
        Image.Resampling.BICUBIC if whole else Image.Resampling.BILINEAR,
    )
    return np.clip(np.asarray(out), 0, 1), Rotation(full, view.degrees)


def back(turns: Sequence[Rotation], point: Point) -> Point:
    """The point before all turns, which were made in order."""
    for turn in reversed(turns):
        point = turn.back(point)
    return point
