"""HashingLoss: codes near -1 and 1, equal for items that are alike (deep supervised hashing)."""

from __future__ import annotations

from ...errors import ShapeError
from ...kernels import centres
from ...kernels.partial_sums import chunks
from .measure import Loss


class HashingLoss(Loss):
    """loss = sum over pairs of d^2, or max(m - d^2, 0), over n (n - 1), + t sum of ||x| - 1| / n.

    d = |x_i - x_j|.  The first is for items that are alike: whose labels are equal, or, where items have
    several, whose product is above 0 (a 1 for every class that an item is of).

    Param     hashing_loss_param: bi_margin (1), m; tradeoff (0.01), t.
    Shapes    bottom[0] x: (n, ...); bottom[1]: as many labels for each of the n items, cut to whole numbers
              where there is one; top[0]: ().
    Backward  dx_i = (sum over j of s (x_i - x_j) / (n (n - 1)) + t / n sign) dloss, with s = 1 for items that
              are alike, -1 for others within the margin: half of what the pairs' derivative is.  Reads
              nothing: forward saves the slope.
    Source    HashingLoss of DSH's Caffe; Liu, Wang, Shan & Chen 2016.
    Differs   the gradient is that of this pass; the fork's forward computes it with the loss weight that the
              top's diff holds by then.
    Raises    ShapeError where items have not as many labels each.
    """

    type = "HashingLoss"
    backward_reads = frozenset()

    def setup(self, bottom, top):
        self.codes = self.device.bind(centres)

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        count, labels = bottom[0].shape[0], bottom[1]
        if labels.count == 0 or labels.count % max(1, count):
            raise ShapeError(
                f"bottom 1 must have as many labels for each of {count} items; got {labels.shape}"
            )
        self.g = centres.Codes(count, bottom[0].count_over(1), labels.count // max(1, count))
        self.allot(chunks(count))
        self.slope = self.saved(bottom[0].shape)

    def forward(self, bottom, top):
        conf = self.param.hashing_loss_param
        given = bottom[0].data, bottom[1].data, self.slope.data
        settings = conf.bi_margin, conf.tradeoff, 1.0
        self.codes.hashing_loss_forward(*given, *self.results(top[0]), self.g, *settings)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.k.loss_backward(self.slope.data, top[0].diff, self.outcome, bottom[0].diff, 1, 0)

    def forward_operations(self, bottom, top):
        """Every pair of items from either side, distance and slope."""
        return 4 * bottom[0].count * self.g.count

    def backward_operations(self, bottom, top, propagate_down, params):
        return bottom[0].count * propagate_down[0]
