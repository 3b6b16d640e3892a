"""What a net of YOLO says about the cells of an image, as boxes and scores.

A cell has several anchors, and an anchor has 5 + classes channels: x, y, w, h, object, classes.  With s the
logistic function, its box has its centre s(x), s(y) into the cell, and is e^w by e^h times as large as the
anchor.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import prange

from .registry import geometry, kernel


@geometry
class Cells(NamedTuple):
    """h rows and w columns of cells in each image; softmax: classes exclude each other."""

    images: int
    anchors: int
    classes: int
    h: int
    w: int
    softmax: int

    @property
    def boxes(self) -> int:
        """In one image."""
        return self.h * self.w * self.anchors


@kernel(threads=lambda x, sizes, boxes, objects, scores, g: g.images * g.h * g.w * g.anchors)
def decode_cells(x, sizes, boxes, objects, scores, g: Cells):
    """boxes (images, h, w, anchors, 4): centre, width and height, as shares of the image; objects (images, h,
    w, anchors); scores, one for each class behind that.

    x      (images, anchors * (5 + classes), h, w)
    sizes  (anchors, 2): width and height, as shares of the image
    """
    area, channels = g.h * g.w, 5 + g.classes
    one, zero = x.dtype.type(1), x.dtype.type(0)
    for item in prange(g.images * area * g.anchors):
        a, cell, image = item % g.anchors, item // g.anchors % area, item // (g.anchors * area)
        first = (image * g.anchors + a) * channels * area + cell
        boxes[4 * item] = (x.dtype.type(cell % g.w) + one / (one + math.exp(-x[first]))) / g.w
        boxes[4 * item + 1] = (x.dtype.type(cell // g.w) + one / (one + math.exp(-x[first + area]))) / g.h
        boxes[4 * item + 2] = math.exp(x[first + 2 * area]) * sizes[2 * a]
        boxes[4 * item + 3] = math.exp(x[first + 3 * area]) * sizes[2 * a + 1]
        objects[item] = one / (one + math.exp(-x[first + 4 * area]))
        first += 5 * area
        largest, total = x[first], zero
        for c in range(1, g.classes):
            largest = max(largest, x[first + c * area])
        for c in range(g.classes):
            if g.softmax:
                share = math.exp(x[first + c * area] - largest)
                total += share
            else:
                share = one / (one + math.exp(-x[first + c * area]))
            scores[item * g.classes + c] = share
        if g.softmax:
            for c in range(g.classes):
                scores[item * g.classes + c] /= total
