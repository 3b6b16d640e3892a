"""ArgMax: where the highest scores are."""

from __future__ import annotations

import numpy as np

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import selection


class ArgMax(Layer):
    """y = the indices, or the values, of the top_k highest x, the highest first.

    Param     argmax_param: top_k (1); axis (none; negative counts from the end), along which to look; without
              it, at all axes but the first as one; out_max_val (false).
    Shapes    bottom[0]: any.  With axis, top[0]: the same with top_k on the axis, indices or, with
              out_max_val, values.  Without, top[0]: (items, 1, top_k), indices, or with out_max_val (items,
              2, top_k), indices and then values; with ones behind up to the number of axes of bottom 0.
    Source    Caffe's ArgMax layer.
    Differs   NaN counts as the highest; in Caffe the order is undefined then.  Indices that the floating
              type cannot hold are refused, where Caffe rounds them.  As in Caffe, of equal scores the last
              one is first.  force_backward passes nothing down, where Caffe stops.
    """

    type = "ArgMax"
    kernels = selection
    backward_reads = frozenset()
    not_differentiable = Layer.ALL
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        conf = self.param.argmax_param
        self.top_k, self.values = conf.top_k, conf.out_max_val
        self.along = conf.axis if conf.HasField("axis") else None
        self.require(self.top_k > 0, "argmax_param.top_k must be at least 1")

    def reshape(self, bottom, top):
        x, top_k = bottom[0], self.top_k
        if self.along is None:
            x.axis(0)  # a scalar has no items
            sizes = (x.shape[0], x.count_over(1), 1)
            shape = (x.shape[0], 2 if self.values else 1, top_k, *[1] * (len(x.shape) - 3))
            parts = (1, int(self.values))
        else:
            axis = x.axis(self.along)
            sizes = (x.count_over(0, axis), x.shape[axis], x.count_over(axis + 1))
            shape = (*x.shape[:axis], top_k, *x.shape[axis + 1 :])
            parts = (0, 1) if self.values else (1, 0)
        if top_k > sizes[1]:
            raise ShapeError(
                f"argmax_param.top_k is {top_k}; there are {sizes[1]} scores in bottom 0 of shape {x.shape}"
            )
        exact = 2 ** (np.finfo(self.device.dtype).nmant + 1)
        if parts[0] and sizes[1] - 1 > exact:
            raise ShapeError(
                f"indices up to {sizes[1] - 1} are not exact in {self.device.dtype}: bottom 0 has the shape"
                f" {x.shape}",
                hint="give an axis",
            )
        top[0].reshape(*shape)
        self.g = selection.Selection(*sizes, top_k, *parts)

    def forward(self, bottom, top):
        self.k.select_highest(bottom[0].data, top[0].data, self.g)

    def backward(self, top, propagate_down, bottom):
        pass  # force_backward runs it; there is nothing to pass down
