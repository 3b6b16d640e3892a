"""Exp: a base to the power of a linear function."""

from __future__ import annotations

import math

import numpy as np

from ...kernels import exponential
from .neuron import Neuron


class Exp(Neuron):
    """y = base^(shift + scale * x).

    Param     exp_param: base (-1, which means e), scale (1), shift (0).
    Shapes    bottom[0], top[0]: any, equal.  May run in place.
    Backward  dx = dy * y * scale * ln(base); reads y.
    Source    Caffe's Exp layer.
    Raises    ConfigError for a base that is neither -1 nor above 0, and for a base^shift too large to hold.
    """

    type = "Exp"
    kernels = exponential
    backward_reads = frozenset({"top.data"})
    operations = (2, 2, 0)

    def setup(self, bottom, top):
        conf = self.param.exp_param
        self.require(
            conf.base == -1 or conf.base > 0,
            f"exp_param.base must be above 0, or -1 for e; got {conf.base:g}",
        )
        log_base = 1.0 if conf.base == -1 else math.log(conf.base)
        self.inner, exponent = conf.scale * log_base, conf.shift * log_base
        self.require(
            math.isfinite(self.inner) and exponent < math.log(np.finfo(self.device.dtype).max),
            f"exp_param: base ^ shift is too large a number (base {conf.base:g}, shift {conf.shift:g},"
            f" scale {conf.scale:g})",
        )
        self.outer = math.exp(exponent)

    def forward(self, bottom, top):
        self.k.exp_forward(bottom[0].data, top[0].data, self.inner, self.outer)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.k.exp_backward(top[0].data, top[0].diff, bottom[0].diff, self.inner)
