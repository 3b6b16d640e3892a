"""Layers that pool regions of images.

The mean over a cell is taken from sums over all that lies above and to the left of its corners, in double
precision: so a region costs as much as it has cells, however large they are.
"""

from __future__ import annotations

import numpy as np

from ....kernels.regions import SMALLEST
from ..graph import DOUBLE, FLOAT, INT64, Draft, Tensor
from .chosen import cast, column


def listed(w: Draft) -> Tensor:
    """Bottom 1 as regions (r, 5).  The proof makes them up all over the image, and a little beside it."""
    images, *_, h, width = w.shape
    extent = np.array([width, h, width, h]) / w.layer.scale
    w.jumps = True

    def draw(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        corners = np.sort(random.uniform(-0.1, 1.1, (shape[0], 2, 2)), axis=1).reshape(-1, 4)
        return np.column_stack([random.integers(0, images, shape[0]), corners * extent])

    w.made_up(w.bottom[1], draw)
    return w.bottom[1] if len(w.shapes[1]) == 2 else w("Reshape", w.bottom[1], [-1, 5])


def roi_pooling(w: Draft) -> Tensor:
    """MaxRoiPool came from Caffe: corners, cells and empty cells are the same."""
    cells = {"pooled_shape": list(w.layer.cells), "spatial_scale": w.layer.scale}
    return w("MaxRoiPool", w.x, listed(w), **cells)


def nearest(w: Draft, x: Tensor) -> Tensor:
    """The nearest whole number, of two the one farther from 0; ONNX's Round takes the even one."""
    positive = w("Abs", x)
    whole = w("Floor", positive)
    up = cast(w, w("GreaterOrEqual", w("Sub", positive, whole), 0.5))
    return w("Mul", w("Sign", x), w("Add", whole, up))


def spans(w: Draft, low: Tensor, high: Tensor, extent: int) -> tuple[Tensor, Tensor]:
    """The first pixel of each cell (r, group) of one axis, and the one behind the last; corners (r, 1).  In
    float32, step by step as the layer's kernel."""
    group, scale = w.layer.group, w.layer.scale
    start = w("Mul", nearest(w, low), scale)
    end = w("Mul", w("Add", nearest(w, high), 1.0), scale)
    step = w("Div", w("Max", w("Sub", end, start), np.float32(SMALLEST)), float(group))
    cells = np.arange(group, dtype=np.float32).reshape(1, -1)
    first = w("Floor", w("Add", w("Mul", step, cells), start))
    last = w("Ceil", w("Add", w("Mul", step, cells + 1), start))
    first, last = (w("Cast", w("Clip", x, 0.0, float(extent)), to=INT64) for x in (first, last))
    return first, last


def psroi_pooling(w: Draft) -> Tensor:
    layer, (_, channels, h, width) = w.layer, w.shape
    rois, group = listed(w), layer.group
    sums = w("Cast", w.x, to=DOUBLE)
    for axis in (2, 3):
        sums = w("CumSum", sums, np.array(axis, np.int64))
    sums = w("Reshape", w("Pad", sums, [0, 0, 1, 1, 0, 0, 0, 0]), [-1])
    x1, y1, x2, y2 = (column(w, rois, i) for i in (1, 2, 3, 4))
    top, bottom = (w("Unsqueeze", x, [1, 3]) for x in spans(w, y1, y2, h))  # (r, 1, group, 1)
    left, right = (w("Unsqueeze", x, [1, 2]) for x in spans(w, x1, x2, width))  # (r, 1, 1, group)
    plane = (h + 1) * (width + 1)
    image = w("Unsqueeze", w("Cast", column(w, rois, 0), to=INT64), [2, 3])
    depth = np.arange(channels, dtype=np.int64).reshape(1, layer.depth, group, group)
    base = w("Add", w("Mul", image, [channels * plane]), depth * plane)

    def above(row: Tensor, across: Tensor) -> Tensor:
        return w("Gather", sums, w("Add", w("Add", base, w("Mul", row, [width + 1])), across), axis=0)

    lower = w("Sub", above(bottom, right), above(bottom, left))
    total = w("Sub", lower, w("Sub", above(top, right), above(top, left)))
    area = w("Mul", w("Sub", bottom, top), w("Sub", right, left))
    area = w("Cast", w("Max", area, np.array(1, np.int64)), to=DOUBLE)  # an empty cell has the total 0
    return w("Cast", w("Div", total, area), to=FLOAT)


RULES = {"PSROIPooling": psroi_pooling, "ROIPooling": roi_pooling}
