"""BatchNorm: every channel to mean 0 and variance 1."""

from __future__ import annotations

from ...kernels import activation, batch_norm
from ...proto.schema import TEST, TRAIN, FillerParameter, Message
from ..linear.scale import Scale
from .normalizing import Normalizing
from .scaled_batch_norm import ScaledBatchNorm


class BatchNorm(Normalizing):
    """y = (x - mean[c]) / sqrt(variance[c] + eps).

    Of the batch: mean and biased variance of channel c over batch and space; they are added to running sums,
        factor = m factor + 1,  means = m means + mean,  variances = m variances + variance k / (k - 1)
    for k elements per channel (k / (k - 1) is left out for k = 1).  With use_global_stats: means / factor and
    variances / factor, or 0 if factor is 0.

    Param     batch_norm_param: use_global_stats (true in TEST, false in TRAIN); moving_average_fraction m
              (0.999); eps (1e-5); update_global_stats, of forks: with it the running sums follow batches in
              TRAIN alone, and with false they never do.
    Params    means (C), variances (C), factor (1), from 0: not trained, whatever lr_mult says.
    Shapes    bottom[0], top[0]: (n, C, ...), equal.  May run in place: it then keeps a copy of x.
    Backward  dx = (dy - mean of dy - y * mean of dy * y) / sqrt(variance[c] + eps), means over the channel;
              dx = dy / sqrt(variance[c] + eps) with use_global_stats.  Reads x, or nothing then.
    Source    Caffe's BatchNorm layer; Ioffe & Szegedy 2015.  Scale and shift are Scale's business.
              update_global_stats is of PSPNet's Caffe and of Synopsys'.
    Differs   an lr_mult other than 0 counts as 0, where Caffe aborts unless all three are given; the layer
              alone makes no layer behind it need a gradient.  update_global_stats: true with use_global_stats
              in TRAIN is refused: PSPNet's takes the variance of the batch then, Synopsys' that of all.
    Raises    ShapeError for a bottom of one axis.
    """

    type = "BatchNorm"
    fork_fields = frozenset({"batch_norm_param.update_global_stats"})

    def setup(self, bottom, top):
        conf = self.param.batch_norm_param
        of_all = conf.use_global_stats if conf.HasField("use_global_stats") else self.phase == TEST
        self.keep, self.follows = conf.moving_average_fraction, self._follows(conf, of_all)
        self.prepare(bottom, top, of_all, conf.eps, reads_x=not of_all)
        channels = bottom[0].shape[1]
        for i, shape in enumerate([(channels,), (channels,), (1,)]):
            self.add_param(shape, FillerParameter(type="constant", value=0))
            self.leave_alone(i)

    def absorb(self, behind, backward):
        keeps_x = not (self.in_place and self.frozen)
        return ScaledBatchNorm(self, behind) if self.takes(behind) and (keeps_x or not backward) else None

    def takes(self, behind):
        """A Scale with a parameter for every channel."""
        return isinstance(behind, Scale) and behind.own and tuple(behind.g) == self.g[:3]

    def running(self):
        means, variances, factor = (blob.data for blob in self.params)
        return means, variances, factor

    def _follows(self, conf: Message, of_all: bool) -> bool:
        """Whether the running sums follow the moments of batches."""
        if not conf.HasField("update_global_stats"):
            return True
        follows = conf.update_global_stats and self.phase == TRAIN
        self.require(
            not (follows and of_all),
            "update_global_stats: true with use_global_stats: true has two meanings in forks of Caffe",
            hint="remove one: the moments of all batches are used, or follow those of each",
        )
        return follows

    def accumulate(self, mean, variance):
        if not self.follows:
            return
        means, variances, factor = self.running()
        self.k.add_moments(mean, variance, means, variances, self.g, self.keep, 1, self.unbias)
        self.k.add_factor(factor, self.keep)

    def factors(self, scale=None):
        if scale is None:
            return self.ones, self.zeros
        return scale.params[0].data, scale.bias.data if scale.bias else self.zeros

    def backward(self, top, propagate_down, bottom, scale: Scale | None = None, relu: bool = False):
        """Also that of what forward did beside."""
        dy, dx = top[0].diff, bottom[0].diff
        learns = scale.param_gradient if scale else []
        wanted = batch_norm.Wanted(int(propagate_down[0]), int(any(learns[:1])), int(any(learns[1:])))
        if not any(wanted):
            return
        if self.frozen and scale is None:
            if self.relu:
                self.device.bind(activation).relu_backward(top[0].data, dy, dy, 0)
            self.k.normalize_backward(self.variance.data, dy, dx, self.g, self.eps)
            return
        factor, summand = self.factors(scale)
        given = self.x.data, self.mean.data, self.variance.data, factor, summand, dy
        slopes = (  # what is not wanted may be any array
            dx if wanted.x else dy,
            scale.params[0].diff if scale and wanted.scale else factor,
            scale.bias.diff if scale and wanted.bias else summand,
        )
        self.k.batch_norm_backward(*given, *slopes, self.g, self.eps, int(relu or self.relu), wanted)
