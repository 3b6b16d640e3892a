"""Scale: a factor that is repeated over the other axes, and a summand with it if asked for."""

from __future__ import annotations

from ...kernels import scale
from .broadcast import Broadcast


class Scale(Broadcast):
    """y = x * s (+ b), s and b repeated over the axes that they do not have.

    Param     scale_param: axis (1), the first axis of x that s has; num_axes (1), how many, -1 for all that
              follow, 0 for a single number; filler (constant 1); bias_term (false), bias_filler (constant 0).
    Params    s, unless it is bottom 1, whose shape then counts instead of num_axes; then b, if asked for.
    Shapes    bottom[0], top[0]: any, equal; bottom[1]: a run of axes of bottom[0].  May run in place: it then
              keeps copies of x and s.
    Backward  dx = dy * s; ds = sum of dy * x and db = sum of dy over the other axes; reads x and s.
    Source    Caffe's Scale layer.
    Differs   parameter gradients always add up, where Caffe overwrites them for a batch of one and so loses
              passes of iter_size.
    Raises    ShapeError for an operand that does not fit.
    """

    type = "Scale"
    operations = (1, 1, 1)
    kernels = scale

    def setup(self, bottom, top):
        conf = self.param.scale_param
        self.take_operand(bottom, top, conf, neutral=1)
        if conf.bias_term:
            self.add_param(self.operand_shape(bottom), conf.bias_filler)
        self.bias = self.params[-1] if conf.bias_term else None

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        self.x, self.s = bottom[0], self.operand(bottom)
        if self.in_place:
            self.x = self.saved(bottom[0].shape)
            if len(bottom) == 2:
                self.s = self.saved(bottom[1].shape)

    def forward(self, bottom, top):
        if self.in_place:
            self.device.copy(bottom[0].data, self.x.data)
            if len(bottom) == 2:
                self.device.copy(bottom[1].data, self.s.data)
        x, s, y, relu = bottom[0].data, self.operand(bottom).data, top[0].data, int(self.relu)
        if self.bias:
            self.k.scale_bias_forward(x, s, self.bias.data, y, self.g, relu)
        else:
            self.k.scale_forward(x, s, y, self.g, relu)

    def backward(self, top, propagate_down, bottom):
        dy = top[0].diff
        self.begin_backward(top, self.bias.diff if self.bias and self.param_gradient[-1] else None, True)
        if len(bottom) == 2:
            if propagate_down[1]:
                self.k.scale_gradient(self.x.data, dy, bottom[1].diff, self.g, 0)
        elif self.param_gradient[0]:
            self.k.scale_gradient(self.x.data, dy, self.params[0].diff, self.g, 1)
        if propagate_down[0]:
            self.k.scale_forward(dy, self.s.data, bottom[0].diff, self.g, 0)

    def read_by_backward(self, bottom, top, propagate_down, params):
        factor = self.params[0].count if len(bottom) == 1 and propagate_down[0] else 0
        return super().read_by_backward(bottom, top, propagate_down, params) + factor
