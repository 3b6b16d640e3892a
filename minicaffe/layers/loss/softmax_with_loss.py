"""SoftmaxWithLoss: the cross entropy of scores and labels."""

from __future__ import annotations

import numpy as np

from ...errors import ShapeError
from ...kernels import likelihood
from ...kernels.partial_sums import chunks
from .labels import CrossEntropy


class SoftmaxWithLoss(CrossEntropy):
    """loss = -sum over positions of log(max(p[label], 2^-126)) / Z, p = softmax(x) along one axis.

    Param     softmax_param: axis (1), that of the classes; engine is read and means nothing here.
              loss_param: ignore_label (none), a label whose positions count for nothing; normalization
              (VALID), which chooses Z (layers/loss/measure.py): BATCH_SIZE is the product of the axes before
              `axis`; normalize, its old form.  weight_by_label_freqs (false) and class_weighting, of SegNet
              and ENet: a weight for each class, by which the loss and the gradient of a position with that
              label are multiplied; Z counts positions as ever.
    Shapes    bottom[0]: scores (outer..., classes, inner...); bottom[1]: labels, outer * inner of them with
              the same axis 0, cut to whole numbers; top[0]: (); top[1], optional: p, shaped like bottom[0].
    Backward  dx = (p - [class is the label]) * dloss / Z, 0 where the label is ignored; through top[1] as
              Softmax.  Reads nothing, or top[1] where there is one.
    Source    Caffe's SoftmaxWithLoss layer; that of SegNet's Caffe.
    Differs   with two tops Caffe cannot build the layer; here a single loss_weight is that of the loss.  A
              label that is no class is an error, where Caffe reads other memory: until the host looks, its
              loss is NaN and its gradient 0.
    Raises    ShapeError for a wrong number of labels or weights, DataError for a label that is no class.
    """

    type = "SoftmaxWithLoss"
    message = "softmax_param"
    operations = (3, 1, 0)
    fork_fields = frozenset({"loss_param.weight_by_label_freqs", "loss_param.class_weighting"})

    weights = None  # of the classes, on the device

    def setup(self, bottom, top):
        super().setup(bottom, top)
        conf = self.param.loss_param
        self.require(
            bool(conf.class_weighting) == conf.weight_by_label_freqs,
            "loss_param must have both weight_by_label_freqs: true and class_weighting, or neither",
        )
        if conf.class_weighting:
            self.likelihood = self.device.bind(likelihood)
            self.weights = self.device.empty((len(conf.class_weighting),))
            self.device.put(np.array(conf.class_weighting, self.device.dtype), self.weights)

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        if self.weights is None:
            self.allot(self.g.pieces)
            self.target = self.saved((self.g.positions,), np.int32)
            return
        if self.weights.size != self.g.classes:
            raise ShapeError(
                f"class_weighting must have a weight for each of the {self.g.classes} classes of bottom 0;"
                f" got {self.weights.size}"
            )
        self.allot(chunks(self.g.positions))
        self.slope = self.saved(bottom[0].shape)

    def forward(self, bottom, top):
        x, labels, p = bottom[0].data, bottom[1].data, self.p.data
        results = *self.results(top[0]), self.g, self.fixed_divisor(self.g)
        if self.weights is None:
            self.k.softmax_loss_forward(x, labels, p, self.target.data, *results)
            return
        self.softmax.softmax_forward(x, p, self.columns)
        self.likelihood.class_weights_loss_forward(p, labels, self.weights, self.slope.data, *results)

    def pass_down(self, dloss, dx, add=0):
        if self.weights is None:
            self.k.softmax_loss_backward(self.p.data, self.target.data, dloss, self.outcome, dx, self.g, add)
        else:
            super().pass_down(dloss, dx, add)
