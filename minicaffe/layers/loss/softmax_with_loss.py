"""SoftmaxWithLoss: the cross entropy of scores and labels."""

from __future__ import annotations

import numpy as np

from .labels import CrossEntropy


class SoftmaxWithLoss(CrossEntropy):
    """loss = -sum over positions of log(max(p[label], 2^-126)) / Z, p = softmax(x) along one axis.

    Param     softmax_param: axis (1), that of the classes; engine is read and means nothing here.
              loss_param: ignore_label (none), a label whose positions count for nothing; normalization
              (VALID), which chooses Z (layers/loss/measure.py): BATCH_SIZE is the product of the axes before
              `axis`; normalize, its old form.
    Shapes    bottom[0]: scores (outer..., classes, inner...); bottom[1]: labels, outer * inner of them with
              the same axis 0, cut to whole numbers; top[0]: (); top[1], optional: p, shaped like bottom[0].
    Backward  dx = (p - [class is the label]) * dloss / Z, 0 where the label is ignored; through top[1] as
              Softmax.  Reads nothing, or top[1] where there is one.
    Source    Caffe's SoftmaxWithLoss layer.
    Differs   with two tops Caffe cannot build the layer; here a single loss_weight is that of the loss.  A
              label that is no class is an error, where Caffe reads other memory: until the host looks, its
              loss is NaN and its gradient 0.
    Raises    ShapeError for a wrong number of labels, DataError for a label that is no class.
    """

    type = "SoftmaxWithLoss"
    message = "softmax_param"
    operations = (3, 1, 0)

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        self.allot(self.g.pieces)
        self.target = self.saved((self.g.positions,), np.int32)

    def forward(self, bottom, top):
        x, labels, p, target = bottom[0].data, bottom[1].data, self.p.data, self.target.data
        self.k.softmax_loss_forward(
            x, labels, p, target, *self.results(top[0]), self.g, self.fixed_divisor(self.g)
        )

    def pass_down(self, dloss, dx, add=0):
        self.k.softmax_loss_backward(self.p.data, self.target.data, dloss, self.outcome, dx, self.g, add)
