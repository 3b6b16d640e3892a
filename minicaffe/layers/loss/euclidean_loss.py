"""EuclideanLoss: half the mean squared distance."""

from __future__ import annotations

from ...kernels.partial_sums import chunks
from .measure import Loss


class EuclideanLoss(Loss):
    """loss = sum of (a - b)^2 / (2 n).

    Shapes    bottom[0] a: (n, ...); bottom[1] b: as many elements with the same n; top[0]: ().
    Backward  da = (a - b) * dloss / n, db = -da; reads nothing: forward saves a - b.
    Source    Caffe's EuclideanLoss layer.
    """

    type = "EuclideanLoss"
    backward_reads = frozenset()
    not_differentiable = frozenset()
    operations = (2, 1, 0)

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        self.require_equal_counts(bottom)
        self.count = bottom[0].count
        self.allot(chunks(self.count))
        self.slope = self.saved(bottom[0].shape)

    def forward(self, bottom, top):
        self.k.euclidean_loss_forward(
            bottom[0].data, bottom[1].data, self.slope.data, *self.results(top[0]),
            self.count, max(1, bottom[0].shape[0]),
        )  # fmt: skip

    def backward(self, top, propagate_down, bottom):
        for blob, wanted, sign in zip(bottom, propagate_down, (1, -1)):
            if wanted:
                self.k.loss_backward(self.slope.data, top[0].diff, self.outcome, blob.diff, sign, 0)
