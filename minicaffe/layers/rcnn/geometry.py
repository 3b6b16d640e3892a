"""Boxes x1, y1, x2, y2, both corners belonging to them, in NumPy: how much they overlap, and from one to
another."""

from __future__ import annotations

import numpy as np


def sides(boxes: np.ndarray) -> np.ndarray:
    """Widths and heights (n, 2)."""
    return boxes[:, 2:4] - boxes[:, :2] + 1


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(boxes, others): what two have in common, as a share of what they cover together."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:4], others[None, :, 2:4])
    common = np.maximum(high - low + 1, 0).prod(axis=2)
    areas = sides(boxes).prod(axis=1)[:, None] + sides(others).prod(axis=1)
    return common / (areas - common)


def moves(boxes: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(n, 4): from each box to its target.  How far the centre moves, in widths and heights, and the
    logarithm of the factors of both."""
    size, wanted = sides(boxes), sides(targets)
    shift = (targets[:, :2] + wanted / 2 - boxes[:, :2] - size / 2) / size
    return np.concatenate([shift, np.log(wanted / size)], axis=1)


def moved(boxes: np.ndarray, deltas: np.ndarray) -> np.ndarray:
    """Boxes (n, 4), their centres moved by the first two deltas in widths and heights, their sides multiplied
    by e^(the others); as Proposal moves its anchors, their last corner then does not belong to them."""
    size = sides(boxes)
    centres = boxes[:, :2] + size / 2 + deltas[:, :2] * size
    with np.errstate(over="ignore"):
        half = np.exp(deltas[:, 2:]) * size / 2
    return np.concatenate([centres - half, centres + half], axis=1)
