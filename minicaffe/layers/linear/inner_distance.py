"""InnerDistance: distances to learned centres, in the place of products with weights."""

from __future__ import annotations

import numpy as np

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import angular, distances, gemm
from ..foreign import refuse_others

EPS = 1e-6  # added to the squared length of what is normalized
READ = ("num_output", "bias_term", "weight_filler", "bias_filler", "axis", "distance_type", "normalize")


class InnerDistance(Layer):
    """y_j = sum of (x - w_j)^2 (L2) or of |x - w_j| (L1), + b_j.

    Param     inner_distance_param: num_output; distance_type ("L2", or "L1"); bias_term (true); axis (1),
              the first of the axes that are summed over; normalize (false): every forward divides each w_j
              by sqrt(its squared length + 1e-6) and keeps it so; weight_filler, bias_filler (constant 0).
    Shapes    bottom[0] (m..., k...), K the product of the axes from `axis` on; top[0] (m..., num_output);
              weights (num_output, K); bias (num_output).
    Backward  L2: dx = sum over j of 2 dy_j (x - w_j), dW_j += sum over items of 2 dy_j (w_j - x), L1 with
              signs in the place of doubled differences; db += sum of dy.  Reads x.
    Source    InnerDistance of happynear's Caffe; Wang et al. 2017 (NormFace).
    Differs   the fork's gradient of L1 is not that of |x - w|, for want of parentheses; this is.  transpose,
              update_center_only and weights as a bottom are refused.
    Raises    ShapeError for another number of inputs than at first.
    """

    type = "InnerDistance"
    kernels = distances
    has_params = True
    backward_reads = frozenset({"bottom.data"})

    def setup(self, bottom, top):
        refuse_others(self, "inner_distance_param", READ)
        conf = self.param.inner_distance_param
        self.require(conf.num_output > 0, "inner_distance_param.num_output must be at least 1")
        kind = conf.distance_type
        self.require(
            kind in ("L1", "L2"), f"inner_distance_param.distance_type must be L1 or L2; got {kind!r}"
        )
        self.n, self.absolute = conf.num_output, int(kind == "L1")
        self.carries = conf.normalize  # forward writes the weights
        self.length = bottom[0].count_over(bottom[0].axis(conf.axis))
        self.add_param((self.n, self.length), conf.weight_filler)
        if conf.bias_term:
            self.add_param((self.n,), conf.bias_filler)
        self.rows, self.sums = self.device.bind(angular), self.device.bind(gemm)
        self.slack = float(np.finfo(self.device.dtype).eps) * (8 + self.length)

    def reshape(self, bottom, top):
        axis = bottom[0].axis(self.param.inner_distance_param.axis)
        if bottom[0].count_over(axis) != self.length:
            raise ShapeError(
                f"bottom 0 has {bottom[0].count_over(axis)} inputs per item; the weights take {self.length}"
            )
        self.m = bottom[0].count_over(0, axis)
        self.g = distances.Rows(self.m, self.n, self.length, self.n, 1, self.absolute)
        self.turned = distances.Rows(self.n, self.m, self.length, 1, self.n, self.absolute)
        top[0].reshape(*bottom[0].shape[:axis], self.n)

    def forward(self, bottom, top):
        weights = self.params[0].data
        if self.param.inner_distance_param.normalize:
            self.rows.normalize_rows(weights, self.n, self.length, EPS, self.slack)
        self.k.distance_forward(bottom[0].data, weights, top[0].data, self.g)
        if len(self.params) > 1:
            self.sums.add_bias(self.params[1].data, top[0].data, self.m, self.n, 0)

    def backward(self, top, propagate_down, bottom):
        x, dy, weights = bottom[0], top[0].diff, self.params[0]
        if len(self.params) > 1 and self.param_gradient[1]:
            self.sums.add_column_sums(dy, self.params[1].diff, self.m, self.n)
        if self.param_gradient[0]:
            self.k.distance_gradient(weights.data, x.data, dy, weights.diff, self.turned, 1)
        if propagate_down[0]:
            self.k.distance_gradient(x.data, weights.data, dy, x.diff, self.g, 0)

    def forward_operations(self, bottom, top):
        return 2 * self.m * self.params[0].count

    def backward_operations(self, bottom, top, propagate_down, params):
        pairs = 2 * self.m * self.params[0].count * (propagate_down[0] + params[0])
        return pairs + top[0].count * any(params[1:])

    def read_by_backward(self, bottom, top, propagate_down, params):
        either = bool(propagate_down[0] or params[0])
        return (bottom[0].count + self.params[0].count) * either
