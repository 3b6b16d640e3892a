"""MVN: every channel of every image to mean 0 and standard deviation 1."""

from __future__ import annotations

import math

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import mvn


class MVN(Layer):
    """y = (x - mean) / (sqrt(variance) + eps): mean and biased variance of each channel of each image.

    Param     mvn_param: normalize_variance (true; false: y = x - mean); across_channels (false; true: of
              each image); eps (1e-9).
    Shapes    bottom[0] of up to four axes (n, c, h, w), missing ones 1; top[0] (n, c, h, w), always four
              axes.  May run in place if bottom[0] has four.
    Backward  dx = (dy - mean of dy - y * mean of dy * y) / (sqrt(variance) + eps); dx = dy - mean of dy
              without variance.  Reads y, or nothing then.
    Source    Caffe's MVN layer.
    Differs   the gradient is right in place too.  As in Caffe it is exact for eps = 0 alone: the derivative
              of y has the last term (std + eps) / std times, which only an eps far above the default shows.
    """

    type = "MVN"
    kernels = mvn
    backward_reads = frozenset({"top.data"})
    in_place_ok = True
    operations = (4, 5, 0)

    def setup(self, bottom, top):
        conf = self.param.mvn_param
        self.scaled, self.across, self.eps = conf.normalize_variance, conf.across_channels, conf.eps
        self.require(self.eps >= 0, f"mvn_param.eps must be at least 0; got {self.eps:g}")
        if not self.scaled:
            self.backward_reads = frozenset()

    def reshape(self, bottom, top):
        shape = bottom[0].shape
        if len(shape) > 4:
            raise ShapeError(f"bottom 0 must have at most 4 axes (n, c, h, w); got {shape}")
        if top[0] is bottom[0] and len(shape) < 4:
            raise ShapeError(
                f"in place bottom 0 must have 4 axes, as the top does; got {shape}",
                hint="give the top another name",
            )
        shape += (1,) * (4 - len(shape))
        if top[0] is not bottom[0]:
            top[0].reshape(*shape)
        rows = shape[0] if self.across else shape[0] * shape[1]
        self.g = mvn.Normal(rows, math.prod(shape[1 if self.across else 2 :]), int(self.scaled))
        self.deviation = self.saved((rows,))

    def forward(self, bottom, top):
        self.k.mvn_forward(bottom[0].data, top[0].data, self.deviation.data, self.g, self.eps)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.k.mvn_backward(top[0].data, self.deviation.data, top[0].diff, bottom[0].diff, self.g)
