"""ReLU: rectified linear unit."""

from __future__ import annotations

from ...kernels import activation
from .neuron import Neuron


class ReLU(Neuron):
    """y = x where x > 0, negative_slope * x elsewhere.

    Param     relu_param.negative_slope (default 0); engine is read and means nothing here.
    Shapes    bottom[0], top[0]: any, equal.  May run in place.
    Backward  dx = dy * (1 if y > 0 else negative_slope); reads the sign of y only, which is that of x.
    Source    Caffe's ReLU layer; Nair & Hinton 2010.
    Differs   a negative_slope below 0 is refused in place, where Caffe returns a wrong gradient; -inf gives 0
              with slope 0, where Caffe gives NaN.
    """

    type = "ReLU"
    operations = (0, 0, 0)
    kernels = activation
    backward_reads = frozenset({"top.sign"})
    keeps_sign = True

    def setup(self, bottom, top):
        self.slope = self.param.relu_param.negative_slope
        if self.slope < 0:  # y > 0 then no longer says that x > 0
            self.backward_reads = frozenset({"bottom.data"})
        self.rectifies = self.slope == 0
        if self.slope:
            self.operations = (1, 1, 0)

    def forward(self, bottom, top):
        self.k.relu_forward(bottom[0].data, top[0].data, self.slope)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            told = bottom[0].data if self.slope < 0 else top[0].data
            self.k.relu_backward(told, top[0].diff, bottom[0].diff, self.slope)
