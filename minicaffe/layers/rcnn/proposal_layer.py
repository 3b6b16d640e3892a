"""ProposalLayer of rpn.proposal_layer: regions that may hold an object."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...proto.schema import TRAIN
from ..detection.anchors import anchors
from ..detection.proposal import Proposal
from ..user.settings import Settings
from .geometry import sides

LIMITS = {  # RPN_PRE_NMS_TOP_N and RPN_POST_NMS_TOP_N
    True: (12000, 2000),  # in TRAIN
    False: (6000, 300),
}


class ProposalLayer(Proposal):
    """y = the boxes with the highest scores; of those that overlap too much the best alone.

    As Proposal computes it, with RPN_NMS_THRESH as its nms_thresh, but boxes with a side below RPN_MIN_SIZE *
    scale are left out.

    Param     python_param.param_str: feat_stride, needed; scales ([8, 16, 32]); ratios ([0.5, 1, 2]);
              base_size (16); allowed_border, read and without meaning here; RPN_PRE_NMS_TOP_N and
              RPN_POST_NMS_TOP_N (in TRAIN 12000 and 2000, in TEST 6000 and 300; 0: all); RPN_NMS_THRESH
              (0.7); RPN_MIN_SIZE (16).
    Shapes    with a anchors: bottom[0]: probabilities (n, 2 a, h, w), first of ground; bottom[1]: deltas (n,
              4 a, h, w); bottom[2]: (n, 3), height and width of the image, and by how much it was enlarged;
              top[0]: (r, 5), image, x1, y1, x2, y2; top[1], optional: (r, 1), their scores.
    Backward  0: boxes are constants for what reads them.
    Source    rpn.proposal_layer of py-faster-rcnn; Ren, He, Girshick & Sun 2015.
    Differs   several images are taken, each by itself.  If all boxes are too small, they stay in.
    """

    type = "Python"
    about = ("height", "width", "scale")
    advice = "scales and ratios in param_str say what anchors there are"
    smallest = 0.0  # small boxes are left out afterwards
    not_differentiable = frozenset()  # the scores come from what is trained

    def setup(self, bottom, top):
        before, after = LIMITS[self.phase == TRAIN]
        conf = self.conf = Settings(
            self,
            {
                "feat_stride": None, "scales": [8, 16, 32], "ratios": [0.5, 1, 2], "base_size": 16.0,
                "allowed_border": 0.0, "RPN_PRE_NMS_TOP_N": before, "RPN_POST_NMS_TOP_N": after,
                "RPN_NMS_THRESH": 0.7, "RPN_MIN_SIZE": 16.0,
            },
        )  # fmt: skip
        limits = [
            value if value > 0 else 2**30 for value in (conf.RPN_PRE_NMS_TOP_N, conf.RPN_POST_NMS_TOP_N)
        ]
        self.take(anchors_of(self, conf), conf.feat_stride, limits, conf.RPN_NMS_THRESH)

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        self.four = self.saved((self.g.images, 4))

    def images(self, info: Any) -> Any:
        self.scales = self.device.get(info).reshape(-1, 3)
        self.device.put(np.append(self.scales, self.scales[:, 2:], axis=1), self.four.data)
        return self.four.data

    def ranked(self, scores, boxes, image):
        order = super().ranked(scores, boxes, image)
        large = sides(boxes).min(axis=1) >= self.conf.RPN_MIN_SIZE * self.scales[image, 2]
        return order[large[order]] if large.any() else order

    def scored(self, count):
        return (count, 1)

    def backward(self, top, propagate_down, bottom):
        for blob, wanted in zip(bottom, propagate_down):
            if wanted:
                self.device.fill(blob.diff, 0)


def anchors_of(layer, conf: Settings) -> np.ndarray:
    """Corners of the anchors of the first cell, as base_size, ratios and scales say."""
    numbers = (conf.feat_stride, conf.base_size, *conf.ratios, *conf.scales)
    layer.require(
        bool(conf.ratios) and bool(conf.scales) and min(numbers) > 0,
        "python_param.param_str: feat_stride, base_size, ratios and scales must be greater than 0, and one"
        " ratio and scale at least be there",
    )
    return anchors(conf.base_size, conf.ratios, conf.scales)
