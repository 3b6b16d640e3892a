"""ELU: exponential linear unit."""

from __future__ import annotations

from ...kernels import activation
from .neuron import Neuron


class ELU(Neuron):
    """y = x where x > 0, alpha * (exp(x) - 1) elsewhere.

    Param     elu_param.alpha (1).
    Shapes    bottom[0], top[0]: any, equal.  May run in place unless alpha is below 0.
    Backward  dx = dy where x > 0, dy * (y + alpha) elsewhere; reads y, whose sign is that of x.
    Source    Caffe's ELU layer; Clevert, Unterthiner, Hochreiter 2016.
    Differs   an alpha below 0 is refused in place, where Caffe returns a wrong gradient.
    """

    type = "ELU"
    kernels = activation
    backward_reads = frozenset({"top.data"})
    keeps_sign = True
    operations = (1, 2, 0)

    def setup(self, bottom, top):
        self.alpha = self.param.elu_param.alpha
        if self.alpha < 0:  # y > 0 then no longer says that x > 0
            self.backward_reads = frozenset({"bottom.data", "top.data"})

    def forward(self, bottom, top):
        self.k.elu_forward(bottom[0].data, top[0].data, self.alpha)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            told = bottom[0].data if self.alpha < 0 else top[0].data
            self.k.elu_backward(told, top[0].data, top[0].diff, bottom[0].diff, self.alpha)
