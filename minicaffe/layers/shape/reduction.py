"""Reduction: the last axes of a blob added up."""

from __future__ import annotations

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import reduction
from ...proto.schema import enum_name


class Reduction(Layer):
    """y = coeff times the sum of x, of |x| or of x^2, or the mean of x, over the last axes.

    Param     reduction_param: operation (SUM, ASUM, SUMSQ, MEAN); axis (0; negative counts from the end), the
              first to be reduced; coeff (1).
    Shapes    bottom[0] (a..., b...) with b... the axes from `axis` on; top[0] (a...), a scalar for axis 0.
    Backward  SUM: dx = coeff dy; MEAN: coeff dy / elements of b...; both read nothing.  ASUM: coeff dy times
              the sign of x, 0 for 0; SUMSQ: 2 coeff dy x; both read bottom.data.
    Source    Caffe's Reduction layer.
    Differs   the gradient of ASUM is NaN where x is; Caffe's is 0.  The mean of no elements is refused.
    """

    type = "Reduction"
    kernels = reduction
    operations = (1, 1, 0)

    def setup(self, bottom, top):
        self.operation = enum_name(self.param.reduction_param, "operation")
        self.up, self.down = {
            "SUM": (self.k.sum_forward, self.k.sum_backward),
            "MEAN": (self.k.sum_forward, self.k.sum_backward),
            "ASUM": (self.k.size_forward, self.k.size_backward),
            "SUMSQ": (self.k.square_forward, self.k.square_backward),
        }[self.operation]
        self.linear = self.operation in ("SUM", "MEAN")
        self.backward_reads = frozenset() if self.linear else frozenset({"bottom.data"})

    def reshape(self, bottom, top):
        conf, x = self.param.reduction_param, bottom[0]
        axis = x.axis(conf.axis)
        self.g = reduction.Matrix(x.count_over(0, axis), x.count_over(axis))
        self.coeff = conf.coeff
        if self.operation == "MEAN":
            if self.g.length == 0:
                raise ShapeError(f"no elements to take the mean of: bottom 0 has the shape {x.shape}")
            self.coeff /= self.g.length
        top[0].reshape(*x.shape[:axis])

    def forward(self, bottom, top):
        self.up(bottom[0].data, top[0].data, self.g, self.coeff)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            read = () if self.linear else (bottom[0].data,)
            self.down(*read, top[0].diff, bottom[0].diff, self.g, self.coeff)
