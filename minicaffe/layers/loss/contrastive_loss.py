"""ContrastiveLoss: pairs of the same kind together, others a margin apart."""

from __future__ import annotations

from ...errors import DataError, ShapeError
from ...kernels import margin
from ...kernels.partial_sums import chunks
from .measure import Loss


class ContrastiveLoss(Loss):
    """loss = sum over pairs of d^2 / (2 n) or, if they are of different kinds, max(0, margin - d)^2 / (2 n).

    d = |a - b|; a pair is of one kind where s is not 0.  legacy_version: max(0, margin - d^2) / (2 n).

    Param     contrastive_loss_param: margin (1), legacy_version (false).
    Shapes    bottom[0] a and bottom[1] b: (n, ...), equal; bottom[2] s: n values, cut to whole numbers;
              top[0]: ().
    Backward  da = (a - b) f dloss / n with f = 1 for a pair that is the same, else -max(0, margin - d) / (d +
              1e-4), legacy -[margin > d^2]; db = -da.  Reads nothing: forward saves the slope.
    Source    Caffe's ContrastiveLoss layer; Hadsell, Chopra & LeCun 2006.
    Differs   the batch may grow after setup.  The 1e-4 is Caffe's, and makes the gradient of pairs that are
              not the same inexact by a factor d / (d + 1e-4).  Any axes behind the first are allowed; Caffe
              takes channels only.  An s that is NaN or infinite is an error; Caffe makes some integer of it.
    Raises    ShapeError for a wrong number of s, DataError for one that is no number.
    """

    type = "ContrastiveLoss"
    bottoms = 3
    not_differentiable = frozenset({2})
    backward_reads = frozenset()
    operations = (2, 1, 0)

    def setup(self, bottom, top):
        self.margin = self.device.bind(margin)

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        self.require_equal_counts(bottom)
        a, same = bottom[0], bottom[2]
        if same.count != a.shape[0]:
            raise ShapeError(
                f"bottom 2 must say of {a.shape[0]} pairs whether they are the same; got {same.shape}"
            )
        self.g = margin.Pairs(
            a.shape[0], a.count_over(1), int(self.param.contrastive_loss_param.legacy_version)
        )
        self.allot(chunks(self.g.count))
        self.slope, self.kinds = self.saved(a.shape), same.shape

    def forward(self, bottom, top):
        a, b, same = (blob.data for blob in bottom)
        self.margin.contrastive_loss_forward(
            a, b, same, self.slope.data, *self.results(top[0]), self.g,
            self.param.contrastive_loss_param.margin, max(1, self.g.count),
        )  # fmt: skip

    def backward(self, top, propagate_down, bottom):
        for blob, wanted, sign in zip(bottom, propagate_down, (1, -1)):
            if wanted:
                self.k.loss_backward(self.slope.data, top[0].diff, self.outcome, blob.diff, sign, 0)

    def verify(self):
        bad = self.noted.take(self.kinds)
        if bad is not None:
            raise DataError(
                f"{bad[0]:.9g} at {bad[1]} of bottom 2 does not say whether a pair is the same",
                hint="0 stands for pairs of different kinds, 1 for the same: look at what fills bottom 2",
            )
