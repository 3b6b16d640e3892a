"""Softmax: scores to probabilities."""

from __future__ import annotations

from ...core.layer import Layer
from ...kernels import softmax


class Softmax(Layer):
    """y = exp(x) / sum of exp(x) along one axis.

    Param     softmax_param: axis (1); engine is read and means nothing here.
    Shapes    bottom[0], top[0]: (outer..., classes, inner...) with the classes on `axis`, equal.  May run in
              place.
    Backward  dx = y * (dy - sum of dy * y along the axis); reads y only.
    Source    Caffe's Softmax layer.
    """

    type = "Softmax"
    kernels = softmax
    backward_reads = frozenset({"top.data"})
    in_place_ok = True
    operations = (3, 3, 0)

    def reshape(self, bottom, top):
        axis = bottom[0].axis(self.param.softmax_param.axis)
        self.g = softmax.Columns(
            bottom[0].count_over(0, axis), bottom[0].shape[axis], bottom[0].count_over(axis + 1)
        )
        top[0].reshape_like(bottom[0])

    def forward(self, bottom, top):
        self.k.softmax_forward(bottom[0].data, top[0].data, self.g)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.k.softmax_backward(top[0].data, top[0].diff, bottom[0].diff, self.g)
