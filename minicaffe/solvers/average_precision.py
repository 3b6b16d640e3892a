"""Average precision: how good a detector's boxes are, as one number for each class.

From the highest score down, each box that is right raises recall, the share of objects found; precision is
the share of right boxes among those so far.  Average precision is the area under precision over recall, in
one of three versions that SSD's solvers name:

    Integral     the sum of precision times the step of recall
    MaxIntegral  the same of the highest precision at this recall or above (VOC from 2010 on)
    11point      the mean of the highest precision at recalls of 0, 0.1, ... 1 and above (VOC 2007)
"""

from __future__ import annotations

import numpy as np

VERSIONS = ("Integral", "MaxIntegral", "11point")
POINTS = np.arange(11) / 10
CLOSE = 1e-6  # recalls of 0.1 and 1 / 10 are the same


def average_precision(right: np.ndarray, objects: int, version: str) -> float:
    """The average precision of boxes that are right or not, the highest score first, where there are so many
    objects; 0 without either."""
    if not len(right) or not objects:
        return 0.0
    found = np.cumsum(right)
    precision, recall = found / np.arange(1, len(right) + 1), found / objects
    best = np.maximum.accumulate(precision[::-1])[::-1]  # at this recall or above
    if version == "11point":
        first = np.searchsorted(recall, POINTS - CLOSE)
        return float(np.append(best, 0)[first].mean())
    heights = precision if version == "Integral" else best
    return float((heights * np.diff(recall, prepend=0)).sum())


class Verdicts:
    """The rows of DetectionEvaluate from many batches."""

    def __init__(self) -> None:
        self.rows: list[np.ndarray] = []

    def add(self, rows: np.ndarray) -> None:
        """Take the rows of a batch, of five numbers each."""
        self.rows.append(np.array(rows, np.float64).reshape(-1, 5))

    def of_classes(self, version: str) -> dict[int, float]:
        """The average precision of each class that there is an object of.  Boxes that are neither right nor
        wrong do not count; of equal scores the box that came first is first."""
        rows = np.concatenate([*self.rows, np.empty((0, 5))])
        image, label, value, right, wrong = rows.T
        counts, boxes = image == -1, (image != -1) & (right + wrong > 0)
        found = {}
        for c in np.unique(label[counts]):
            objects, own = value[counts & (label == c)].sum(), boxes & (label == c)
            if objects:
                order = np.argsort(-value[own], kind="stable")
                found[int(c)] = average_precision(right[own][order], int(objects), version)
        return found


def mean(precisions: dict[int, float]) -> float:
    """The mean over classes; NaN if there is none."""
    return float(np.mean([*precisions.values()])) if precisions else float("nan")
