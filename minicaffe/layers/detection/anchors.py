"""Anchors: the boxes of a cell that a detector of regions starts from."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def anchors(base: int, ratios: Sequence[float], scales: Sequence[float]) -> np.ndarray:
    """Corners (x1, y1, x2, y2) of the anchors of the first cell."""
    centre, found = (base - 1) / 2, []
    for ratio in ratios:
        width = int(math.sqrt(base * base / ratio) + 0.5)
        height = int(width * ratio + 0.5)
        for scale in scales:
            w, h = (width * scale - 1) / 2, (height * scale - 1) / 2
            found.append((centre - w, centre - h, centre + w, centre + h))
    return np.array(found)
