"""SigmoidCrossEntropyLoss: the cross entropy of independent yes-or-no scores and targets."""

from __future__ import annotations

from ...kernels.loss import Labels
from ...kernels.partial_sums import chunks
from .labels import ignored
from .measure import NormalizedLoss


class SigmoidCrossEntropyLoss(NormalizedLoss):
    """loss = -sum of (t log s + (1 - t) log(1 - s)) / Z, s = sigmoid(x), every element a position.

    Param     loss_param: normalization (BATCH_SIZE, the extent of axis 0), which chooses Z
              (layers/loss/measure.py); normalize, its old form; ignore_label (none): elements whose target,
              cut to a whole number, is this count for nothing; ignore_label 0 so covers soft targets below 1.
    Shapes    bottom[0]: scores (n, ...); bottom[1]: targets from 0 to 1, as many with the same n; top[0]: ().
    Backward  dx = (s - t) * dloss / Z, 0 where ignored; reads nothing: forward saves s - t.
    Source    Caffe's SigmoidCrossEntropyLoss layer.
    """

    type = "SigmoidCrossEntropyLoss"
    backward_reads = frozenset()
    normalization = "BATCH_SIZE"
    operations = (3, 1, 0)

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        self.require_equal_counts(
            bottom, hint="every score has a target; for class numbers use SoftmaxWithLoss"
        )
        ignore = ignored(self.param.loss_param)
        self.g = Labels(bottom[0].shape[0], 1, bottom[0].count_over(1), *ignore)
        self.allot(chunks(self.g.positions))
        self.slope = self.saved(bottom[0].shape)

    def forward(self, bottom, top):
        self.k.sigmoid_loss_forward(
            bottom[0].data, bottom[1].data, self.slope.data, *self.results(top[0]),
            self.g, self.fixed_divisor(self.g),
        )  # fmt: skip
