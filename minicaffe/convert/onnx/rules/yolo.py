"""YoloDetectionOutput and Yolov3DetectionOutput: what a net of YOLO has found."""

from __future__ import annotations

import numpy as np

from ..graph import Draft, Tensor
from .chosen import apart, below, cast, detections, in_order


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
        centre = w("Div", w("Add", w("Sigmoid", at), corners), np.array([g.w, g.h], np.float32))
        boxes = w("Concat", centre, w("Mul", w("Exp", growth), anchors), axis=2)
        scores = w("Softmax", classes, axis=2) if g.softmax else w("Sigmoid", classes)
        parts.append((boxes, w("Sigmoid", sure), scores))
    return [w("Concat", *kind, axis=1) if len(kind) > 1 else kind[0] for kind in zip(*parts)]


def rows(w: Draft, boxes: Tensor, scores: Tensor, label: Tensor | None, least: np.ndarray) -> Tensor:
    """The top: of boxes (n, boxes, 4) with scores (n, boxes, each) above `least` those that share too much
    with no better one.

    label  (n, boxes), the class of the one score; None: there is a score of each class
    """
    w.jumps = True
    limit, count = w.layer.conf.nms_threshold, sum(g.boxes for g, _, _ in w.layer.maps)
    w.require(
        0 < limit < 1,
        f"nms_threshold is {limit:g}: ONNX can say one above 0 and below 1",
        "0 keeps one box of an image; from 1 on none is dropped",
    )
    each = w.layer.conf.num_classes if label is None else 1
    scores = w("Reshape", scores, [-1, count * each])
    alone = w("Unsqueeze", boxes, [2])
    repeated = w("Expand", alone, [1, 1, each, 1]) if each > 1 else alone
    repeated = w("Reshape", repeated, [-1, count * each, 4])
    kept = apart(w, repeated, scores, count * each, below(limit), least, centred=True)
    image, number = in_order(w, kept, scores)
    at = w("Concat", image, w("Div", number, [each]), axis=1)
    classes = w("Mod", number, [each]) if label is None else w("Unsqueeze", w("GatherND", label, at), [1])
    centre, sides = w.several("Split", w("GatherND", boxes, at), outputs=2, axis=1)
    half = w("Mul", sides, 0.5)
    found = w(
        "Concat",
        cast(w, image),
        w("Add", cast(w, classes), 1.0),
        w("Unsqueeze", w("GatherND", scores, w("Concat", image, number, axis=1)), [1]),
        w("Sub", centre, half),
        w("Add", centre, half),
        axis=1,
    )
    return detections(w, found, w.bottom[0])


def yolo_detection_output(w: Draft) -> Tensor:
    """A box has one class, its most likely one."""
    boxes, sure, classes = said(w)
    scores = w("Mul", sure, w("ReduceMax", classes, axes=[2], keepdims=1))
    label = w("ArgMax", classes, axis=2, keepdims=0)
    return rows(w, boxes, scores, label, below(w.layer.conf.confidence_threshold))


def yolov3_detection_output(w: Draft) -> Tensor:
    boxes, sure, classes = said(w)
    scores = w("Mul", sure, classes)
    return rows(w, boxes, scores, None, np.float32(w.layer.conf.confidence_threshold))


RULES = {
    "YoloDetectionOutput": yolo_detection_output,
    "Yolov3DetectionOutput": yolov3_detection_output,
}
