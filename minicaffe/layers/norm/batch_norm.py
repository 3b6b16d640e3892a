"""BatchNorm: every channel to mean 0 and variance 1."""

from __future__ import annotations

from typing import Any

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import activation, batch_norm
from ...proto.schema import TEST, FillerParameter
from ..linear.scale import Scale
from .scaled_batch_norm import ScaledBatchNorm


class BatchNorm(Layer):
    """y = (x - mean[c]) / sqrt(variance[c] + eps).

    Of the batch: mean and biased variance of channel c over batch and space; they are added to running sums,
        factor = m factor + 1,  means = m means + mean,  variances = m variances + variance k / (k - 1)
    for k elements per channel (k / (k - 1) is left out for k = 1).  With use_global_stats: means / factor and
    variances / factor, or 0 if factor is 0.

    Param     batch_norm_param: use_global_stats (true in TEST, false in TRAIN); moving_average_fraction m
              (0.999); eps (1e-5).
    Params    means (C), variances (C), factor (1), from 0: not trained, whatever lr_mult says.
    Shapes    bottom[0], top[0]: (n, C, ...), equal.  May run in place: it then keeps a copy of x.
    Backward  dx = (dy - mean of dy - y * mean of dy * y) / sqrt(variance[c] + eps), means over the channel;
              dx = dy / sqrt(variance[c] + eps) with use_global_stats.  Reads x, or nothing then.
    Source    Caffe's BatchNorm layer; Ioffe & Szegedy 2015.  Scale and shift are Scale's business.
    Differs   an lr_mult other than 0 counts as 0, where Caffe aborts unless all three are given; the layer
              alone makes no layer behind it need a gradient.
    Raises    ShapeError for a bottom of one axis.
    """

    type = "BatchNorm"
    carries = True
    has_params = True
    kernels = batch_norm
    backward_reads = frozenset({"bottom.data"})
    in_place_ok = True
    ends_in_relu = True

    def setup(self, bottom, top):
        conf = self.param.batch_norm_param
        self._check(bottom[0])
        self.frozen = conf.use_global_stats if conf.HasField("use_global_stats") else self.phase == TEST
        self.keep, self.eps = conf.moving_average_fraction, conf.eps
        self.operations = (2, 1, 0) if self.frozen else (4, 6, 0)
        self.in_place = top[0] is bottom[0]
        if self.in_place or self.frozen:
            self.backward_reads = frozenset()
        channels = bottom[0].shape[1]
        if self.allocate:
            self.ones, self.zeros, a, b = (self.device.zeros((channels,)) for _ in range(4))
            self.fold = a, b
            self.device.fill(self.ones, 1)
        for i, shape in enumerate([(channels,), (channels,), (1,)]):
            self.add_param(shape, FillerParameter(type="constant", value=0))
            spec = self.param.param[i] if i < len(self.param.param) else self.param.param.add()
            spec.lr_mult = spec.decay_mult = 0

    def reshape(self, bottom, top):
        self._check(bottom[0])
        x = bottom[0]
        if (x.shape[1],) != self.params[0].shape:
            raise ShapeError(
                f"bottom 0 has {x.shape[1]} channels; the statistics are of {self.params[0].count}"
            )
        if not self.in_place:
            top[0].reshape_like(x)
        self.g = batch_norm.Channels(x.shape[0], x.shape[1], x.count_over(2), int(self.frozen))
        count = self.g.n * self.g.inner
        self.unbias = count / (count - 1) if count > 1 else 1.0
        self.mean, self.variance = self.saved((x.shape[1],)), self.saved((x.shape[1],))
        self.x = self.saved(x.shape) if self.in_place and not self.frozen else x

    def absorb(self, behind, backward):
        keeps_x = not (self.in_place and self.frozen)
        return ScaledBatchNorm(self, behind) if self.takes(behind) and (keeps_x or not backward) else None

    def takes(self, behind: Layer) -> bool:
        """Whether a layer that reads this one's top is a Scale with a parameter for every channel."""
        return isinstance(behind, Scale) and behind.own and tuple(behind.g) == self.g[:3]

    def folded(self, scale: Scale | None = None, bias: Any = None) -> tuple[Any, Any]:
        """With use_global_stats: arrays a and b (C), a x + b being what this layer and `scale` behind it make
        of x + bias, the bias of a layer in front.  Computed anew by every call, into the same arrays."""
        statistics, before = (blob.data for blob in self.params), self.zeros if bias is None else bias
        self.k.fold(before, *statistics, *self._factors(scale), *self.fold, self.g, self.eps)
        return self.fold

    def _factors(self, scale: Scale | None) -> tuple[Any, Any]:
        """What `scale` multiplies by and adds."""
        if scale is None:
            return self.ones, self.zeros
        return scale.params[0].data, scale.bias.data if scale.bias else self.zeros

    def forward(self, bottom, top, scale: Scale | None = None, relu: bool = False):
        """Also that of a Scale behind this layer and, with `relu`, of a ReLU behind both."""
        mean, variance = self.mean.data, self.variance.data
        means, variances, factor = (blob.data for blob in self.params)
        if self.in_place and not self.frozen:
            self.device.copy(bottom[0].data, self.x.data)
        if self.frozen:
            self.k.running_moments(means, variances, factor, mean, variance, self.g)
        else:
            self.k.channel_moments(bottom[0].data, mean, variance, self.g)
            self.k.add_moments(mean, variance, means, variances, self.g, self.keep, self.unbias)
            self.k.add_factor(factor, self.keep)
        given = bottom[0].data, mean, variance, *self._factors(scale)
        self.k.batch_norm_forward(*given, top[0].data, self.g, self.eps, int(relu or self.relu))

    def backward(self, top, propagate_down, bottom, scale: Scale | None = None, relu: bool = False):
        """The same of `backward`."""
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
        factor, summand = self._factors(scale)
        given = self.x.data, self.mean.data, self.variance.data, factor, summand, dy
        slopes = (  # what is not wanted may be any array
            dx if wanted.x else dy,
            scale.params[0].diff if scale and wanted.scale else factor,
            scale.bias.diff if scale and wanted.bias else summand,
        )
        self.k.batch_norm_backward(*given, *slopes, self.g, self.eps, int(relu or self.relu), wanted)

    def _check(self, bottom) -> None:
        if len(bottom.shape) < 2:
            raise ShapeError(f"bottom 0 must have a channel axis; its shape is {bottom.shape}")
