"""BoxAnnotatorOHEM: a training that goes on with the examples that are hard."""

from __future__ import annotations

import numpy as np

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import hard_examples
from .regions import positive


class BoxAnnotatorOHEM(Layer):
    """y = labels and weights where a region is among the roi_per_img with the highest losses in its image.

    All other regions get ignore_label and weights of 0.  Of equal losses the first is the higher one; NaN is
    higher than all.

    Param     box_annotator_ohem_param: roi_per_img, needed; ignore_label (-1).
    Shapes    bottom[0]: regions (m, 5, ...), whose first channel is the image, cut to a whole number;
              bottom[1]: losses, bottom[2]: labels, both (m, 1, ...), one for each region; bottom[3]: weights
              (m, c, ...); top[0]: like bottom[2]; top[1]: like bottom[3].
    Backward  of labels and weights the gradient that came where they are kept, else 0; of regions and losses
              0.  Reads nothing: the choice is saved.
    Source    BoxAnnotatorOHEM of R-FCN's Caffe; Shrivastava, Gupta & Girshick 2016.
    Differs   runs on every device, and has a gradient, where the fork leaves in the diffs what was there.
              Among equal losses the fork's choice is not defined.
    Raises    ShapeError for numbers of losses, labels or weights that do not fit the regions.
    """

    type = "BoxAnnotatorOHEM"
    bottoms = 4
    tops = 2
    kernels = hard_examples
    measures = True
    backward_reads = frozenset()
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        conf = self.param.box_annotator_ohem_param
        (self.most,) = positive(self, conf, "roi_per_img")
        self.ignored = conf.ignore_label

    def reshape(self, bottom, top):
        rois, losses, labels, weights = bottom
        if len(rois.shape) < 2 or rois.shape[1] == 0:
            raise ShapeError(f"bottom 0 must hold regions (m, 5, ...); got {rois.shape}")
        outer, inner = rois.shape[0], rois.count_over(2)
        for i, blob in ((1, losses), (2, labels)):
            if blob.count != outer * inner:
                raise ShapeError(
                    f"bottom {i} must have a number for each of {outer * inner} regions; got {blob.shape}"
                )
        if weights.shape[:1] != (outer,) or weights.count_over(2) != inner or len(weights.shape) < 2:
            raise ShapeError(
                f"bottom 3 must have the shape of bottom 0, {rois.shape}, but for axis 1; got {weights.shape}"
            )
        top[0].reshape_like(labels)
        top[1].reshape_like(weights)
        channels = (rois.shape[1], 1, weights.shape[1])
        self.rois, *self.parts = (hard_examples.Examples(outer, c, inner, self.most) for c in channels)
        self.kept = self.saved((outer * inner,), np.int32)

    def forward(self, bottom, top):
        kept = self.kept.data
        self.k.keep_hard(bottom[0].data, bottom[1].data, kept, self.rois)
        for x, y, g, absent in zip(bottom[2:], top, self.parts, (self.ignored, 0)):
            self.k.where_kept(x.data, kept, y.data, absent, g)

    def backward(self, top, propagate_down, bottom):
        for blob, wanted in zip(bottom[:2], propagate_down):
            if wanted:
                self.device.fill(blob.diff, 0)
        for x, y, g, wanted in zip(bottom[2:], top, self.parts, propagate_down[2:]):
            if wanted:
                self.k.where_kept(y.diff, self.kept.data, x.diff, 0, g)
