"""MultinomialLogisticLoss: the cross entropy of probabilities and labels."""

from __future__ import annotations

from ...kernels import likelihood
from .labels import ItemLoss


class MultinomialLogisticLoss(ItemLoss):
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
    operations = (1, 1, 0)

    def setup(self, bottom, top):
        super().setup(bottom, top)
        self.likelihood = self.device.bind(likelihood)

    def forward(self, bottom, top):
        p, labels, results = bottom[0].data, bottom[1].data, self.results(top[0])
        self.likelihood.multinomial_loss_forward(
            p, labels, self.slope.data, *results, self.g, self.fixed_divisor(self.g)
        )
