"""L1Loss: sizes of differences."""

from __future__ import annotations

from ...errors import ShapeError
from ...kernels import centres
from ...kernels.partial_sums import chunks
from .measure import Loss


class L1Loss(Loss):
    """loss = sum of |x - t| / n; with l2_per_location sum over locations of sqrt(sum of (x - t)^2 + eps) / n.

    Two forks have a layer of this name.  With l1_loss_param it is FlowNet's, in which differences that are
    NaN count nothing; with one bottom that is the difference.

    Param     l1_loss_param: l2_per_location (false), the channels of a location together, then with epsilon
              (0.01) and l2_prescale_by_channels (false), sum over the channels / their number; plateau (0):
              |x - t|, or the root of the sum of squares, counts as 0 below it; normalize_by_num_entries
              (false): n is the number of differences that are no NaN, over the channels.
    Shapes    bottom[0] x: (n, ...), channels on axis 1; bottom[1] t: equal count; top[0]: ().
    Backward  dx = the sign of x - t, or (x - t) / root, times dloss / n, dt = -dx; 0 for NaN and below the
              plateau.  Reads nothing: forward saves the slope.
    Source    L1Loss of NVIDIA's Caffe, and of FlowNet 2's; Ilg et al. 2017.
    Differs   where x is t the gradient is 0; in FlowNet's it is that of x < t.
    Raises    ShapeError for bottoms that do not fit.
    """

    type = "L1Loss"
    bottoms = (1, 2)
    backward_reads = frozenset()
    not_differentiable = frozenset()
    operations = (2, 1, 0)

    def setup(self, bottom, top):
        self.flows = self.param.HasField("l1_loss_param")
        self.require(
            self.flows or len(bottom) == 2,
            "one bottom, the difference, is for l1_loss_param",
            hint="add l1_loss_param { }, or the target as bottom 1",
        )
        self.sizes = self.device.bind(centres)

    def reshape(self, bottom, top):
        super().reshape([*bottom, *bottom][:2], top)
        conf, x = self.param.l1_loss_param, bottom[0]
        if len(bottom) > 1:
            self.require_equal_counts(bottom)
        if len(x.shape) < 2 and conf.l2_per_location:
            raise ShapeError(f"l2_per_location is for a bottom with channels on axis 1; got {x.shape}")
        channels, inner = (x.shape[1], x.count_over(2)) if len(x.shape) > 1 else (1, 1)
        flags = len(bottom) - 1, self.flows, conf.l2_per_location, conf.normalize_by_num_entries
        self.g = centres.Locations(x.shape[0], channels, inner, *map(int, flags))
        self.allot(chunks(self.g.outer * self.g.inner))
        self.slope = self.saved(x.shape)
        share = 1 / max(1, channels) if conf.l2_prescale_by_channels else 1.0
        fixed = 0.0 if conf.normalize_by_num_entries else float(max(1, x.shape[0]))
        self.settings = share, conf.epsilon, conf.plateau, fixed

    def forward(self, bottom, top):
        x, t = bottom[0].data, bottom[-1].data
        self.sizes.l1_loss_forward(x, t, self.slope.data, *self.results(top[0]), self.g, *self.settings)

    def backward(self, top, propagate_down, bottom):
        for blob, wanted, sign in zip(bottom, propagate_down, (1, -1)):
            if wanted:
                self.k.loss_backward(self.slope.data, top[0].diff, self.outcome, blob.diff, sign, 0)
