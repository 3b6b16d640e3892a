"""YoloDetectionOutput: what a net of YOLOv2 has found."""

from __future__ import annotations

import numpy as np

from ..foreign import refuse_others
from .cells import Detections, anchor_sizes, apart, rows_of

NAME = "yolo_detection_output_param"
READ = frozenset(
    "num_classes num_box coords confidence_threshold nms_threshold biases side label_map_file".split()
)


class YoloDetectionOutput(Detections):
    """y = a row for everything found: image, class, score, xmin, ymin, xmax, ymax, as shares of the image.

    With s the logistic function, anchor a of a cell of w by h cells says: centre (column + s(x)) / w, (row +
    s(y)) / h; size biases[a] / (w, h) * e^(its own); score s(object) times the softmax over classes, of the
    class where that is largest.  Boxes with a score of confidence_threshold and more are taken, the highest
    first, and one is kept if it has less than nms_threshold in common with every one kept before, whatever
    their classes.

    Param     yolo_detection_output_param: num_classes (must be given); num_box (5), anchors; biases, two
              numbers for each; confidence_threshold (0.01); nms_threshold (0.45); coords (4), which must be
              4; side and label_map_file, read and without meaning here.
    Shapes    bottom[0], and bottom[1] of another resolution: (n, num_box (5 + num_classes), h, w); top[0]:
              (1, 1, rows, 7), classes counted from 1.  If nothing is found: a row for each image, -1 but for
              its number.  How many rows there are is known only when forward runs.
    Source    YoloDetectionOutput of MobileNet-YOLO's Caffe; Redmon & Farhadi 2017.
    Differs   runs on every device.  Every image is looked at by itself, where the fork throws the boxes of
              all together and calls them image 0.  Maps need not be square.  Of equal scores the first is
              first.
    """

    type = "YoloDetectionOutput"
    bottoms = (1, 2)

    def setup(self, bottom, top):
        refuse_others(self, NAME, READ)
        conf = self.conf = self.param.yolo_detection_output_param
        self.require(conf.num_classes > 0 and conf.HasField("num_classes"), f"{NAME}.num_classes must be set")
        self.require(conf.coords == 4, f"{NAME}.coords must be 4; got {conf.coords}")
        self.require(conf.num_box > 0, f"{NAME}.num_box must be at least 1")
        self.sizes = anchor_sizes(self, NAME, conf.biases, conf.num_box)

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        self.take(bottom, [self.sizes] * len(bottom), self.conf.num_classes, softmax=True)

    def forward(self, bottom, top):
        rows = []
        for image, said in enumerate(self.said(bottom)):
            classes = said.scores.argmax(axis=1)
            score = said.objects * said.scores[np.arange(len(classes)), classes]
            order = np.argsort(-score, kind="stable")
            order = order[score[order] >= self.conf.confidence_threshold]
            kept = apart(said.boxes, order, self.conf.nms_threshold)
            rows.append(rows_of(image, said.boxes[kept], classes[kept], score[kept]))
        self.write(rows, top)
