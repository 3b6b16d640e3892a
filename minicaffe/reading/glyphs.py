"""A glyph as a net for MNIST wants it: light on dark, in a box of 20x20, its mass in the centre of 28x28.

Source: Y. LeCun, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import numpy as np

SIDE = 28  # of the picture
BOX = 20  # the longer side of the glyph
FINE = 2  # the box is filled this many times as large first
THINNEST = 1.8  # pixels of the box that a stroke gets at least; MNIST's have two to three
VISIBLE = 0.15  # ink above which a pixel counts for the extent of a glyph


def normalised(
    ink: np.ndarray,
    stroke_px: float = 0.0,
    side: int = SIDE,
    box: int = BOX,
    thinnest: float = THINNEST,
) -> np.ndarray:
    """The glyph as a (28, 28) float32 array in [0, 1].

    ink        (H, W), 0 for paper to 1 for full ink, and nothing but the glyph
    stroke_px  how wide its strokes are; thin ones are drawn wider, since MNIST's pens were broad
    side, box, thinnest  another picture, the longer side of the glyph in it, and pixels of its strokes
    """
    from PIL import Image
    from scipy import ndimage

    seen = ink > VISIBLE
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not len(rows):
        return np.zeros((side, side), np.float32)
    crop = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    longer = max(crop.shape)
    wider = 0
    if stroke_px:
        wider = max(0, round(FINE * thinnest - stroke_px * FINE * box / longer))
    scale = (FINE * box - wider) / longer
    height, width = (max(1, round(extent * scale)) for extent in crop.shape)
    fine = np.asarray(
        Image.fromarray(np.ascontiguousarray(crop, np.float32)).resize(
            (width, height), Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
        )
    )
    height, width = (-(-(extent + wider) // FINE) for extent in (height, width))
    padded = np.zeros((height * FINE, width * FINE), np.float32)
    top, left = ((p - f) // 2 for p, f in zip(padded.shape, fine.shape))
    padded[top : top + fine.shape[0], left : left + fine.shape[1]] = fine
    if wider:
        padded = ndimage.maximum_filter(padded, wider + 1)
    glyph = padded.reshape(height, FINE, width, FINE).mean(axis=(1, 3))  # (h, 2, w, 2): pixels of the box
    return _centred(np.clip(glyph, 0, 1), side)


def _centred(glyph: np.ndarray, side: int) -> np.ndarray:
    """In the picture, its centre of mass as near to the middle as whole pixels allow."""
    mass = glyph.sum()
    picture = np.zeros((side, side), np.float32)
    place = []
    for axis, extent in enumerate(glyph.shape):
        centre = float(glyph.sum(axis=1 - axis) @ (np.arange(extent) + 0.5)) / mass
        place.append(min(max(round(side / 2 - centre), 0), side - extent))
    picture[place[0] : place[0] + glyph.shape[0], place[1] : place[1] + glyph.shape[1]] = glyph
    return picture
