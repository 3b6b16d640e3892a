"""Swish: a value times its own sigmoid."""

from __future__ import annotations

from ...kernels import activation
from .neuron import Neuron


class Swish(Neuron):
    """y = x * s, with s = 1 / (1 + exp(-beta * x)).

    Param     swish_param.beta (1), not learned.
    Shapes    bottom[0], top[0]: any, equal.  May run in place.
    Backward  dx = dy * (beta * y + s * (1 - beta * y)); reads y, and s, which it keeps.
    Source    Caffe's Swish layer; Ramachandran, Zoph, Le 2017.
    Differs   -inf gives 0 (for beta above 0), where Caffe gives NaN.
    """

    type = "Swish"
    kernels = activation
    backward_reads = frozenset({"top.data"})
    operations = (3, 3, 0)

    def setup(self, bottom, top):
        self.beta = self.param.swish_param.beta

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        self.sigmoid = self.saved(bottom[0].shape)

    def forward(self, bottom, top):
        self.k.swish_forward(bottom[0].data, top[0].data, self.sigmoid.data, self.beta)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.k.swish_backward(top[0].data, self.sigmoid.data, top[0].diff, bottom[0].diff, self.beta)
