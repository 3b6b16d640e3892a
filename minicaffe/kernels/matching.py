"""Boxes of a detector and what they are to find: which box stands for which object, and which boxes are the
hardest examples of the ground.

An object is a row of `truth`: image, class, a number that is not read, xmin, ymin, xmax, ymax, difficult.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from .cpu import jit
from .detection import overlap
from .hard_examples import precedes
from .partial_sums import whole
from .registry import geometry, kernel

FREE, OUTSIDE, GROUND = -1, -2, -3  # what stands in `match` for a box without object
ROW, NO_OBJECT = 8, -1
LEAST = 1e-6  # an overlap that is not more counts as none
NONE, MAX_NEGATIVE, HARD_EXAMPLE = 0, 1, 2  # MultiBoxLossParameter.MiningType


@geometry
class MultiBox(NamedTuple):
    """n images of `priors` boxes with scores of `classes`, and `rows` objects in all of them.

    sets        of offsets: 1, or one for each class, which then takes objects of its class alone
    background  the class of the ground
    code        as of DetectionOutput; encoded: offsets are not scaled by variances
    one_object  1: a box for each object; 0: also every box that overlaps one enough
    difficult   1 if difficult objects count
    agnostic    1 if all objects are of the class behind the background
    inside      1 if coordinates beyond the image teach nothing
    crossing    1 if boxes that leave the image are left out
    predicted   1 if the boxes that are matched are those predicted, which each image has for itself
    logistic    1: scores go through a sigmoid each, 0: through a softmax
    squared     1: half the square is a distance's loss, 0: smooth L1
    mining      NONE, MAX_NEGATIVE, HARD_EXAMPLE
    """

    n: int
    priors: int
    classes: int
    sets: int
    rows: int
    background: int
    code: int
    encoded: int
    one_object: int
    difficult: int
    agnostic: int
    inside: int
    crossing: int
    predicted: int
    logistic: int
    squared: int
    mining: int


@kernel(blocks=lambda truth, boxes, match, close, best, nearness, positives, g, threshold: g.n * g.sets)
def match_boxes(
    truth, boxes, match: np.int32, close, best: np.int32, nearness, positives: np.int32, g: MultiBox,
    threshold: float,
):  # fmt: skip
    """match (n, sets, priors) = the row of the object that a box stands for, FREE, or OUTSIDE; close = its
    largest overlap with an object; positives (n, sets) = how many boxes have one, -1 where no object is.

    Of all boxes and objects the pair that overlaps most is taken (of equal ones the lower box, then the lower
    object), until no object is left.  Then, unless g.one_object, every other box gets the object that it
    overlaps most, by `threshold` at least.  best and nearness (rows) are room to work in.
    """
    for item in prange(g.n * g.sets):
        mine, near = match[item * g.priors : (item + 1) * g.priors], close[item * g.priors :]
        first = item * g.priors * 4 if g.predicted else 0
        box, objects, count = boxes[first : first + g.priors * 4], 0, 0
        for p in range(g.priors):
            mine[p], near[p] = OUTSIDE if g.crossing and leaves(box, p) else FREE, 0
        for row in range(g.rows):
            if belongs(truth, row, item, g):
                objects += 1
                best[row], nearness[row] = closest(box, truth[ROW * row + 3 : ROW * row + 7], mine, near)
        pick = next_pair(truth, best, nearness, item, g)
        while pick >= 0:
            taken, count = best[pick], count + 1
            mine[taken], best[pick] = pick, -1
            for row in range(g.rows):
                if belongs(truth, row, item, g) and best[row] == taken:
                    best[row], nearness[row] = closest(box, truth[ROW * row + 3 : ROW * row + 7], mine, near)
            pick = next_pair(truth, best, nearness, item, g)
        for p in range(0 if g.one_object else g.priors):
            if mine[p] == FREE and near[p] > 0 and near[p] >= threshold:
                most = near.dtype.type(LEAST)
                for row in range(g.rows):
                    if belongs(truth, row, item, g):
                        common = overlap(box, p, truth[ROW * row + 3 : ROW * row + 7], 0)
                        if common > most:
                            mine[p], most = row, common
                count += mine[p] >= 0
        positives[item] = count if objects else NO_OBJECT


@kernel(threads=lambda losses, positives, match, heap, g, ratio, sample: g.n * g.priors)
def keep_hardest(
    losses, positives: np.int32, match: np.int32, heap: np.int32, g: MultiBox, ratio: float, sample: int
):
    """Of each image the candidates with the highest losses (of equal ones the lower box, NaN before all)
    become examples, those without an object of the GROUND; a candidate with an object that does not loses
    it.  A loss below 0 says that a box is no candidate.  heap (n, priors) is room to work in."""
    for image in prange(g.n):
        part = slice(image * g.priors, (image + 1) * g.priors)
        order, loss, mine = heap[part], losses[part], match[part]
        size = gather(order, loss)
        wanted = min(size, most_examples(loss, positives[image], g, ratio, sample))
        for rank in range(wanted):  # the hardest end behind the heap
            take_first(order, size - rank, loss)
            keep(mine, order[size - rank - 1])
        for i in range(size - wanted):
            drop(mine, order[i])


@kernel(blocks=lambda losses, boxes, positives, match, order, kept, g, ratio, sample, most, allowed, own: g.n)
def keep_hardest_apart(
    losses, boxes, positives: np.int32, match: np.int32, order: np.int32, kept: np.int32, g: MultiBox,
    ratio: float, sample: int, most: int, allowed: float, own: int,
):  # fmt: skip
    """The same, but of the first `most` candidates, the highest losses first, one that overlaps an example
    that is chosen by more than `allowed` is none.  boxes (n, priors, 4), or unless `own` (priors, 4);
    order and kept (n, priors) are room to work in."""
    for image in prange(g.n):
        part = slice(image * g.priors, (image + 1) * g.priors)
        heap, found, loss, mine = order[part], kept[part], losses[part], match[part]
        box = boxes[image * g.priors * 4 if own else 0 :]
        size, count, rank = gather(heap, loss), 0, 0
        wanted = min(size, most_examples(loss, positives[image], g, ratio, sample))
        while rank < min(size, most) and count < wanted:
            take_first(heap, size - rank, loss)
            rank += 1
            p, apart = heap[size - rank], True
            for i in range(count):
                apart = apart and not overlap(box, p, box, found[i]) > allowed
            if apart:
                found[count] = p
                count += 1
                keep(mine, p)
            else:
                drop(mine, p)
        for i in range(size - rank):
            drop(mine, heap[i])


@jit
def belongs(truth, row, item, g):
    """Is this an object of image item // sets, and of the class, that counts?"""
    image, label = whole(truth[ROW * row]), whole(truth[ROW * row + 1])
    known = label >= 0 and label != g.background and (g.agnostic or label < g.classes)
    counts = g.difficult or truth[ROW * row + 7] == 0
    return image == item // g.sets and (g.sets == 1 or label == item % g.sets) and known and counts


@jit
def leaves(box, p):
    """Has box p a coordinate outside the image?"""
    outside = False
    for k in range(4):
        outside = outside or box[4 * p + k] < 0 or box[4 * p + k] > 1
    return outside


@jit
def closest(box, truth, mine, near):
    """The free box that overlaps an object most, and by how much, -1 if none does; near takes note."""
    best, most = -1, near.dtype.type(LEAST)
    for p in range(mine.size):
        if mine[p] == FREE:
            common = overlap(box, p, truth, 0)
            if common > LEAST:
                near[p] = max(near[p], common)
            if common > most:
                best, most = p, common
    return best, most


@jit
def next_pair(truth, best, nearness, item, g):
    """The object whose closest box is the closest of all, -1 when there is none."""
    pick = -1
    for row in range(g.rows):
        if belongs(truth, row, item, g) and best[row] >= 0:
            if pick < 0 or precedes(nearness[row], best[row], nearness[pick], best[pick]):
                pick = row
    return pick


@jit
def most_examples(loss, positives, g, ratio, sample):
    """How many examples an image with so many positive boxes may have."""
    if positives == NO_OBJECT:
        return 0
    return sample if g.mining == HARD_EXAMPLE else int(loss.dtype.type(positives) * ratio)


@jit
def keep(match, p):
    if match[p] == FREE:
        match[p] = GROUND


@jit
def drop(match, p):
    if match[p] >= 0:
        match[p] = FREE


@jit
def gather(heap, loss):
    """Make a heap of the candidates, the hardest first; returns how many there are."""
    size = 0
    for p in range(loss.size):
        if not loss[p] < 0:
            heap[size] = p
            size += 1
    for i in range(size // 2 - 1, -1, -1):
        sink(heap, i, size, loss)
    return size


@jit
def take_first(heap, size, loss):
    """Move the hardest candidate behind the heap, which is one shorter then."""
    heap[0], heap[size - 1] = heap[size - 1], heap[0]
    sink(heap, 0, size - 1, loss)


@jit
def sink(heap, i, size, loss):
    """Bring element i of a heap down to where it belongs: above all that come after it."""
    while 2 * i + 1 < size:
        child = 2 * i + 1
        if child + 1 < size and comes_first(heap[child + 1], heap[child], loss):
            child += 1
        if comes_first(heap[i], heap[child], loss):
            return
        heap[i], heap[child] = heap[child], heap[i]
        i = child


@jit
def comes_first(p, q, loss):
    return precedes(loss[p], p, loss[q], q)
