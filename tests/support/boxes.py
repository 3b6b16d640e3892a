"""Priors, objects and overlaps for tests of detectors, and what such a net computes, restated box by box."""

from __future__ import annotations

import numpy as np

PRIORS = 12


def random_priors(shape, rng) -> np.ndarray:
    """Boxes of a tenth to four of the image and more, some of which leave it, and variances."""
    count = shape[-1] // 4
    corners = rng.uniform(0, 0.7, (count, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0.1, 0.4, (count, 2))], axis=1)
    return np.stack([boxes.reshape(-1), rng.uniform(0.1, 0.3, count * 4)])[None]


def objects(images: int, classes: int, difficult: float = 0.2, background: int = 0):
    """What makes objects of so many images and classes; one row in eight is none."""

    def make(shape, rng) -> np.ndarray:
        rows = shape[2]
        table = np.zeros((rows, 8))
        table[:, 0] = np.where(rng.random(rows) < 0.125, -1, rng.integers(0, images, rows))
        table[:, 1] = rng.choice([c for c in range(classes) if c != background], rows)
        corners = rng.uniform(0, 0.7, (rows, 2))
        table[:, 3:5], table[:, 5:7] = corners, corners + rng.uniform(0.15, 0.3, (rows, 2))
        table[:, 7] = rng.random(rows) < difficult
        return table.reshape(shape)

    return make


def decoded(l, prior, v, code):
    """What offsets make of a prior."""
    size = np.tile([prior[2] - prior[0], prior[3] - prior[1]], 2)
    if code == "CORNER":
        return prior + v * l
    if code == "CORNER_SIZE":
        return prior + v * l * size
    centre = (prior[:2] + prior[2:]) / 2 + (v * l * size)[:2]
    half = np.exp((v * l)[2:]) * size[:2] / 2
    return np.concatenate([centre - half, centre + half])


def encoded(box, prior, v, code):
    """The offsets that make a prior the box."""
    size = np.tile([prior[2] - prior[0], prior[3] - prior[1]], 2)
    if code == "CORNER":
        return (box - prior) / v
    if code == "CORNER_SIZE":
        return (box - prior) / size / v
    centre = ((box[:2] + box[2:]) - (prior[:2] + prior[2:])) / 2 / size[:2]
    return np.concatenate([centre, np.log((box[2:] - box[:2]) / size[:2])]) / v


def overlap(a, b):
    """What two boxes share, of what they cover together."""

    def area(box):
        return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)

    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    common = sides[0] * sides[1] if (sides > 0).all() else 0.0
    return common / (area(a) + area(b) - common) if common else 0.0
