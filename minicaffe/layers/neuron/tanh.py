"""TanH: hyperbolic tangent."""

from __future__ import annotations

from ...kernels import activation
from .neuron import Neuron


class TanH(Neuron):
    """y = tanh(x).

    Param     tanh_param.engine is read and means nothing here.
    Shapes    bottom[0], top[0]: any, equal.  May run in place.
    Backward  dx = dy * (1 - y^2); reads y only.
    Source    Caffe's TanH layer.
    """

    type = "TanH"
    kernels = activation
    backward_reads = frozenset({"top.data"})
    keeps_sign = True
    operations = (1, 2, 0)

    def forward(self, bottom, top):
        self.k.tanh_forward(bottom[0].data, top[0].data)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.k.tanh_backward(top[0].data, top[0].diff, bottom[0].diff)
