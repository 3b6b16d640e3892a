"""Outlines of boxes on images."""

from __future__ import annotations

import numpy as np

from .sheet import CELL

# Blue, green, red: bright, and far from each other.
COLOURS = ((60, 60, 255), (60, 220, 60), (255, 140, 30), (40, 220, 255), (255, 80, 255), (255, 230, 60))


def outlined(image: np.ndarray, corners: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """An image (C, H, W), grey or blue, green and red, with the outlines of boxes (M, 4), which are shares of
    it, in a colour for each label; enlarged by a whole factor, if there is room, so that they are thin."""
    factor = max(1, CELL[1] // max(image.shape[1:]))
    large = image.repeat(factor, axis=1).repeat(factor, axis=2)
    large = np.repeat(large, 3 // len(large), axis=0) if len(large) in (1, 3) else large
    height, width = large.shape[1:]
    for box, label in zip(corners * [width, height, width, height], labels.tolist()):
        left, top, right, bottom = np.rint(box).astype(int)
        right, bottom = min(max(right - 1, left), width - 1), min(max(bottom - 1, top), height - 1)
        colour = np.array(COLOURS[label % len(COLOURS)], large.dtype)
        large[:, [top, bottom], left : right + 1] = colour[:, None, None]
        large[:, top : bottom + 1, [left, right]] = colour[:, None, None]
    return large
