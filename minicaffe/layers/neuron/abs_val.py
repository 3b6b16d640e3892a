"""AbsVal: the absolute value."""

from __future__ import annotations

from ...kernels import piecewise
from .neuron import Neuron


class AbsVal(Neuron):
    """y = |x|.

    Shapes    bottom[0], top[0]: any, equal.
    Backward  dx = dy * sign(x), 0 at x = 0; reads x.
    Source    Caffe's AbsVal layer.
    Differs   in place it runs where no gradient is needed; Caffe always aborts.
    """

    type = "AbsVal"
    kernels = piecewise
    backward_reads = frozenset({"bottom.data"})
    operations = (0, 0, 0)

    def forward(self, bottom, top):
        self.k.abs_forward(bottom[0].data, top[0].data)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.k.abs_backward(bottom[0].data, top[0].diff, bottom[0].diff)
