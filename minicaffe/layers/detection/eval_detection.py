"""EvalDetection: how much of what a net of YOLOv2 has found is right."""

from __future__ import annotations

import numpy as np

from ...errors import DataError, ShapeError
from ...proto.schema import enum_name
from ..foreign import refuse_others
from .cells import CellReader, Said, anchor_sizes, apart, shares

NAME = "eval_detection_param"
READ = frozenset("side num_class num_object threshold score_type nms biases sqrt constriant".split())
LOWEST = 0.005  # boxes with lower scores do not count
ROW = 8  # numbers of an object: image, class, instance, xmin, ymin, xmax, ymax, difficult


class EvalDetection(CellReader):
    """y = the number of objects of each class, and of each box its class, score, is right, is wrong.

    Boxes are those of YoloDetectionOutput; their score is that of the object (score_type OBJ), of its best
    class (PROB), or both multiplied.  Of boxes that have nms and more in common the best stays; those below
    0.005 are left out.  They come by class, and by score from the highest down.  One is right if the object
    of its class that it covers best has threshold and more in common with it, and no box before was right
    about that.

    Param     eval_detection_param: side (7), rows and columns of cells; num_class (20); num_object (2),
              anchors; biases, two numbers for each; threshold (0.5); nms (-1: none); score_type (MULTIPLY);
              sqrt and constriant, read and without meaning in the fork too.
    Shapes    bottom[0]: (n, num_object (5 + num_class), side, side); bottom[1]: objects (1, 1, g, 8): image,
              -1 for none, class from 1, 0 for none, instance, xmin, ymin, xmax, ymax as shares of the image,
              difficult; top[0]: (n, num_class + side side num_object 4), classes from 0, with zeros behind
              the last box.
    Source    EvalDetection of Intel's Caffe.
    Differs   runs on every device.  A box's class is the best one, where it is always the first in the fork.
    Raises    DataError for an object of an image or class that there is not.
    """

    type = "EvalDetection"
    bottoms = 2
    measures = True

    def setup(self, bottom, top):
        refuse_others(self, NAME, READ)
        conf = self.conf = self.param.eval_detection_param
        self.require(
            min(conf.num_class, conf.num_object) > 0, f"{NAME}: num_class and num_object must be above 0"
        )
        self.sizes = anchor_sizes(self, NAME, conf.biases, conf.num_object)
        self.kind = enum_name(conf, "score_type")
        self.wrong: list[np.ndarray] = []  # image and class of objects that cannot be

    def reshape(self, bottom, top):
        conf, (n, *_, h, w) = self.conf, bottom[0].shape if len(bottom[0].shape) == 4 else (0, 0, 0, 0)
        if (h, w) != (conf.side, conf.side):
            raise ShapeError(
                f"bottom 0 must have {conf.side} rows and columns of cells; got {bottom[0].shape}",
                hint=f"{NAME}.side says how many there are",
            )
        if bottom[1].count % ROW or not bottom[1].shape:
            raise ShapeError(f"bottom 1 must hold objects of {ROW} numbers; got {bottom[1].shape}")
        self.take(bottom[:1], [self.sizes], conf.num_class, softmax=True)
        top[0].reshape(n, conf.num_class + 4 * conf.side**2 * conf.num_object)

    def forward(self, bottom, top):
        conf = self.conf
        objects = self.device.get(bottom[1].data).reshape(-1, ROW)
        objects = objects[(objects[:, 0] != -1) & (objects[:, 1] != 0)]
        out = np.zeros(top[0].shape)
        images, classes = objects[:, 0], objects[:, 1] - 1
        known = (images >= 0) & (images < len(out)) & (classes >= 0) & (classes < conf.num_class)
        self.wrong = self.wrong or [*objects[~known][:1, :2]]
        objects, images, classes = objects[known], images[known], classes[known]
        low, high = objects[:, 3:5], objects[:, 5:7]
        boxes = np.concatenate([(low + high) / 2, high - low], axis=1)
        for image, said in enumerate(self.said(bottom[:1])):
            mine = images == image
            out[image, : conf.num_class] = np.bincount(classes[mine].astype(int), minlength=conf.num_class)
            rows = self._judged(said, boxes[mine], classes[mine]).reshape(-1)
            out[image, conf.num_class : conf.num_class + len(rows)] = rows
        self.device.put(out.astype(self.device.dtype), top[0].data)

    def verify(self):
        wrong, self.wrong = self.wrong, []
        if wrong:
            raise DataError(
                f"bottom 1 has an object of image {wrong[0][0]:g} and class {wrong[0][1]:g}; expected image 0"
                f" to {self.maps[0][0].images - 1} and class 1 to"
                f" {self.conf.num_class}"
            )

    def _judged(self, said: Said, boxes: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """A row for every box that is said, beside the objects of these classes."""
        found = said.scores.argmax(axis=1)
        best = said.scores.max(axis=1)
        score = {"OBJ": said.objects, "PROB": best, "MULTIPLY": said.objects * best}[self.kind]
        order = np.argsort(-score, kind="stable")
        if self.conf.nms >= 0:
            order = apart(said.boxes, order, self.conf.nms)
        order = order[score[order] >= LOWEST]
        order = order[np.argsort(found[order], kind="stable")]
        rows, hit = np.zeros((len(order), 4)), np.zeros(len(boxes), bool)
        for row, box in zip(rows, order):
            there = np.flatnonzero(classes == found[box])
            right = False
            if len(there):
                covered = shares(said.boxes[box : box + 1], boxes[there])[0]
                nearest = there[covered.argmax()]
                right = bool(covered.max() >= self.conf.threshold and not hit[nearest])
                hit[nearest] |= right
            row[:] = found[box], score[box], right, not right
        return rows
