"""BN: BatchNorm and Scale as one, of two kinds."""

from __future__ import annotations

from ...kernels import activation, batch_norm, scale
from .bn_kinds import kind_of
from .normalizing import Normalizing


class BN(Normalizing):
    """y = a[c] * (x - mean[c]) / sqrt(variance[c] + eps) + b[c], of two kinds, each of several forks.

    SegNet's   mean and biased variance are those of the batch, in every phase, and eps is 1e-9; with bn_mode:
               INFERENCE y = a[c] * x + b[c], of weights that statistics were merged into.
    PSPNet's   those of the batch in TRAIN, which running ones then follow,
                   running = momentum * running + (1 - momentum) * batch;
               the running ones in TEST, and wherever the layer is frozen.

    Which it is tell the fields of bn_param that are set, and icnet: true, which means PSPNet's; where none
    is, it is PSPNet's if there are more than two param or blobs, else SegNet's.

    Param     bn_param.  SegNet's: scale_filler, shift_filler (of a and b: constant 1 and 0); bn_mode (LEARN).
              PSPNet's: slope_filler, bias_filler (likewise); momentum (0.9); eps (1e-5); frozen (false):
              nothing is learned.  engine is read and means nothing here.
    Params    a, b; of PSPNet's also the running mean (0) and variance (0, or 1 if frozen), which are not
              trained, whatever lr_mult says.  All are (1, channels, 1, 1).
    Shapes    bottom[0], top[0]: (n, channels, ...), equal; top[1] and top[2], of SegNet's LEARN alone: the
              batch's mean and variance (1, channels, 1, 1).  May run in place: it then keeps a copy of x
              where the gradient needs it.
    Backward  that of BatchNorm and Scale; dx = dy * a / sqrt(variance + eps) where the moments do not depend
              on x.  Reads x, or nothing if PSPNet's is frozen.
    Source    BN of SegNet, ENet and DeconvNet; BN of PSPNet, yjxiong and happynear.
    Differs   parameter gradients add up, where SegNet's overwrites them and so loses passes of iter_size.
              The gradient of PSPNet's in TEST is that of what it computes there; the fork takes that of
              TRAIN.  The running variance follows the biased one, as with engine: CAFFE; cuDNN's is unbiased.
              An a or b without a filler starts at 1 or 0, where forks start both at 0.
    Raises    ShapeError for a bottom of one axis.
    """

    type = "BN"
    tops = (1, 3)
    detached_tops = frozenset({1, 2})

    def setup(self, bottom, top):
        self.kind = kind = kind_of(self)
        self.require(
            len(top) == 1 or not (kind.fixed or kind.momentum is not None),
            f"this BN, of {kind.name}'s kind, has one top; got {len(top)}",
            hint="top 1 and 2 are the moments of a batch, with bn_mode: LEARN",
        )
        if len(top) > 1:
            self.ends_in_relu = False
        self.prepare(bottom, top, kind.fixed, kind.eps, reads_x=kind.learns)
        self.operations = (*self.operations[:2], 2)
        self.neuron, self.scaling = self.device.bind(activation), self.device.bind(scale)
        for i, filler in enumerate(kind.fillers(self.param.bn_param)):
            self.add_param((1, bottom[0].shape[1], 1, 1), filler)
            if i > 1 or not kind.learns:
                self.leave_alone(i)

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        for blob in top[1:]:
            blob.reshape(1, self.g.channels, 1, 1)

    def running(self):
        means, variances = [blob.data for blob in self.params[2:]] or (self.zeros, self.ones)
        return means, variances, self.ones

    def accumulate(self, mean, variance):
        keep = self.kind.momentum
        if keep is not None:
            means, variances, _ = self.running()
            self.k.add_moments(mean, variance, means, variances, self.g, keep, 1 - keep, 1 - keep)

    def keeps_x(self):
        return super().keeps_x() and (not self.frozen or any(self.param_gradient))

    def factors(self, scale=None):
        return self.params[0].data, self.params[1].data

    def forward(self, bottom, top, scale=None, relu=False):
        super().forward(bottom, top)
        for blob, moment in zip(top[1:], (self.mean, self.variance)):
            self.device.copy(moment.data, blob.data)

    def backward(self, top, propagate_down, bottom, scale=None, relu=False):
        dy, dx, (a, b) = top[0].diff, bottom[0].diff, self.params[:2]
        learned = (int(self.kind.learns and wanted) for wanted in self.param_gradient[:2])
        wanted = batch_norm.Wanted(int(propagate_down[0]), *learned)
        if self.frozen and not (wanted.scale or wanted.bias):
            self._backward_alone(top[0].data, dy, dx, wanted.x)
            return
        slopes = (  # what is not wanted may be any array
            dx if wanted.x else dy,
            a.diff if wanted.scale else a.data,
            b.diff if wanted.bias else b.data,
        )
        given = self.x.data, self.mean.data, self.variance.data, a.data, b.data, dy
        self.k.batch_norm_backward(*given, *slopes, self.g, self.eps, int(self.relu), wanted)

    def _backward_alone(self, y, dy, dx, wanted: int) -> None:
        """dx, which depends on dy alone but for the signs of y."""
        if not wanted:
            return
        if self.relu:
            self.neuron.relu_backward(y, dy, dy, 0)
        factor, _ = self.folded()
        self.scaling.scale_forward(dy, factor, dx, scale.Extent(*self.g[:3]), 0)

    def read_by_backward(self, bottom, top, propagate_down, params):
        return super().read_by_backward(bottom, top, propagate_down, params) + self.params[0].count
