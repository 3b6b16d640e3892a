"""SigmoidCrossEntropyBalanceLoss: yes-or-no scores, where the rare answer weighs more."""

from __future__ import annotations

from ...kernels.loss import Labels
from ...kernels.partial_sums import chunks
from .measure import NormalizedLoss


class SigmoidCrossEntropyBalanceLoss(NormalizedLoss):
    """loss = -sum of w (t log s + (1 - t) log(1 - s)) / n, s = sigmoid(x), over elements whose t is 0 or 1.

    In an image with P ones and M zeros among its targets, w is M / (P + M) for a one, and P / (P + M) for a
    zero: so both count alike, however few there are of one.

    Shapes    bottom[0]: scores (n, ...); bottom[1]: targets, as many with the same n; top[0]: ().
    Backward  dx = w (s - t) * dloss / n; w is 1 there for a t that is neither 0 nor 1.  Reads nothing.
    Source    SigmoidCrossEntropyBalanceLoss of HED and OSVOS; Xie & Tu 2015.
    Differs   as in the forks, targets other than 0 and 1 have a gradient, though they do not count in the
              loss.  loss_param is read and means nothing, as there.
    Raises    ShapeError for another number of targets.
    """

    type = "SigmoidCrossEntropyBalanceLoss"
    backward_reads = frozenset()
    operations = (4, 1, 0)

    def setup(self, bottom, top):
        self.normalization = "BATCH_SIZE"  # whatever loss_param says

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        self.require_equal_counts(bottom, hint="every score has a target, 0 or 1")
        self.g = Labels(bottom[0].shape[0], 1, bottom[0].count_over(1), 0, 0)
        self.allot(chunks(self.g.positions))
        self.slope, self.shares = self.saved(bottom[0].shape), self.saved((self.g.outer,))

    def forward(self, bottom, top):
        x, t, shares = bottom[0].data, bottom[1].data, self.shares.data
        self.k.balance(t, shares, self.g)
        results = *self.results(top[0]), self.g, self.fixed_divisor(self.g)
        self.k.balanced_loss_forward(x, t, shares, self.slope.data, *results)
