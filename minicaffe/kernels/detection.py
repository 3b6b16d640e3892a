"""From a detector's scores and offsets to boxes: decoded, sorted, and those that overlap better ones dropped.

A box is xmin, ymin, xmax, ymax, as shares of the image.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import prange

from .cpu import jit
from .registry import geometry, kernel

CORNER, CENTER_SIZE, CORNER_SIZE = 1, 2, 3  # PriorBoxParameter.CodeType


@geometry
class Detection(NamedTuple):
    """n images with scores of `priors` boxes for each of `classes`; `sets` of offsets: 1, or one for each
    class.  `most` boxes of a class at most are looked at; `encoded`: offsets are not scaled by variances."""

    n: int
    priors: int
    classes: int
    sets: int
    background: int
    code: int
    encoded: int
    most: int


@kernel(threads=lambda loc, prior, boxes, g: g.n * g.sets * g.priors)
def decode_boxes(loc, prior, boxes, g: Detection):
    """boxes (n, sets, priors, 4) from offsets loc (n, priors, sets, 4) and prior: boxes, then variances v.

    CORNER       prior + v * loc
    CENTER_SIZE  the centre is moved by v * loc times the size; the size is multiplied by exp(v * loc)
    CORNER_SIZE  a corner is moved by v * loc times the size
    """
    half = loc.dtype.type(0.5)
    for item in prange(g.n * g.sets * g.priors):
        p, outer = item % g.priors, item // g.priors
        at = (outer // g.sets * g.priors + p) * g.sets + outer % g.sets
        offset, base, out = loc[at * 4 : at * 4 + 4], prior[p * 4 : p * 4 + 4], boxes[item * 4 : item * 4 + 4]
        v = prior[(g.priors + p) * 4 : (g.priors + p) * 4 + 4]
        for k in range(4):
            out[k] = offset[k] if g.encoded else offset[k] * v[k]
        width, height = base[2] - base[0], base[3] - base[1]
        if g.code == CENTER_SIZE:
            x = out[0] * width + (base[0] + base[2]) * half
            y = out[1] * height + (base[1] + base[3]) * half
            across, down = math.exp(out[2]) * width * half, math.exp(out[3]) * height * half
            out[0], out[1], out[2], out[3] = x - across, y - down, x + across, y + down
        else:
            for k in range(4):
                size = height if k % 2 else width
                out[k] = base[k] + (out[k] * size if g.code == CORNER_SIZE else out[k])


@kernel(blocks=lambda conf, boxes, order, kept, scores, counts, g, threshold, allowed, eta: g.n * g.classes)
def select_boxes(
    conf,
    boxes,
    order: np.int32,
    kept: np.int32,
    scores,
    counts: np.int32,
    g: Detection,
    threshold: float,
    allowed: float,
    eta: float,
):
    """Of each image and class but the background, the `counts` boxes that are kept (n, classes, g.most), and
    their scores, the highest first; of equal scores the box of the lower number.

    Boxes with a score above `threshold` are taken in that order, g.most of them; one is kept if it overlaps
    none kept before by more than `allowed`.  With eta below 1 that is multiplied by it whenever one is kept,
    as long as it is above 0.5.  order (n, classes, priors) is room to work in.
    """
    half, one = conf.dtype.type(0.5), conf.dtype.type(1)
    for item in prange(g.n * g.classes):
        image, c = item // g.classes, item % g.classes
        heap = order[item * g.priors : (item + 1) * g.priors]
        score = conf[image * g.priors * g.classes : (image + 1) * g.priors * g.classes]
        first = (image * g.sets + (c if g.sets > 1 else 0)) * g.priors * 4
        box = boxes[first : first + g.priors * 4]
        found, best = kept[item * g.most : (item + 1) * g.most], scores[item * g.most : (item + 1) * g.most]
        size, count, limit = 0, 0, allowed
        if c != g.background:
            for p in range(g.priors):
                if score[p * g.classes + c] > threshold:
                    heap[size] = p
                    size += 1
        for i in range(size // 2 - 1, -1, -1):
            sink(heap, i, size, score, c, g)
        for _ in range(min(size, g.most)):
            p = heap[0]
            size -= 1
            heap[0] = heap[size]
            sink(heap, 0, size, score, c, g)
            apart = True
            for i in range(count):
                if overlap(box, p, box, found[i]) > limit:
                    apart = False
                    break
            if apart:
                found[count], best[count] = p, score[p * g.classes + c]
                count += 1
                if eta < one and limit > half:
                    limit *= eta
        counts[item] = count


@kernel(threads=lambda boxes, picks, scores, rows, g: rows.size // 7, parallel=False)
def write_detections(boxes, picks: np.int32, scores, rows, g: Detection):
    """rows[r] = image, class, score, box; picks[r] = image, class, box, place in scores."""
    for r in range(rows.size // 7):
        image, c, p, place = picks[4 * r], picks[4 * r + 1], picks[4 * r + 2], picks[4 * r + 3]
        first = ((image * g.sets + (c if g.sets > 1 else 0)) * g.priors + p) * 4
        rows[7 * r], rows[7 * r + 1], rows[7 * r + 2] = image, c, scores[place]
        for k in range(4):
            rows[7 * r + 3 + k] = boxes[first + k]


@jit
def sink(heap, i, size, score, c, g):
    """Bring element i of a heap down to where it belongs: above all that come after it."""
    while 2 * i + 1 < size:
        child = 2 * i + 1
        if child + 1 < size and before(heap[child + 1], heap[child], score, c, g):
            child += 1
        if before(heap[i], heap[child], score, c, g):
            return
        heap[i], heap[child] = heap[child], heap[i]
        i = child


@jit
def before(p, q, score, c, g):
    """Does box p come before box q?"""
    a, b = score[p * g.classes + c], score[q * g.classes + c]
    return a > b or (a == b and p < q)


@jit
def area(box, p):
    """Of box p; 0 where it is inside out."""
    width, height = box[4 * p + 2] - box[4 * p], box[4 * p + 3] - box[4 * p + 1]
    zero = box.dtype.type(0)
    return zero if width < zero or height < zero else width * height


@jit
def overlap(box, p, other, q):
    """What box p and q of the others have in common, as a share of what they cover together."""
    zero = box.dtype.type(0)
    width = min(box[4 * p + 2], other[4 * q + 2]) - max(box[4 * p], other[4 * q])
    height = min(box[4 * p + 3], other[4 * q + 3]) - max(box[4 * p + 1], other[4 * q + 1])
    if width <= zero or height <= zero:
        return zero
    common = width * height
    return common / (area(box, p) + area(other, q) - common)
