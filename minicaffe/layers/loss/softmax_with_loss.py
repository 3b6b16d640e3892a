"""SoftmaxWithLoss: the cross entropy of scores and labels."""

from __future__ import annotations

import numpy as np

from ...core.loss import LabelReader, NormalizedLoss
from ...kernels import softmax


class SoftmaxWithLoss(NormalizedLoss):
    """loss = -sum over positions of log(max(p[label], 2^-126)) / Z, p = softmax(x) along one axis.

    Param     softmax_param: axis (1), that of the classes; engine is read and means nothing here.
              loss_param: ignore_label (none), a label whose positions count for nothing; normalization
              (VALID), which chooses Z (core/loss.py): BATCH_SIZE is the product of the axes before `axis`;
              normalize, its old form.
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
    tops = (1, 2)
    backward_reads = frozenset()
    operations = (3, 1, 0)

    def setup(self, bottom, top):
        super().setup(bottom, top)
        self.softmax = self.device.bind(softmax)
        self.labels = LabelReader(self, "loss_param")
        if len(top) == 2:
            self.backward_reads = frozenset({"top.data"})

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        self.g = self.labels.geometry(bottom, self.param.softmax_param.axis)
        self.columns = softmax.Columns(self.g.outer, self.g.classes, self.g.inner)
        self.allot(self.g.positions)
        self.target = self.saved((self.g.positions,), np.int32)
        if len(top) == 2:
            top[1].reshape_like(bottom[0])
            self.p = top[1]
        else:
            self.p = self.saved(bottom[0].shape)

    def forward(self, bottom, top):
        p, labels = self.p.data, bottom[1]
        self.softmax.softmax_forward(bottom[0].data, p, self.columns)
        self.k.softmax_loss_forward(p, labels.data, self.target.data, self.sums.data, self.tally.data, self.g)
        self.divide(top[0], self.fixed_divisor(self.g))
        self.note(self.labels, labels)

    def backward(self, top, propagate_down, bottom):
        if not propagate_down[0]:
            return
        p, dx = self.p.data, bottom[0].diff
        two = len(top) == 2
        if two:
            self.softmax.softmax_backward(p, top[1].diff, dx, self.columns)
        self.k.softmax_loss_backward(
            p, self.target.data, top[0].diff, self.divisor.data, dx, self.g, int(two)
        )

    def verify(self):
        self.labels.verify()
