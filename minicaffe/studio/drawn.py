"""What is drawn on the pad, placed in the picture as the images are that a net was trained on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..inference.viewer import Viewer
from ..reading.glyphs import BOX, SIDE, THINNEST, VISIBLE, normalised
from ..reading.parts import stroke_width

LOOKED_AT = 60  # images of the training data
FINE = 4  # they are enlarged so many times to measure strokes


class Manner(NamedTuple):
    """How images are drawn: how much of the shorter side of the picture their content takes, and how wide
    strokes are beside that content."""

    share: float = BOX / SIDE
    stroke: float = THINNEST / BOX


def manner_of(viewer: Viewer) -> Manner:
    """As the images of the net's data have it; as MNIST's do if those are not here, or show nothing."""
    total = len(viewer.samples)
    shares, strokes = [], []
    for i in range(0, total, max(1, total // LOOKED_AT)):
        image, _ = viewer.samples.read(i)
        ink = _ink(image[0].astype(np.float64))
        sides = [np.flatnonzero((ink > VISIBLE).any(axis=axis)) for axis in (0, 1)]
        if all(len(side) for side in sides):
            longer = max(int(side[-1] - side[0]) + 1 for side in sides)
            shares.append(longer / min(ink.shape))
            strokes.append(_stroke(ink) / longer)
    if not shares:
        return Manner()
    return Manner(float(np.clip(np.median(shares), 0.3, 1)), float(np.clip(np.median(strokes), 0.05, 0.3)))


def _ink(values: np.ndarray) -> np.ndarray:
    """How far pixels are from the ground, from 0 to 1."""
    ground = np.median(np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]]))
    apart = np.abs(values - ground)
    return apart / max(apart.max(), 1e-9)


def _stroke(ink: np.ndarray) -> float:
    """How wide strokes are, in pixels."""
    from PIL import Image

    size = (FINE * ink.shape[1], FINE * ink.shape[0])
    fine = np.asarray(Image.fromarray(ink.astype(np.float32)).resize(size, Image.Resampling.BILINEAR))
    return stroke_width(fine > 0.5) / FINE


def placed(ink: np.ndarray, size: tuple[int, int], manner: Manner, stroke_px: float) -> np.ndarray:
    """A picture (1, H, W) of bytes, light on dark, of ink (h, w) from 0 to 1 whose strokes are `stroke_px`
    wide: of the size and with strokes as `manner` says, its mass in the centre."""
    side = min(size)
    box = max(1, round(manner.share * side))
    glyph = normalised(ink, stroke_px, side, box, manner.stroke * box)
    picture = np.zeros((1, *size), np.uint8)
    top, left = (size[0] - side) // 2, (size[1] - side) // 2
    picture[0, top : top + side, left : left + side] = np.rint(255 * glyph)
    return picture
