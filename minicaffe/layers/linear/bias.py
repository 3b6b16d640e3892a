"""Bias: a summand that is repeated over the other axes."""

from __future__ import annotations

from ...kernels import scale
from .broadcast import Broadcast


class Bias(Broadcast):
    """y = x + b, b repeated over the axes that it does not have.

    Param     bias_param: axis (1), the first axis of x that b has; num_axes (1), how many, -1 for all that
              follow, 0 for a single number; filler (constant 0).
    Params    b, unless it is bottom 1, whose shape then counts instead of num_axes.
    Shapes    bottom[0], top[0]: any, equal; bottom[1]: a run of axes of bottom[0].  May run in place.
    Backward  dx = dy; db = sum of dy over the other axes; reads nothing.
    Source    Caffe's Bias layer.
    Raises    ShapeError for an operand that does not fit.
    """

    type = "Bias"
    kernels = scale
    operations = (1, 0, 1)

    def setup(self, bottom, top):
        self.take_operand(bottom, top, self.param.bias_param, neutral=0)
        self.backward_reads = frozenset()

    def forward(self, bottom, top):
        self.k.bias_forward(bottom[0].data, self.operand(bottom).data, top[0].data, self.g, int(self.relu))

    def backward(self, top, propagate_down, bottom):
        wanted = propagate_down[1] if len(bottom) == 2 else self.param_gradient[0]
        self.begin_backward(top, self.operand(bottom).diff if wanted else None, len(bottom) == 1)
        if propagate_down[0] and not self.in_place:
            self.device.copy(top[0].diff, bottom[0].diff)

    def backward_operations(self, bottom, top, propagate_down, params):
        return bottom[0].count * (sum(propagate_down[1:]) + sum(params))
