"""Clip: values limited to a range."""

from __future__ import annotations

from ...kernels import piecewise
from .neuron import Neuron


class Clip(Neuron):
    """y = min(max(x, low), high).

    Param     clip_param: min (low) and max (high), both required.
    Shapes    bottom[0], top[0]: any, equal.
    Backward  dx = dy where low <= x <= high, else 0; reads x.
    Source    Caffe's Clip layer.
    Differs   refused in place where a gradient is needed, where Caffe's clipped elements pass theirs on.  A
              min above max is refused.  NaN stays NaN, which Caffe turns into a limit.
    """

    type = "Clip"
    kernels = piecewise
    backward_reads = frozenset({"bottom.data"})
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        conf = self.param.clip_param
        for name in ("min", "max"):
            self.require(conf.HasField(name), f"clip_param.{name} must be set")
        self.range = conf.min, conf.max
        self.require(
            conf.min <= conf.max, f"clip_param.min ({conf.min:g}) is above clip_param.max ({conf.max:g})"
        )

    def forward(self, bottom, top):
        self.k.clip_forward(bottom[0].data, top[0].data, *self.range)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.k.clip_backward(bottom[0].data, top[0].diff, bottom[0].diff, *self.range)
