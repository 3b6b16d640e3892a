"""AnchorTargetLayer of rpn.anchor_target_layer: what a region proposal network is to answer."""

from __future__ import annotations

import numpy as np

from ...errors import ShapeError
from ..user.settings import Settings
from .examples import Examples
from .geometry import moves, overlaps
from .proposal_layer import anchors_of

POSITIVE, NEGATIVE = 0, 1  # what a random choice is for


class AnchorTargetLayer(Examples):
    """y = labels of anchors: 1 an object, 0 ground, -1 neither; how each is moved to its object; and weights.

    Anchors that reach beyond the image by more than allowed_border are -1.  Of the others those are 1 that
    overlap an object by RPN_POSITIVE_OVERLAP and more, or as much as no other anchor does; those below
    RPN_NEGATIVE_OVERLAP with all objects are 0.  Of each kind as many stay as fit into RPN_BATCHSIZE, chosen
    at random.  An anchor's object is the one that it overlaps most.

    Param     python_param.param_str: feat_stride, needed; scales ([8, 16, 32]); ratios ([0.5, 1, 2]);
              base_size (16); allowed_border (0); RPN_POSITIVE_OVERLAP (0.7); RPN_NEGATIVE_OVERLAP (0.3);
              RPN_CLOBBER_POSITIVES (false: what is both 1 and 0 is 1); RPN_BATCHSIZE (256); RPN_FG_FRACTION
              (0.5), of it at most for 1; RPN_BBOX_INSIDE_WEIGHTS ([1, 1, 1, 1]); RPN_POSITIVE_WEIGHT (-1:
              every example weighs the same; else the share of all that is 1).
    Shapes    with a anchors: bottom[0]: scores (1, 2 a, h, w); bottom[1]: objects (g, 5): x1, y1, x2, y2,
              class; bottom[2]: (1, 3), height and width of the image, scale; bottom[3], optional, is not
              read; top[0]: labels (1, 1, a h, w); top[1]: moves; top[2]: weights inside the loss, for 1;
              top[3]: weights of the loss, of 1 and 0: all (1, 4 a, h, w).
    Backward  0.
    Source    rpn.anchor_target_layer of py-faster-rcnn; Ren, He, Girshick & Sun 2015.
    Differs   the random choice follows from the net's seed, the layer's name and the pass.  Without objects,
              or anchors inside the image, there is no error.
    """

    bottoms = (3, 4)
    tops = 4

    def setup(self, bottom, top):
        conf = self.conf = Settings(
            self,
            {
                "feat_stride": None, "scales": [8, 16, 32], "ratios": [0.5, 1, 2], "base_size": 16.0,
                "allowed_border": 0.0, "RPN_POSITIVE_OVERLAP": 0.7, "RPN_NEGATIVE_OVERLAP": 0.3,
                "RPN_CLOBBER_POSITIVES": False, "RPN_BATCHSIZE": 256, "RPN_FG_FRACTION": 0.5,
                "RPN_BBOX_INSIDE_WEIGHTS": [1.0, 1.0, 1.0, 1.0], "RPN_POSITIVE_WEIGHT": -1.0,
            },
        )  # fmt: skip
        self.require(
            conf.RPN_POSITIVE_WEIGHT < 0 or 0 < conf.RPN_POSITIVE_WEIGHT < 1,
            "python_param.param_str: RPN_POSITIVE_WEIGHT must be below 0, or between 0 and 1",
        )
        self.require(
            len(conf.RPN_BBOX_INSIDE_WEIGHTS) == 4,
            "python_param.param_str: RPN_BBOX_INSIDE_WEIGHTS must be 4 numbers",
        )
        self.anchors = anchors_of(self, conf)

    def reshape(self, bottom, top):
        scores, count = bottom[0].shape, len(self.anchors)
        if len(scores) != 4 or scores[:2] != (1, 2 * count):
            raise ShapeError(
                f"bottom 0 must be (1, {2 * count}, h, w), for one image and {count} anchors; got {scores}",
                hint="scales and ratios in param_str say what anchors there are",
            )
        self.check_objects(bottom[1])
        if bottom[2].count != 3:
            raise ShapeError(
                f"bottom 2 must have 3 numbers, height, width and scale of the image; got {bottom[2].shape}"
            )
        h, w = scores[2:]
        top[0].reshape(1, 1, count * h, w)
        for blob in top[1:]:
            blob.reshape(1, 4 * count, h, w)

    def forward(self, bottom, top):
        h, w = bottom[0].shape[2:]
        height, width, _ = self.device.get(bottom[2].data).reshape(3)
        across, down = np.meshgrid(np.arange(w), np.arange(h))
        shifts = np.stack([across, down, across, down], axis=2).reshape(-1, 1, 4) * self.conf.feat_stride
        boxes = (shifts + self.anchors).reshape(-1, 4)
        low, high = -self.conf.allowed_border, np.array([width, height]) + self.conf.allowed_border
        inside = np.flatnonzero((boxes[:, :2] >= low).all(axis=1) & (boxes[:, 2:] < high).all(axis=1))
        labels, targets = np.full(len(boxes), -1.0), np.zeros((len(boxes), 4))
        labels[inside], targets[inside] = self._learn(boxes[inside], self.objects(bottom[1]))
        self.write(top, [self._laid_out(a, h, w) for a in (labels, targets, *self._weights(labels))])

    def _learn(self, boxes: np.ndarray, objects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Labels of boxes inside the image, and how they are moved."""
        conf, labels = self.conf, np.full(len(boxes), -1.0)
        if not len(objects) or not len(boxes):
            labels[:] = 0
            return self._chosen(labels), np.zeros((len(boxes), 4))
        shares = overlaps(boxes, objects)
        most, negative = shares.max(axis=1), shares.max(axis=1) < conf.RPN_NEGATIVE_OVERLAP
        labels[negative] = 0
        labels[(shares == shares.max(axis=0)).any(axis=1) | (most >= conf.RPN_POSITIVE_OVERLAP)] = 1
        if conf.RPN_CLOBBER_POSITIVES:
            labels[negative] = 0
        return self._chosen(labels), moves(boxes, objects[shares.argmax(axis=1)])

    def _chosen(self, labels: np.ndarray) -> np.ndarray:
        """The labels of which as many stay as fit into a batch."""
        conf = self.conf
        limit = int(conf.RPN_FG_FRACTION * conf.RPN_BATCHSIZE)
        positive = self.some(np.flatnonzero(labels == 1), limit, POSITIVE)
        negative = self.some(np.flatnonzero(labels == 0), conf.RPN_BATCHSIZE - len(positive), NEGATIVE)
        chosen = np.full_like(labels, -1)
        chosen[positive], chosen[negative] = 1, 0
        return chosen

    def _weights(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        share, positive, negative = self.conf.RPN_POSITIVE_WEIGHT, labels == 1, labels == 0
        inside = positive[:, None] * np.array(self.conf.RPN_BBOX_INSIDE_WEIGHTS)
        if share < 0:
            outside = (labels >= 0) / max((labels >= 0).sum(), 1)
        else:
            outside = positive * share / max(positive.sum(), 1)
            outside += negative * (1 - share) / max(negative.sum(), 1)
        return inside, np.repeat(outside[:, None], 4, axis=1)

    def _laid_out(self, values: np.ndarray, h: int, w: int) -> np.ndarray:
        """From (h w a) or (h w a, 4) to (1, 1, a h, w) or (1, 4 a, h, w)."""
        planes = values.reshape(h, w, -1).transpose(2, 0, 1)
        return planes.reshape(1, 1, -1, w) if values.ndim == 1 else planes[None]
