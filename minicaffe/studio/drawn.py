"""What is drawn on the pad, placed in the picture as the images are that a net was trained on."""

from __future__ import annotations

import numpy as np

from ..inference.viewer import Viewer
from ..reading.glyphs import BOX, SIDE, VISIBLE, normalised

LOOKED_AT = 60  # images of the training data
SHARE = BOX / SIDE  # of the picture's side that a digit's longer side has, in MNIST


def share_of(viewer: Viewer) -> float:
    """How much of the shorter side of images their content takes, as those of the net's data have it; MNIST's share
    if that is not here or says nothing."""
    total = len(viewer.samples)
    found = []
    for i in range(0, total, max(1, total // LOOKED_AT)):
        image, _ = viewer.samples.read(i)
        values = image[0].astype(np.float64)
        values = np.abs(values - np.median(np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])))
        seen = values > VISIBLE * max(values.max(), 1e-9)
        sides = [np.flatnonzero(seen.any(axis=axis)) for axis in (0, 1)]
        if all(len(side) for side in sides):
            found.append(max(int(side[-1] - side[0]) + 1 for side in sides) / min(values.shape))
    return float(np.clip(np.median(found), 0.3, 1.0)) if found else SHARE


def placed(ink: np.ndarray, size: tuple[int, int], share: float, stroke_px: float) -> np.ndarray:
    """A picture (1, H, W) of bytes, light on dark, of ink (h, w) from 0 to 1: as large as `share` says, its mass in
    the centre, strokes of `stroke_px` no thinner than MNIST's."""
    side = min(size)
    glyph = normalised(ink, stroke_px, side, max(1, round(share * side)))
    picture = np.zeros((1, *size), np.uint8)
    top, left = (size[0] - side) // 2, (size[1] - side) // 2
    picture[0, top : top + side, left : left + side] = np.rint(255 * glyph)
    return picture
