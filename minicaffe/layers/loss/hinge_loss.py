"""HingeLoss: one against all, with a margin."""

from __future__ import annotations

from ...core.loss import LabelReader, Loss
from ...errors import ShapeError
from ...kernels import loss, margin
from ...proto.schema import enum_name


class HingeLoss(Loss):
    """loss = sum over items and classes of m (L1) or m^2 (L2) / n.

    m = max(0, 1 - x) at the label's class, max(0, 1 + x) at every other.

    Param     hinge_loss_param: norm (L1).
    Shapes    bottom[0]: scores (n, ...), whose axes behind the first are the classes together; bottom[1]:
              n labels, cut to whole numbers; top[0]: ().
    Backward  dx = -[m > 0] at the label, [m > 0] elsewhere (L2: 2 m times that) * dloss / n; 0 at m = 0.
              Reads nothing: forward saves the slope.
    Source    Caffe's HingeLoss layer.
    Differs   runs on every device; a label that is no class is an error, where Caffe writes other memory.
    Raises    ShapeError for a wrong number of labels, DataError for a label that is no class.
    """

    type = "HingeLoss"
    backward_reads = frozenset()

    def setup(self, bottom, top):
        self.squared = int(enum_name(self.param.hinge_loss_param, "norm") == "L2")
        self.margin = self.device.bind(margin)
        self.labels = LabelReader(self)

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        if not bottom[0].shape:
            raise ShapeError("bottom 0 must have an axis of items; it has no axes")
        items = bottom[0].shape[0]
        self.g = self.labels.expect(bottom, loss.Labels(items, bottom[0].count_over(1), 1, 0, 0))
        self.allot(items)
        self.slope = self.saved(bottom[0].shape)

    def forward(self, bottom, top):
        x, labels = bottom
        self.margin.hinge_loss_forward(
            x.data, labels.data, self.slope.data, self.sums.data, self.tally.data, self.g, self.squared
        )
        self.divide(top[0], max(1, self.g.outer))
        self.labels.note(labels)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            dloss, divisor = top[0].diff, self.divisor.data
            self.k.loss_backward(self.slope.data, dloss, divisor, bottom[0].diff, 1, 0)

    def verify(self):
        self.labels.verify()
