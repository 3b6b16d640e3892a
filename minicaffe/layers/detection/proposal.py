"""Proposal: regions that may hold an object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import proposal
from .anchors import anchors
from .regions import positive

SYNOPSYS = ("anchor_base_size", "anchor_scale", "anchor_ratio", "max_rois", "rpn_min_size", "rpn_nms_thresh")


class Proposal(Layer):
    """y = the boxes with the highest scores, of those that overlap by more than nms_thresh the best alone.

    Every cell has an anchor for each ratio r and scale s, ratio after ratio, of width v s and height int(v r
    + 1/2) s with v = int(sqrt(base_size^2 / r) + 1/2).  Its centre is (base_size - 1) / 2 + feat_stride *
    (column, row).
    A box is its anchor, moved by its first two deltas, in widths and heights, and widened by e^(the others);
    it is cut to the image.  With a side below min_size * scale its score is 0.  The pre_nms_topn best boxes
    are looked at in turn, and one that overlaps none taken before is taken, up to post_nms_topn.

    Param     proposal_param: feat_stride (16), base_size (16), min_size (16), ratio and scale, one or more of
              each, pre_nms_topn (6000), post_nms_topn (300), nms_thresh (0.7).
    Shapes    with a anchors: bottom[0]: probabilities (n, 2 a, h, w), first of ground; bottom[1]: deltas (n,
              4 a, h, w); bottom[2]: (n, 4), height and width of the image, scale_h, scale_w; top[0]: (r, 5),
              image, x1, y1, x2, y2; top[1], optional: (r), their scores; r is known only when forward runs.
    Backward  nothing: boxes are constants for what reads them.
    Source    Proposal of PVANet's Caffe; Ren, He, Girshick & Sun 2015.
    Differs   runs on every device, and takes several images, each by itself.  Of equal scores the first box
              is first; the fork's order is not defined.  The fields of Synopsys' Proposal are refused.
              happynear's scales are sides in pixels, which nothing tells apart: divide them by base_size,
              and anchors differ by rounding alone.
    Raises    ShapeError for shapes that do not fit.
    """

    type = "Proposal"
    settles = True
    bottoms = 3
    tops = (1, 2)
    kernels = proposal
    backward_reads = frozenset()
    not_differentiable = Layer.ALL
    capturable = False
    operations = (0, 0, 0)
    about: tuple[str, ...] = ("height", "width", "scale_h", "scale_w")  # what bottom 2 says of an image
    advice = "ratio and scale of proposal_param say what anchors there are"

    def setup(self, bottom, top):
        conf = self.param.proposal_param
        for name in SYNOPSYS:
            self.require(
                not conf.HasField(name),
                f"proposal_param.{name} is not supported: it is of another Proposal, that of Synopsys' fork",
            )
        stride, base, *limits = positive(
            self, conf, "feat_stride", "base_size", "pre_nms_topn", "post_nms_topn"
        )
        self.require(
            bool(conf.ratio) and bool(conf.scale), "proposal_param must have a ratio and a scale at least"
        )
        self.require(min(*conf.ratio, *conf.scale) > 0, "ratios and scales must be greater than 0")
        self.smallest = conf.min_size
        self.take(anchors(base, conf.ratio, conf.scale), stride, limits, conf.nms_thresh)

    def take(self, corners: np.ndarray, stride: int, limits: Sequence[int], threshold: float) -> None:
        """In setup: the anchors of the first cell, how far cells are apart, how many boxes are looked at and
        how many are taken, and by how much these may overlap."""
        self.stride, (self.before, self.most), self.threshold = stride, limits, threshold
        self.anchors = self.device.empty(corners.shape)
        self.device.put(corners.astype(self.device.dtype), self.anchors)

    def reshape(self, bottom, top):
        count = len(self.anchors)
        prob, deltas, info = (blob.shape for blob in bottom)
        for i, (shape, channels) in enumerate(((prob, 2 * count), (deltas, 4 * count))):
            if len(shape) != 4 or shape[1] != channels or shape[::2] != prob[::2] or shape[3] != prob[3]:
                raise ShapeError(
                    f"bottoms 0 and 1 must have {2 * count} and {4 * count} channels, for {count} anchors,"
                    f" and equal images; bottom {i} has {shape}",
                    hint=self.advice,
                )
        if bottom[2].count != len(self.about) * prob[0]:
            raise ShapeError(
                f"bottom 2 must have {len(self.about)} numbers for each of {prob[0]} images; got {info}",
                hint=f"they are {', '.join(self.about[:-1])} and {self.about[-1]}",
            )
        self.g = g = proposal.Grid(prob[0], count, *prob[2:], self.stride)
        self.looked_at = min(self.before, g.boxes)
        self.taken = min(self.most, self.looked_at)
        self.boxes, self.scores = self.saved((g.images, g.boxes, 4)), self.saved((g.images, g.boxes))
        self.order, self.gone = (self.saved((self.looked_at,), np.int32) for _ in range(2))
        self.kept = self.saved((1 + self.taken,), np.int32)
        self._shape(top, g.images * self.taken)  # until forward knows

    def forward(self, bottom, top):
        prob, deltas, info = bottom[0].data, bottom[1].data, self.images(bottom[2].data)
        boxes, scores = self.boxes.data, self.scores.data
        self.k.propose(prob, deltas, info, self.anchors, boxes, scores, self.g, self.smallest)
        hosts, rows, best = self.device.get(scores), [], []
        for i, (host, found) in enumerate(zip(hosts, self.device.get(boxes))):
            order = self.ranked(host, found, i)[: self.looked_at]
            self.device.put(order.astype(np.int32), self.order.data[: len(order)])
            lists = self.order.data, self.gone.data, self.kept.data
            self.k.suppress(boxes[i], *lists, len(order), self.taken, self.threshold)
            kept = self.device.get(self.kept.data)
            kept = kept[1 : 1 + kept[0]]
            rows.append(np.insert(found[kept], 0, i, axis=1))
            best.append(host[kept])
        regions = np.concatenate(rows)
        if top[0].shape[0] != len(regions):
            self._shape(top, len(regions))
            self.settle()
        for blob, values in zip(top, (regions, np.concatenate(best))):
            self.device.put(values.reshape(blob.shape), blob.data)

    def images(self, info: Any) -> Any:
        """Height, width, scale_h and scale_w of every image, of what bottom 2 holds."""
        return info

    def ranked(self, scores: np.ndarray, boxes: np.ndarray, image: int) -> np.ndarray:
        """The boxes of an image in the order in which they are looked at."""
        return np.argsort(-scores, kind="stable")

    def backward(self, top, propagate_down, bottom):
        pass  # force_backward runs it; there is nothing to pass down

    def _shape(self, top, count: int) -> None:
        top[0].reshape(count, 5)
        if len(top) == 2:
            top[1].reshape(*self.scored(count))

    def scored(self, count: int) -> tuple[int, ...]:
        """The shape of so many scores."""
        return (count,)
