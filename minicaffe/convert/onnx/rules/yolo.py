"""YoloDetectionOutput and Yolov3DetectionOutput: what a net of YOLO has found."""

from __future__ import annotations

import numpy as np

from ..graph import Draft, Tensor
from .chosen import apart, below, by_score, cast, column, detections, picked, places_of


def said(w: Draft) -> list[Tensor]:
    """Of all cells of all maps boxes (n, boxes, 4), centre and size, how sure there is an object (n, boxes,
    1), and of the classes (n, boxes, classes)."""
    parts = []
    for x, (g, shares, _) in zip(w.bottom, w.layer.maps):
        cells = w("Reshape", x, [-1, g.anchors, 5 + g.classes, g.h * g.w])
        cells = w("Reshape", w("Transpose", cells, perm=[0, 3, 1, 2]), [-1, g.boxes, 5 + g.classes])
        at, growth, sure, classes = w.several("Split", cells, [2, 2, 1, g.classes], outputs=4, axis=2)
        rows, columns = np.indices((g.h, g.w), np.float32)
        corners = np.repeat(np.stack([columns, rows], axis=2).reshape(-1, 2), g.anchors, axis=0)
        anchors = np.tile(np.asarray(w.layer.device.get(shares), np.float32), (g.h * g.w, 1))
        centre = w("Div", w("Add", w("Sigmoid", at), corners), np.float32([g.w, g.h]))
        boxes = w("Concat", centre, w("Mul", w("Exp", growth), anchors), axis=2)
        scores = w("Softmax", classes, axis=2) if g.softmax else w("Sigmoid", classes)
        parts.append((boxes, w("Sigmoid", sure), scores))
    return [w("Concat", *kind, axis=1) if len(kind) > 1 else kind[0] for kind in zip(*parts)]


def found(w: Draft, least: np.ndarray) -> Tensor:
    """Rows of boxes whose best class has a score above `least`, whatever others it has: a second one is
    dropped, as all of a box overlaps the first."""
    w.jumps = True
    limit = w.layer.conf.nms_threshold
    w.require(
        0 < limit < 1,
        f"nms_threshold is {limit:g}: ONNX can say one above 0 and below 1",
        "0 keeps one box of an image; from 1 on none is dropped",
    )
    boxes, sure, classes = said(w)
    scores = w("Mul", sure, classes)
    label = w("Unsqueeze", cast(w, w("ArgMax", scores, axis=2, keepdims=0)), [2])
    scores = w("ReduceMax", scores, axes=[2], keepdims=0)
    count = sum(g.boxes for g, _, _ in w.layer.maps)
    scores, order = by_score(w, scores, count)
    boxes = picked(w, w("Concat", boxes, label, axis=2), order)
    boxes, label = w.several("Split", boxes, [4, 1], outputs=2, axis=2)
    places = places_of(w, apart(w, boxes, scores, count, below(limit), least, centred=True))
    centre, sides = w.several("Split", w("GatherND", boxes, places), outputs=2, axis=1)
    half = w("Mul", sides, 0.5)
    rows = w(
        "Concat",
        cast(w, column(w, places, 0)),
        w("Add", w("GatherND", label, places), 1.0),
        w("Unsqueeze", w("GatherND", scores, places), [1]),
        w("Sub", centre, half),
        w("Add", centre, half),
        axis=1,
    )
    return detections(w, rows, w.bottom[0])


RULES = {
    "YoloDetectionOutput": lambda w: found(w, below(w.layer.conf.confidence_threshold)),
    "Yolov3DetectionOutput": lambda w: found(w, np.float32(w.layer.conf.confidence_threshold)),
}
