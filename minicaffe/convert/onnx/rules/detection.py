"""DetectionOutput: what SSD has found."""

from __future__ import annotations

import numpy as np

from ....kernels.detection import CENTER_SIZE, CORNER_SIZE
from ..graph import Draft, Tensor
from .chosen import LOWEST, ROW, apart, by_score, cast, column, detections, marks, picked, places_of


def priors(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Boxes all over an image, and their variances, for the proof."""
    corners = np.sort(random.uniform(0, 1, (np.prod(shape, dtype=int) // 8, 2, 2)), axis=1)
    return np.concatenate([corners.reshape(-1), np.full(corners.size, 0.1)])


def decoded(w: Draft) -> Tensor:
    """Boxes (n, priors, sets, 4) of offsets and priors."""
    g = w.layer.g
    move = w("Reshape", w.bottom[0], [-1, g.priors, g.sets, 4])
    base, variance = w.several("Split", w("Reshape", w.bottom[2], [2, g.priors, 1, 4]), outputs=2, axis=0)
    if not g.encoded:
        move = w("Mul", move, variance)
    low, high = w.several("Split", base, outputs=2, axis=3)
    extent = w("Sub", high, low)
    if g.code == CENTER_SIZE:
        shift, growth = w.several("Split", move, outputs=2, axis=3)
        centre = w("Add", w("Mul", shift, extent), w("Mul", w("Add", low, high), 0.5))
        half = w("Mul", w("Mul", w("Exp", growth), extent), 0.5)
        return w("Concat", w("Sub", centre, half), w("Add", centre, half), axis=3)
    if g.code == CORNER_SIZE:
        move = w("Mul", move, w("Concat", extent, extent, axis=3))
    return w("Add", base, move)


def upright(w: Draft, boxes: Tensor) -> Tensor:
    """Boxes (m, k, 4) without extent where they are inside out: NonMaxSuppression would turn those round, and
    in Caffe they overlap nothing."""
    low, high = w.several("Split", boxes, outputs=2, axis=2)
    return w("Concat", low, w("Max", low, high), axis=2)


def best_of_image(w: Draft, kept: Tensor, scores: Tensor, keep: int) -> Tensor:
    """Of what is kept (m, k) of every image and class the `keep` highest of each image, whose scores these
    are."""
    classes, most = len(labels_of(w)), w.layer.g.most
    flat = w("Reshape", w("Where", kept, scores, LOWEST), [-1, classes * most])
    _, best = by_score(w, flat, min(keep, classes * most))
    return w("And", w("Reshape", kept, [-1, classes * most]), marks(w, flat, best, "ScatterElements", axis=1))


def labels_of(w: Draft) -> list[int]:
    """All classes but the background."""
    return [label for label in range(w.layer.g.classes) if label != w.layer.g.background]


def detection_output(w: Draft) -> Tensor:
    """Every class of every image by itself, (n classes) of them, then images with their classes."""
    layer, g, labels = w.layer, w.layer.g, labels_of(w)
    nms, classes = layer.conf.nms_param, len(labels_of(w))
    w.jumps = True
    w.made_up(w.bottom[2], priors)
    w.require(
        nms.eta == 1 or nms.nms_threshold <= 0.5,
        f"nms_param.eta of {nms.eta:g} lowers nms_threshold from box to box; NonMaxSuppression has one for"
        " all",
        "set eta: 1, or an nms_threshold of at most 0.5, which it does not change",
    )
    w.require(classes > 0, "num_classes leaves no class beside the background")
    scores = w("Transpose", w("Reshape", w.bottom[1], [-1, g.priors, g.classes]), perm=[0, 2, 1])
    scores = w("Reshape", w("Gather", scores, labels, axis=1), [-1, g.priors])
    scores, order = by_score(w, scores, g.most)
    boxes = w("Transpose", decoded(w), perm=[0, 2, 1, 3])  # (n, sets, priors, 4)
    if g.sets == 1:  # shared by all classes of an image
        order = w("Reshape", order, [-1, classes * g.most])
        boxes = w("Squeeze", boxes, [1])
    else:
        boxes = w("Reshape", w("Gather", boxes, labels, axis=1), [-1, g.priors, 4])
    boxes = w("Reshape", picked(w, boxes, order), [-1, g.most, 4])
    kept = apart(w, upright(w, boxes), scores, g.most, nms.nms_threshold, layer.threshold)
    if layer.conf.keep_top_k >= 0:
        kept = best_of_image(w, kept, scores, layer.conf.keep_top_k)
    places = places_of(w, w("Reshape", kept, [-1, classes, g.most]))
    scores = w("GatherND", w("Reshape", scores, [-1, classes, g.most]), places)
    boxes = w("GatherND", w("Reshape", boxes, [-1, classes, g.most, 4]), places)
    label = w("Gather", np.array(labels, np.float32), column(w, places, 1))
    image = cast(w, column(w, places, 0))
    rows = w("Concat", image, label, w("Unsqueeze", scores, [1]), boxes, axis=1)
    return detections(w, w("Reshape", rows, [-1, ROW]), w.bottom[0])


RULES = {"DetectionOutput": detection_output}
