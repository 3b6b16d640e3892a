"""Which classes are taken for which: counted over pixels, and what such a matrix says."""

from __future__ import annotations

import numpy as np
from numba import prange

from .loss import Labels, first_score
from .partial_sums import whole
from .registry import kernel
from .reindex import NONE


@kernel(threads=lambda x, found, g: g.outer * g.inner)
def best_classes(x, found: np.int32, g: Labels):
    """found = the class with the highest score at every position, of equal ones the last."""
    for i in prange(g.outer * g.inner):
        first = first_score(i, g)
        best = 0
        for c in range(1, g.classes):
            if not x[first + c * g.inner] < x[first + best * g.inner]:
                best = c
        found[i] = best


@kernel(
    threads=lambda labels, found, ignored, matrix, position, g, ignores: g.outer * g.inner, parallel=False
)
def count_pairs(
    labels, found: np.int32, ignored: np.int32, matrix: np.int32, position: np.int32, g: Labels, ignores: int
):
    """matrix[label, found] += 1 for every position whose label is none of the first `ignores` of `ignored`;
    position = the first whose label is no class, unless an earlier one is noted there."""
    for i in range(g.outer * g.inner):
        label = whole(labels[i])
        counts = True
        for k in range(ignores):
            counts = counts and label != ignored[k]
        if counts and 0 <= label < g.classes:
            matrix[label * g.classes + found[i]] += 1
        elif counts:
            position[0] = min(position[0], i)


@kernel(blocks=lambda matrix, labels, position, value, y, g: 1, parallel=False)
def matrix_scores(matrix: np.int32, labels, position: np.int32, value, y, g: Labels):
    """y = the share of positions that were found right; the mean of that over the labels that occur; and the
    mean over all classes of right / (labelled or found so), which counts 1 where that is 0 / 0.

    value = the label at the position that count_pairs noted.
    """
    right, all_of, recalls, present, shares = 0, 0, 0.0, 0, 0.0
    for c in range(g.classes):
        labelled, found = 0, 0
        for k in range(g.classes):
            labelled += matrix[c * g.classes + k]
            found += matrix[k * g.classes + c]
        both = matrix[c * g.classes + c]
        right += both
        all_of += labelled
        if labelled > 0:
            recalls += both / labelled
            present += 1
        either = labelled + found - both
        shares += both / either if either > 0 else 1.0
    y[0] = right / max(all_of, 1)
    y[1] = recalls / max(present, 1)
    y[2] = shares / g.classes
    at = position[0]
    if at != NONE and at < g.outer * g.inner:
        label = whole(labels[at])
        if label < 0 or label >= g.classes:
            value[0] = labels[at]
