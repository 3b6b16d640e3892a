"""MultinomialLogisticLoss: the cross entropy of probabilities and labels."""

from __future__ import annotations

from ...core.loss import LabelReader, Loss
from ...errors import ShapeError
from ...kernels import likelihood, loss


class MultinomialLogisticLoss(Loss):
    """loss = -sum over items of log(max(p[label], 1e-20)) / n.

    Shapes    bottom[0]: probabilities (n, ...), whose axes behind the first are the classes together;
              bottom[1]: n labels, cut to whole numbers; top[0]: ().
    Backward  dp = -dloss / (n max(p, 1e-20)) at the label, 0 elsewhere.  Reads nothing: forward saves the
              slope.
    Source    Caffe's MultinomialLogisticLoss layer.
    Differs   runs on every device; a label that is no class is an error, where Caffe reads other memory.
              SoftmaxWithLoss, which takes scores, is exact where a probability vanishes.
    Raises    ShapeError for a wrong number of labels, DataError for a label that is no class.
    """

    type = "MultinomialLogisticLoss"
    backward_reads = frozenset()

    def setup(self, bottom, top):
        self.likelihood = self.device.bind(likelihood)
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
        p, labels = bottom
        self.likelihood.multinomial_loss_forward(
            p.data, labels.data, self.slope.data, self.sums.data, self.tally.data, self.g
        )
        self.divide(top[0], max(1, self.g.outer))
        self.labels.note(labels)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            dloss, divisor = top[0].diff, self.divisor.data
            self.k.loss_backward(self.slope.data, dloss, divisor, bottom[0].diff, 1, 0)

    def verify(self):
        self.labels.verify()
