"""Threshold: whether a value is above a bound."""

from __future__ import annotations

from ...core.layer import Layer
from ...kernels import piecewise
from .neuron import Neuron


class Threshold(Neuron):
    """y = 1 where x > threshold, else 0.

    Param     threshold_param.threshold (0).
    Shapes    bottom[0], top[0]: any, equal.  May run in place.
    Backward  has no gradient: a layer behind it that needs one is refused at construction.
    Source    Caffe's Threshold layer.
    Differs   Caffe aborts in the first backward pass.
    """

    type = "Threshold"
    kernels = piecewise
    backward_reads = frozenset()
    not_differentiable = Layer.ALL
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        self.threshold = self.param.threshold_param.threshold

    def forward(self, bottom, top):
        self.k.threshold_forward(bottom[0].data, top[0].data, self.threshold)

    def backward(self, top, propagate_down, bottom):
        pass  # force_backward runs it; there is nothing to pass down
