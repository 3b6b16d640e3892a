"""The objects of an image as boxes, and what becomes of them in a part of the image.

A box is (xmin, ymin, xmax, ymax) as shares of the image's width and height, float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

WHOLE = np.array([0.0, 0.0, 1.0, 1.0])  # the box that is the image
VALUES = 8  # of a row: image, label, instance, xmin, ymin, xmax, ymax, difficult


class Boxes(NamedTuple):
    """The objects of an image.

    corners    (M, 4): xmin, ymin, xmax, ymax
    labels     (M,), int64
    instances  (M,), int64: the number among the objects of its label
    difficult  (M,), bool: hard to tell, so that tests may leave it out
    """

    corners: np.ndarray
    labels: np.ndarray
    instances: np.ndarray
    difficult: np.ndarray

    def taken(self, which: np.ndarray) -> Boxes:
        """Some of the objects."""
        return Boxes(*(values[which] for values in self))

    def grouped(self) -> Boxes:
        """Those of a label together, labels as they first came."""
        first: dict[int, int] = {}
        places = [first.setdefault(label, len(first)) for label in self.labels.tolist()]
        return self.taken(np.argsort(np.array(places, np.int64), kind="stable"))

    def mirrored(self) -> Boxes:
        """As they lie when left and right are exchanged."""
        xmin, ymin, xmax, ymax = self.corners.T
        return self._replace(corners=np.stack([1 - xmax, ymin, 1 - xmin, ymax], axis=1))


def marked(
    corners: Sequence[Sequence[float]], labels: Sequence[int], difficult: Sequence[bool] = ()
) -> Boxes:
    """Objects in this order, those of a label numbered from 0."""
    counts: dict[int, int] = {}
    instances = []
    for label in labels:
        instances.append(counts.get(label, 0))
        counts[label] = instances[-1] + 1
    return Boxes(
        np.array(corners, np.float64).reshape(-1, 4),
        np.array(labels, np.int64),
        np.array(instances, np.int64),
        np.array(list(difficult) or [False] * len(labels), bool),
    )


def area(corners: np.ndarray) -> np.ndarray:
    """Of boxes (..., 4); 0 for one that is turned inside out."""
    width, height = corners[..., 2] - corners[..., 0], corners[..., 3] - corners[..., 1]
    return np.where((width > 0) & (height > 0), width * height, 0.0)


def shared_area(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """What boxes (T, 4) and boxes (M, 4) have in common: (T, M)."""
    low = np.maximum(some[:, None, :2], others[None, :, :2])
    high = np.minimum(some[:, None, 2:], others[None, :, 2:])
    return area(np.concatenate([low, high], axis=-1))


def jaccard(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The area that two boxes share, over the area that both cover: (T, M)."""
    shared = shared_area(some, others)
    return _over(shared, area(some)[:, None] + area(others)[None] - shared)


def coverage(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The share of each of `some` that lies in each of `others`: (T, M)."""
    return _over(shared_area(some, others), area(some)[:, None])


def _over(shared: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(shared > 0, shared / np.where(shared > 0, whole, 1), 0.0)


def projected(
    boxes: Boxes, part: np.ndarray, least_share: float | None = None, centred: bool = False
) -> Boxes:
    """The objects of an image as they lie in a part of it, or in a ground around it: cut at its border, and
    without those of which nothing is in it.

    part         (4,), a box in the image
    least_share  only objects stay of which a larger share lies in the part
    centred      only objects stay whose middle lies in the part
    """
    corners = boxes.corners
    keep = np.ones(len(corners), bool)
    if centred:
        middle = (corners[:, :2] + corners[:, 2:]) / 2
        keep &= ((middle >= part[:2]) & (middle <= part[2:])).all(axis=1)
    if least_share is not None:
        keep &= coverage(corners, part[None])[:, 0] > least_share
    inside = np.clip((corners - np.tile(part[:2], 2)) / np.tile(part[2:] - part[:2], 2), 0, 1)
    return boxes._replace(corners=inside).taken(keep & (area(inside) > 0))


def rows(batch: Sequence[Boxes]) -> np.ndarray:
    """The objects of the images of a batch, (1, 1, objects, VALUES); one row of -1 if there are none."""
    found = [
        np.column_stack([np.full(len(b.labels), n), b.labels, b.instances, b.corners, b.difficult])
        for n, b in enumerate(batch)
    ]
    table = np.concatenate(found)
    return (table if len(table) else np.full((1, VALUES), -1.0))[None, None]
