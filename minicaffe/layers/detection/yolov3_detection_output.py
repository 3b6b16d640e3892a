"""Yolov3DetectionOutput: what a net of YOLOv3 has found."""

from __future__ import annotations

import numpy as np

from ..foreign import refuse_others
from .cells import Detections, anchor_sizes, apart, rows_of

NAME = "yolov3_detection_output_param"
READ = frozenset(
    "num_classes num_box confidence_threshold nms_threshold biases anchors_scale mask_group_num mask".split()
)


class Yolov3DetectionOutput(Detections):
    """y = a row for everything found: image, class, score, xmin, ymin, xmax, ymax, as shares of the image.

    With s the logistic function, box k of a cell of w by h cells in map t says: centre (column + s(x)) / w,
    (row + s(y)) / h; size biases[a] / (anchors_scale[t] * (w, h)) * e^(its own), a the k-th number of the
    map's part of mask.  For every class with s(object) s(class) above confidence_threshold the box is taken,
    the highest first, and kept if it has less than nms_threshold in common with every one kept before,
    whatever their classes.

    Param     yolov3_detection_output_param: num_classes (must be given); num_box (3), in a cell;
              mask_group_num (2), maps; mask, the numbers of the anchors, map after map; biases, width and
              height of every anchor in pixels; anchors_scale, pixels of a cell, for every map;
              confidence_threshold (0.01); nms_threshold (0.45).
    Shapes    bottom[t]: (n, num_box (5 + num_classes), h, w); top[0]: (1, 1, rows, 7), classes counted from
              1.  If nothing is found: a row for each image, -1 but for its number.  How many rows there are
              is known only when forward runs.
    Source    Yolov3DetectionOutput of MobileNet-YOLO's Caffe; Redmon & Farhadi 2018.
    Differs   runs on every device.  Every image is looked at by itself, where the fork throws the boxes of
              all together and calls them image 0.  Maps need not be square.  Of equal scores the first is
              first.  Boxes are shares of the net's input: that it was padded to a square is not undone.
              gaussian_box is refused.
    """

    type = "Yolov3DetectionOutput"
    bottoms = (1, None)

    def setup(self, bottom, top):
        refuse_others(self, NAME, READ)
        conf = self.conf = self.param.yolov3_detection_output_param
        self.require(conf.num_classes > 0 and conf.HasField("num_classes"), f"{NAME}.num_classes must be set")
        maps, mask = len(bottom), list(conf.mask)
        self.require(
            conf.mask_group_num == maps,
            f"{NAME}.mask_group_num is {conf.mask_group_num}; there are {maps} bottoms",
        )
        self.require(
            len(conf.anchors_scale) == maps and min(conf.anchors_scale) > 0,
            f"{NAME}.anchors_scale must be a number above 0 for each of {maps} bottoms;"
            f" got {list(conf.anchors_scale)}",
        )
        each = len(mask) // maps
        self.require(
            0 < conf.num_box <= each and len(mask) % maps == 0,
            f"{NAME}.mask must have {conf.num_box} numbers, num_box, for each of {maps} bottoms; got {mask}",
        )
        sizes = anchor_sizes(self, NAME, conf.biases, max(mask) + 1)
        self.sizes = [
            sizes[mask[t * each : t * each + conf.num_box]] / conf.anchors_scale[t] for t in range(maps)
        ]

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        self.take(bottom, self.sizes, self.conf.num_classes, softmax=False)

    def forward(self, bottom, top):
        rows = []
        for image, said in enumerate(self.said(bottom)):
            scores = said.objects[:, None] * said.scores
            places, classes = np.nonzero(scores > self.conf.confidence_threshold)
            boxes, score = said.boxes[places], scores[places, classes]
            kept = apart(boxes, np.argsort(-score, kind="stable"), self.conf.nms_threshold)
            rows.append(rows_of(image, boxes[kept], classes[kept], score[kept]))
        self.write(rows, top)
