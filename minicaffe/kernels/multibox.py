"""The loss of a detector with boxes: of the distance to the objects that boxes stand for, and of classes."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from .cpu import jit
from .detection import CENTER_SIZE, CORNER
from .elementary import exp, log1p
from .matching import FREE, GROUND, HARD_EXAMPLE, NO_OBJECT, ROW, MultiBox
from .matching import NONE as NO_MINING
from .partial_sums import CHUNK, NONE, conclude, leave, measuring, whole
from .registry import kernel
from .softmax import normalize


@kernel(
    threads=lambda loc, conf, prior, truth, boxes, match, close, positives, losses, g, limit: g.n * g.priors
)
def candidate_losses(
    loc, conf, prior, truth, boxes, match: np.int32, close, positives: np.int32, losses, g: MultiBox,
    limit: float,
):  # fmt: skip
    """losses (n, priors) of the boxes that may become examples, -1 for all others.

    MAX_NEGATIVE  those without an object that overlap none by `limit`: the loss of calling them ground
    HARD_EXAMPLE  all: the loss of their class, and of their distance from their object
    """
    half = conf.dtype.type(0.5)
    for i in prange(g.n * g.priors):
        image, p = i // g.priors, i % g.priors
        hard = g.mining == HARD_EXAMPLE
        wanted = match[i] == FREE and close[i] < limit and positives[image] > 0
        losses[i] = -1
        if (hard and positives[image] != NO_OBJECT) or (not hard and wanted):
            scores = conf[i * g.classes : (i + 1) * g.classes]
            row = match[i]
            label = class_of(truth, row, g) if row >= 0 else g.background
            loss = logistic_loss(scores, label) if g.logistic else softmax_loss(scores, label)
            for k in range(4 if row >= 0 else 0):
                d = difference(loc[4 * i :], prior, truth, boxes, image * g.priors, p, row, k, g)
                loss += distance(d, half, g)
            losses[i] = loss


@measuring(parallel=True)
def multibox_loss_forward(
    loc, conf, prior, truth, boxes, match: np.int32, loc_slope, conf_slope, sums, tally: np.int32, y, outcome,
    noted: np.int32, value, g: MultiBox, loc_weight: float, conf_weight: float, fixed: float,
):  # fmt: skip
    """loc_weight * the sum of distances of boxes from their objects + conf_weight * that of their classes'
    losses and of those of the GROUND, or of all boxes without mining; positions are boxes, and those with an
    object count.  loc_slope, conf_slope = the sum's derivatives.

    The first number noted is the image or the class of an object, if there is no such.
    """
    one, zero, half = conf.dtype.type(1), conf.dtype.type(0), conf.dtype.type(0.5)
    for chunk in prange(sums.size):
        total, counted = zero, 0
        for i in range(chunk * CHUNK, min(g.n * g.priors, (chunk + 1) * CHUNK)):
            image, p, label = i // g.priors, i % g.priors, g.background
            scored = g.mining == NO_MINING
            for s in range(g.sets):
                item, part = image * g.sets + s, (i * g.sets + s) * 4
                row = match[item * g.priors + p]
                offset, slope = loc[part : part + 4], loc_slope[part : part + 4]
                for k in range(4):
                    slope[k] = zero
                    if row >= 0:
                        d = difference(offset, prior, truth, boxes, item * g.priors, p, row, k, g)
                        total += loc_weight * distance(d, half, g)
                        steep = d if g.squared or abs(d) < one else (one if d > zero else -one)
                        factor = one / prior[(g.priors + p) * 4 + k] if g.encoded else one
                        slope[k] = loc_weight * steep * factor
                if row >= 0:
                    counted, label = counted + 1, class_of(truth, row, g)
                scored = scored or row >= 0 or row == GROUND
            scores = conf[i * g.classes : (i + 1) * g.classes]
            slope = conf_slope[i * g.classes : (i + 1) * g.classes]
            if not scored:
                slope[:] = zero
            elif g.logistic:
                for c in range(g.classes):
                    target = conf.dtype.type(logistic_target(truth, match, i, c, label, g))
                    e = exp(-abs(scores[c]))
                    positive = scores[c] > zero
                    total += conf_weight * (scores[c] * ((one if positive else zero) - target) + log1p(e))
                    slope[c] = conf_weight * ((one if positive else e) / (one + e) - target)
            else:
                total += conf_weight * softmax_slopes(scores, slope, label, conf_weight)
        leave(chunk, total, counted, NONE if chunk else first_unknown(truth, g), sums, tally)
    conclude(truth, sums, tally, y, outcome, noted, value, fixed)


@jit
def class_of(truth, row, g):
    """The class that a box of this object is to have."""
    return g.background + 1 if g.agnostic else whole(truth[ROW * row + 1])


@jit
def first_unknown(truth, g):
    """Where in `truth` the first image or class lies that there is not; NONE if all are known."""
    for row in range(g.rows):
        image, label = whole(truth[ROW * row]), whole(truth[ROW * row + 1])
        if image == -1:
            continue
        if image < 0 or image >= g.n:
            return ROW * row
        if label < 0 or label == g.background or not (g.agnostic or label < g.classes):
            return ROW * row + 1
    return NONE


@jit
def difference(offset, prior, truth, boxes, first, p, row, k, g):
    """Offset k of box p less that which would move its prior to the object; 0 where it teaches nothing.
    `first` is the number of the first predicted box of its image and set."""
    if g.inside:
        at = 4 * ((first if g.predicted else 0) + p) + k
        if boxes[at] < 0 or boxes[at] > 1:
            return offset.dtype.type(0)
    base, wanted = prior[4 * p : 4 * p + 4], truth[ROW * row + 3 : ROW * row + 7]
    v = prior[4 * (g.priors + p) + k]
    target = encoded(base, wanted, k, g.code)
    return (offset[k] - target) / v if g.encoded else offset[k] - target / v


@jit
def encoded(base, wanted, k, code):
    """What moves coordinate k of box `base` to that of `wanted`, without variances."""
    if code == CORNER:
        return wanted[k] - base[k]
    low, half = k % 2, base.dtype.type(0.5)
    size = base[low + 2] - base[low]
    if code != CENTER_SIZE:
        return (wanted[k] - base[k]) / size
    if k < 2:
        return (wanted[low] + wanted[low + 2] - base[low] - base[low + 2]) * half / size
    return base.dtype.type(math.log((wanted[low + 2] - wanted[low]) / size))


@jit
def distance(d, half, g):
    """The loss of a difference."""
    return half * d * d if g.squared or abs(d) < 1 else abs(d) - half


@jit
def softmax_loss(x, label):
    """-log(max(softmax(x)[label], 2^-126))."""
    tiny, m, total = x.dtype.type(2.0**-126), x.dtype.type(-math.inf), x.dtype.type(0)
    for c in range(x.size):
        m = max(m, x[c])
    for c in range(x.size):
        total += exp(x[c] - m)
    likelihood = exp(x[label] - m) / total
    return x.dtype.type(-math.log(tiny if likelihood < tiny else likelihood))


@jit
def softmax_slopes(x, slope, label, weight):
    """The same; slope = weight * its derivative."""
    one, tiny = x.dtype.type(1), x.dtype.type(2.0**-126)
    normalize(x, slope)
    likelihood = slope[label]
    slope[label] -= one
    for c in range(slope.size):
        slope[c] *= weight
    return x.dtype.type(-math.log(tiny if likelihood < tiny else likelihood))


@jit
def logistic_loss(x, label):
    """The sum of the cross entropies of sigmoid(x) and 1 for the label, 0 for the others."""
    total, one, zero = x.dtype.type(0), x.dtype.type(1), x.dtype.type(0)
    for c in range(x.size):
        step = (one if x[c] > zero else zero) - (one if c == label else zero)
        total += x[c] * step + log1p(exp(-abs(x[c])))
    return total


@jit
def logistic_target(truth, match, i, c, label, g):
    """What score c of box i is to be: 1 for its label, the number of the background class otherwise.

    Without mining the labels of image j are written g.priors * j numbers behind the first, not as far as its
    scores lie, as in the forks.
    """
    if g.mining != NO_MINING:
        return 1 if c == label else g.background
    for image in range(g.n):
        place = i * g.classes + c - image * g.priors
        p = place // g.classes
        for s in range(g.sets if place >= 0 and p < g.priors else 0):
            row = match[(image * g.sets + s) * g.priors + p]
            if row >= 0 and class_of(truth, row, g) == place % g.classes:
                return 1
    return g.background
