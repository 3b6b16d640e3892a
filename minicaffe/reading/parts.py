"""Connected parts of the writing, and which of them may belong to characters."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

SMALLEST_PX = 6  # pixels of a part; what is smaller is noise
FAINT = 0.45  # of the ink in strokes: what has less, on its mean, is a smear
SPARSE = 0.12  # of its box that a character covers at least
LONG = 2.2  # heights of a character: lines of tables are longer
THIN, STRAIGHT = 0.3, 0.15  # heights of a character that they are thick; of their length, how far they bend
FEWEST = 3  # characters beside them
LARGEST = 0.7  # of a side of the picture: what is longer is no character


class Part(NamedTuple):
    """A connected part: its label, its box (top, left, bottom, right; ends excluded), pixels, mean ink."""

    label: int
    top: int
    left: int
    bottom: int
    right: int
    area: int
    ink: float

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def x(self) -> float:
        return (self.left + self.right) / 2

    @property
    def y(self) -> float:
        return (self.top + self.bottom) / 2


def parts_of(written: np.ndarray, ink: np.ndarray, level: float) -> tuple[np.ndarray, list[Part]]:
    """The labels, (H, W) int32 with 0 for paper, and the parts that are neither specks, smears nor parts of
    the picture's edge.

    written  which pixels are written on, (H, W) bool
    ink      how much ink they have, and `level`, how much a stroke has
    """
    from scipy import ndimage

    labels, count = ndimage.label(written, np.ones((3, 3), bool))
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    sums = np.bincount(labels.ravel(), weights=ink.ravel(), minlength=count + 1)
    height, width = written.shape
    found = []
    for label, place in enumerate(ndimage.find_objects(labels), 1):
        rows, columns = place
        part = Part(
            label,
            rows.start,
            columns.start,
            rows.stop,
            columns.stop,
            int(areas[label]),
            float(sums[label] / areas[label]),
        )
        if part.area < SMALLEST_PX or part.ink < FAINT * level:
            continue
        if part.height > LARGEST * height and part.width > LARGEST * width:
            continue
        touches = part.top == 0 or part.left == 0 or part.bottom == height or part.right == width
        if touches and (part.height > height / 3 or part.width > width / 3):
            continue
        found.append(part)
    return labels, found


def frames(parts: list[Part]) -> list[Part]:
    """The lines of tables: much longer than characters, and thin, or with much in between."""
    dense = [p for p in parts if p.area > SPARSE * p.height * p.width]
    typical = typical_height(dense)
    if len(dense) < FEWEST or not typical:
        return []
    found = []
    for p in parts:
        longer, shorter = max(p.height, p.width), min(p.height, p.width)
        thin = p.area < THIN * longer * typical and shorter < STRAIGHT * longer
        if longer > LONG * typical and (thin or p.area < SPARSE * p.height * p.width):
            found.append(p)
    return found


def typical_height(parts: list[Part]) -> float:
    """How high characters are: the median over ink, so that specks, however many, do not count; 0 for no
    parts."""
    likely = [p for p in parts if 0.2 < p.height / p.width < 12 and p.area < 0.9 * p.height * p.width + 40]
    likely = likely or parts
    if not likely:
        return 0.0
    heights = np.array([p.height for p in likely], float)
    weights = np.sqrt([p.area for p in likely]) * heights
    order = heights.argsort()
    total = np.cumsum(weights[order])
    return float(heights[order][np.searchsorted(total, total[-1] / 2)])


def stroke_width(written: np.ndarray) -> float:
    """How wide strokes are, in pixels: four times the mean distance of their pixels from paper, as it is of a
    long bar."""
    from scipy import ndimage

    if not written.any():
        return 0.0
    (place,) = ndimage.find_objects(written.astype(np.int8))
    distance = ndimage.distance_transform_edt(np.pad(written[place], 1))
    return max(1.0, 4 * float(distance[distance > 0].mean()) - 1)
