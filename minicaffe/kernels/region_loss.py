"""The loss of YOLOv2, in the forms of two forks of Caffe.

Neither is the loss whose gradient it has: `slope` is what darknet calls the delta of every number, and the
loss is the sum of its squares.  Kernels run in the order in which they stand here.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import prange

from .cpu import jit
from .partial_sums import CHUNK, NONE, conclude, measuring
from .registry import geometry, kernel

WARM = 12800  # images during which boxes are drawn to their anchors
PULL = 0.01  # and how strongly


@geometry
class Region(NamedTuple):
    """h rows and w columns of cells in each image, with `anchors` boxes of 5 + classes channels.

    rows     of objects: of each image, or of all images together if `corners`
    corners  1: a row is image, class from 1, instance, xmin, ymin, xmax, ymax, difficult, and moves are cut
             to 1 (Intel's); 0: it is class from 0, x, y, w, h of the centre, and the first of no width ends
             them (MobileNet-YOLO's)
    match    an object goes to the anchor that is most like it; 0: to the box
    rescore  the share that box and object have in common is to be said; 0: 1
    """

    images: int
    anchors: int
    classes: int
    h: int
    w: int
    rows: int
    corners: int
    match: int
    rescore: int


@jit
def logistic(v):
    return 1 / (1 + math.exp(-v))


@jit
def common(ax, ay, aw, ah, bx, by, bw, bh):
    """What two boxes have in common, as a share of what they cover."""
    w = min(ax + aw / 2, bx + bw / 2) - max(ax - aw / 2, bx - bw / 2)
    h = min(ay + ah / 2, by + bh / 2) - max(ay - ah / 2, by - bh / 2)
    if w <= 0 or h <= 0:
        return 0 * w
    return w * h / (aw * ah + bw * bh - w * h)


@jit
def where(labels, image, t, g):
    """Where row t of the objects lies: its first number; -1 if it is none of this image's; -2 behind the
    last."""
    if g.corners:
        return 8 * t if labels[8 * t] == image else -1
    first = 5 * (image * g.rows + t)
    return first if labels[first + 3] != 0 else -2


@jit
def centre(labels, first, g):
    """x, y, w, h of an object."""
    if g.corners:
        low_x, low_y, high_x, high_y = (labels[first + 3], labels[first + 4], labels[first + 5],
                                        labels[first + 6])  # fmt: skip
        return (low_x + high_x) / 2, (low_y + high_y) / 2, high_x - low_x, high_y - low_y
    return labels[first + 1], labels[first + 2], labels[first + 3], labels[first + 4]


@kernel(
    threads=lambda x, labels, biases, stream, slope, g, noobject, threshold: g.images * g.anchors * g.h * g.w
)
def region_ground(
    x, labels, biases, stream: np.uint32, slope, g: Region, noobject: float, threshold: float
):  # fmt: skip
    """slope of every box as if there was no object: what it says of an object is to be 0, unless it has more
    than `threshold` in common with one; in the first passes the box is drawn to its anchor."""
    area, zero, one, half = g.h * g.w, x.dtype.type(0), x.dtype.type(1), x.dtype.type(0.5)
    warm = not g.corners and np.int64(stream[2]) < WARM // g.images
    pull = x.dtype.type(PULL) if warm else zero
    for item in prange(g.images * g.anchors * area):
        cell, a, image = item % area, item // area % g.anchors, item // (area * g.anchors)
        first = item // area * (5 + g.classes) * area + cell
        sx, sy = logistic(x[first]), logistic(x[first + area])
        across, down = x[first + 2 * area], x[first + 3 * area]
        bx, by = (cell % g.w + sx) / g.w, (cell // g.w + sy) / g.h
        bw, bh = math.exp(across) * biases[2 * a] / g.w, math.exp(down) * biases[2 * a + 1] / g.h
        best = zero
        for t in range(g.rows):
            row = where(labels, image, t, g)
            if row == -2:
                break
            if row >= 0:
                tx, ty, tw, th = centre(labels, row, g)
                best = max(best, common(bx, by, bw, bh, tx, ty, tw, th))
        p = logistic(x[first + 4 * area])
        slope[first] = -pull * (half - sx) * sx * (one - sx)
        slope[first + area] = -pull * (half - sy) * sy * (one - sy)
        slope[first + 2 * area] = pull * across
        slope[first + 3 * area] = pull * down
        slope[first + 4 * area] = zero if best > threshold else noobject * p * p * (one - p)
        for c in range(g.classes):
            slope[first + (5 + c) * area] = zero


@jit
def cut(d, g):
    """A move, at most 1 long in Intel's form."""
    return min(max(d, -1.0), 1.0) if g.corners else d


@kernel(threads=lambda x, labels, biases, slope, bad, g, sure, kind, coord: g.images)
def region_objects(
    x, labels, biases, slope, bad: np.int32, g: Region, sure: float, kind: float, coord: float
):  # fmt: skip
    """slope of the boxes to which objects go, object after object.  sure, kind, coord: the weights of what is
    said of an object, of its class, and of where it is; bad (images): the place of the first class that is
    none, NONE if there is no such."""
    area, one = g.h * g.w, x.dtype.type(1)
    for image in prange(g.images):
        bad[image] = NONE
        for t in range(g.rows):
            row = where(labels, image, t, g)
            if row == -2:
                break
            if row < 0:
                continue
            label = labels[row + 1] - 1 if g.corners else labels[row]
            if not 0 <= label < g.classes:
                bad[image] = min(bad[image], row + g.corners)
                continue
            tx, ty, tw, th = centre(labels, row, g)
            column = min(max(int(tx * g.w), 0), g.w - 1)
            line = min(max(int(ty * g.h), 0), g.h - 1)
            cell, best, chosen = line * g.w + column, 0 * tw, 0
            for a in range(g.anchors):
                first = (image * g.anchors + a) * (5 + g.classes) * area + cell
                aw, ah = biases[2 * a] / g.w, biases[2 * a + 1] / g.h
                if not g.match:
                    aw *= math.exp(x[first + 2 * area])
                    ah *= math.exp(x[first + 3 * area])
                like = common(0, 0, aw, ah, 0, 0, tw, th)
                if like > best:
                    best, chosen = like, a
            first = (image * g.anchors + chosen) * (5 + g.classes) * area + cell
            aw, ah = biases[2 * chosen], biases[2 * chosen + 1]
            sx, sy = logistic(x[first]), logistic(x[first + area])
            across, down = x[first + 2 * area], x[first + 3 * area]
            share = common(
                (column + sx) / g.w, (line + sy) / g.h,
                math.exp(across) * aw / g.w, math.exp(down) * ah / g.h, tx, ty, tw, th,
            )  # fmt: skip
            weight = coord if g.corners or g.rescore else coord * (2 - tw * th)
            slope[first] = -weight * cut(tx * g.w - column - sx, g) * sx * (one - sx)
            slope[first + area] = -weight * cut(ty * g.h - line - sy, g) * sy * (one - sy)
            slope[first + 2 * area] = -weight * cut(math.log(tw * g.w / aw) - across, g)
            slope[first + 3 * area] = -weight * cut(math.log(th * g.h / ah) - down, g)
            p = logistic(x[first + 4 * area])
            if g.corners:
                missing = 2 * (one - p) * (one - p) * (one - p)
            else:
                missing = (share if g.rescore else one) - p
            slope[first + 4 * area] = -sure * missing * p * (one - p)
            first += 5 * area
            largest, total = x[first], 0 * one
            for c in range(1, g.classes):
                largest = max(largest, x[first + c * area])
            for c in range(g.classes):
                total += math.exp(x[first + c * area] - largest)
            for c in range(g.classes):
                said = math.exp(x[first + c * area] - largest) / total
                slope[first + c * area] = -kind * ((one if c == int(label) else 0 * one) - said)


@measuring(parallel=True)
def region_sum(
    slope, labels, bad: np.int32, sums, tally: np.int32, y, outcome, noted: np.int32, value, fixed: float,
    slopes: int, images: int,
):  # fmt: skip
    """The sum of the squares of so many slopes; bad (images) as region_objects leaves it."""
    for chunk in prange(sums.size):
        total, earliest = slope.dtype.type(0), NONE
        for i in range(chunk * CHUNK, min(slopes, (chunk + 1) * CHUNK)):
            total += slope[i] * slope[i]
        if chunk == 0:
            for image in range(images):
                earliest = min(earliest, bad[image])
        sums[chunk] = total
        tally[2 * chunk], tally[2 * chunk + 1] = 0, earliest
    conclude(labels, sums, tally, y, outcome, noted, value, fixed)


@kernel(threads=lambda slope, dloss, dx, share: dx.size)
def region_backward(slope, dloss, dx, share: float):
    """dx = slope * dloss * share."""
    factor = dloss[0] * share
    for i in prange(dx.size):
        dx[i] = slope[i] * factor
