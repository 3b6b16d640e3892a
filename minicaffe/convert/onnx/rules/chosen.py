"""What all layers that find boxes do: sort by scores, drop what overlaps, and write rows.

The number of boxes that are found is no obstacle in ONNX, where an axis need have no extent before a run.
NonMaxSuppression drops a box that overlaps a better one by more than a threshold, which is Caffe's rule and
that of its forks.  What it returns is brought into the order of places, so that nothing depends on its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph import FLOAT, INT64, Draft, Tensor

LOWEST = -float(np.finfo(np.float32).max)
ROW = 7  # numbers of a detection: image, class, score, xmin, ymin, xmax, ymax


def below(limit: float) -> np.ndarray:
    """The number before a limit: above that is the limit and more."""
    return np.nextafter(np.float32(limit), np.float32(-np.inf))


def size(w: Draft, x: Tensor, axis: int = 0) -> Tensor:
    """An extent of x, as a list of one."""
    return w("Slice", w("Shape", x), [axis], [axis + 1])


def cast(w: Draft, x: Tensor) -> Tensor:
    return w("Cast", x, to=FLOAT)


def picked(w: Draft, x: Tensor, places: Tensor) -> Tensor:
    """Rows (m, k, ...) of x (m, p, ...), those with numbers places (m, k) of each m."""
    return w("GatherND", x, w("Unsqueeze", places, [2]), batch_dims=1)


def by_score(w: Draft, scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` highest scores (m, count) of (m, p), the highest first, of equal ones the first, and their
    numbers."""
    scores, places = w.several("TopK", scores, [count], outputs=2, axis=1)
    return scores, places


def marks(w: Draft, like: Tensor, places: Tensor, op: str, **attributes: Any) -> Tensor:
    """True at some places of a tensor as large as `like`, False elsewhere; op is the operator that scatters
    into it."""
    nothing = w("Expand", np.array(False), w("Shape", like))
    extent = w("Shape", places) if op == "ScatterElements" else size(w, places)
    return w(op, nothing, places, w("Expand", np.array(True), extent), **attributes)


def apart(
    w: Draft, boxes: Tensor, scores: Tensor, most: int, overlap: Any, threshold: Any, centred: bool = False
) -> Tensor:
    """Which of the boxes (m, k, 4) are kept: those with a score (m, k) above `threshold` that overlap none
    with a higher one, of equal ones none before, by more than `overlap`; `most` of each m.

    centred  boxes are centre, width and height; else corners
    """
    found = w(
        "NonMaxSuppression",
        boxes,
        w("Unsqueeze", scores, [1]),
        [most],
        np.clip(np.float32(overlap), 0, 1),
        np.float32(threshold),
        center_point_box=int(centred),
    )
    return marks(w, scores, w("Gather", found, [0, 2], axis=1), "ScatterND")  # 1: the only class


def places_of(w: Draft, kept: Tensor) -> Tensor:
    """Places (found, axes) of what is True, by their numbers."""
    return w("Transpose", w("NonZero", kept), perm=[1, 0])


def in_order(w: Draft, kept: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Of what is kept (m, k) the m and the place (found, 1): by m, with the highest scores first, of equal
    ones the first."""
    count = w("ReduceSum", w("Cast", kept, to=INT64), [0, 1], keepdims=0)
    count = w("Min", w("Reshape", count, [1]), size(w, scores, 1))
    scores, places = w.several("TopK", w("Where", kept, scores, LOWEST), count, outputs=2, axis=1)
    ranks = places_of(w, w("Greater", scores, LOWEST))
    return column(w, ranks, 0), w("Unsqueeze", w("GatherND", places, ranks), [1])


def column(w: Draft, places: Tensor, axis: int) -> Tensor:
    """Numbers (found, 1) along an axis."""
    return w("Slice", places, [axis], [axis + 1], [1])


def detections(w: Draft, rows: Tensor, like: Tensor) -> Tensor:
    """The top (1, 1, found, 7) of rows (found, 7); without any, one for each image of `like`, -1 but for its
    number."""
    images = size(w, like)
    none = w("Cast", w("Equal", size(w, rows), [0]), to=INT64)
    zero, one = np.array(0, np.int64), np.array(1, np.int64)
    numbers = cast(w, w("Range", zero, w("Squeeze", images, [0]), one))
    others = w("Expand", -1.0, w("Concat", images, [ROW - 1], axis=0))
    nothing = w("Concat", w("Unsqueeze", numbers, [1]), others, axis=1)
    nothing = w("Slice", nothing, [0], w("Mul", images, none))
    return w("Unsqueeze", w("Concat", rows, nothing, axis=0), [0, 1])
