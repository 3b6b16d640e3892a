"""Log: the logarithm of a linear function."""

from __future__ import annotations

import math

from ...kernels import exponential
from .neuron import Neuron


class Log(Neuron):
    """y = log(shift + scale * x) in any base.

    Param     log_param: base (-1, which means e), scale (1), shift (0).
    Shapes    bottom[0], top[0]: any, equal.
    Backward  dx = dy * scale / (ln(base) * (shift + scale * x)); reads x.
    Source    Caffe's Log layer.
    Differs   refused in place where a gradient is needed, where Caffe returns a wrong one.
    Raises    ConfigError for a base that is 1, or neither -1 nor above 0.
    """

    type = "Log"
    kernels = exponential
    backward_reads = frozenset({"bottom.data"})
    operations = (2, 3, 0)

    def setup(self, bottom, top):
        conf = self.param.log_param
        self.require(
            conf.base == -1 or (conf.base > 0 and conf.base != 1),
            f"log_param.base must be above 0 and not 1, or -1 for e; got {conf.base:g}",
        )
        self.line = conf.scale, conf.shift, 1.0 if conf.base == -1 else 1 / math.log(conf.base)

    def forward(self, bottom, top):
        self.k.log_forward(bottom[0].data, top[0].data, *self.line)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.k.log_backward(bottom[0].data, top[0].diff, bottom[0].diff, *self.line)
