"""Proposals: boxes around anchors, and of boxes that overlap the best."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import prange

from .cpu import jit
from .registry import geometry, kernel


@geometry
class Grid(NamedTuple):
    """images of h rows and w columns of cells, `stride` pixels apart, with so many anchors each."""

    images: int
    anchors: int
    h: int
    w: int
    stride: int

    @property
    def boxes(self) -> int:
        """In one image."""
        return self.anchors * self.h * self.w


@kernel(threads=lambda prob, deltas, info, anchors, boxes, scores, g, smallest: g.images * g.boxes)
def propose(prob, deltas, info, anchors, boxes, scores, g: Grid, smallest: float):
    """boxes (images, h, w, anchors, 4) and scores.

    prob      (images, 2 anchors, h, w), the second half being the scores
    deltas    (images, 4 anchors, h, w): shift of the centre in widths and heights, logarithms of factors
    info      (images, 4): height and width of the image, scale_h, scale_w
    anchors   (anchors, 4): corners x1, y1, x2, y2 of those of the first cell
    smallest  a box with a side below smallest * scale has the score 0
    """
    one, half, zero = boxes.dtype.type(1), boxes.dtype.type(0.5), boxes.dtype.type(0)
    cells = g.h * g.w
    for cell in prange(g.images * cells):
        image, at = cell // cells, cell % cells
        height, width = info[4 * image], info[4 * image + 1]
        least_h, least_w = smallest * info[4 * image + 2], smallest * info[4 * image + 3]
        down, across = at // g.w * g.stride, at % g.w * g.stride
        for a in range(g.anchors):
            x1, y1 = anchors[4 * a] + across, anchors[4 * a + 1] + down
            w = anchors[4 * a + 2] + across - x1 + one
            h = anchors[4 * a + 3] + down - y1 + one
            d = (image * g.anchors + a) * 4 * cells + at
            x = deltas[d] * w + (x1 + half * w)
            y = deltas[d + cells] * h + (y1 + half * h)
            w *= math.exp(deltas[d + 2 * cells])
            h *= math.exp(deltas[d + 3 * cells])
            box = boxes[4 * (cell * g.anchors + a) : 4 * (cell * g.anchors + a + 1)]
            box[0] = min(max(x - half * w, zero), width - one)
            box[1] = min(max(y - half * h, zero), height - one)
            box[2] = min(max(x + half * w, zero), width - one)
            box[3] = min(max(y + half * h, zero), height - one)
            large = box[2] - box[0] + one >= least_w and box[3] - box[1] + one >= least_h
            score = prob[((2 * image + 1) * g.anchors + a) * cells + at]
            scores[cell * g.anchors + a] = score if large else zero


@jit
def area(box):
    return (box[2] - box[0] + 1) * (box[3] - box[1] + 1)


@jit
def overlaps(a, b, threshold):
    """Is the intersection of two boxes more than that part of their union?"""
    w = min(a[2], b[2]) - max(a[0], b[0]) + 1
    h = min(a[3], b[3]) - max(a[1], b[1]) + 1
    if w <= 0 or h <= 0:
        return False
    shared = w * h
    return shared / (area(a) + area(b) - shared) > threshold


@kernel(blocks=lambda boxes, order, gone, kept, count, most, threshold: 1, parallel=False)
def suppress(
    boxes, order: np.int32, gone: np.int32, kept: np.int32, count: int, most: int, threshold: float
):  # fmt: skip
    """kept[0] = how many, kept[1:] = which of the boxes order[:count] stay: one after the other, at most
    `most`, each that overlaps none that stays by more than the threshold.  gone: room for count numbers."""
    for k in range(count):
        gone[k] = 0
    found = 0
    for k in range(count):
        if found < most and not gone[k]:
            mine = boxes[4 * order[k] : 4 * order[k] + 4]
            found += 1
            kept[found] = order[k]
            for other in range(k + 1, count):
                if overlaps(mine, boxes[4 * order[other] : 4 * order[other] + 4], threshold):
                    gone[other] = 1
    kept[0] = found
