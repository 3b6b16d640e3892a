"""MarginInnerProduct: class scores that ask for an angular margin (SphereFace)."""

from __future__ import annotations

import numpy as np

from ...errors import ShapeError
from ...kernels import angular
from ...proto.schema import enum_name
from .labelled import Annealed, Labelled

KINDS = ("SINGLE", "DOUBLE", "TRIPLE", "QUADRUPLE")


class MarginInnerProduct(Labelled):
    """y_j = x w_j, with w_j of length 1; at the item's class y = (f(cos a) |x| + s y) / (1 + s).

    a is the angle between x and the class's w, f(cos a) = cos m a up to a = pi / m, and falls on from there;
    s = max(lambda_min, base (1 + gamma t)^-power), with t = iteration + 1 in the first pass.

    Param     margin_inner_product_param: num_output; type, SINGLE (y as it is), DOUBLE, TRIPLE, QUADRUPLE:
              m = 1 to 4; weight_filler; axis (1), the first that is summed over; base (1), gamma (0), power
              (1), lambda_min (0), iteration (0).
    Params    weights (num_output, K), which every forward brings to length 1, row by row.
    Shapes    bottom[0]: x (m..., k...), K the product of the axes from `axis` on; bottom[1]: as many labels
              as items; top[0]: (m..., num_output); top[1], optional: s (1), which has no gradient.
    Backward  dW += dy^T x; dx = dy W, but for the item's class: there w and x count as much as in the
              gradient of f(cos a) |x|, over the length of both shares, + s w, over 1 + s.  So neither is the
              derivative.  Reads x.
    Source    MarginInnerProduct of SphereFace's Caffe; Liu et al. 2017.
    Differs   a label that is no class is an error.  The second top may be left out.  Weights of length 1 but
              for rounding are left as they are.
    Raises    ShapeError for a wrong number of labels or inputs; DataError for a label that is no class.
    """

    type = "MarginInnerProduct"
    has_params = True
    backward_reads = frozenset({"bottom.data"})
    not_in_onnx = "it is for training: a net that is used ends before it"

    def setup(self, bottom, top):
        super().setup(bottom, top)
        conf = self.param.margin_inner_product_param
        self.require(conf.num_output > 0, "margin_inner_product_param.num_output must be at least 1")
        self.kind, self.n = KINDS.index(enum_name(conf, "type")), conf.num_output
        self.length = bottom[0].count_over(bottom[0].axis(conf.axis))
        self.add_param((self.n, self.length), conf.weight_filler)
        self.slack = float(np.finfo(self.device.dtype).eps) * (8 + self.length)
        self.strength = Annealed(self, 0)
        schedule = conf.gamma, -conf.power, conf.base
        self.strength.follow(conf.iteration, 1, schedule, low=conf.lambda_min, product=1)

    def reshape(self, bottom, top):
        x = bottom[0]
        axis = x.axis(self.param.margin_inner_product_param.axis)
        if x.count_over(axis) != self.length:
            raise ShapeError(
                f"bottom 0 has {x.count_over(axis)} inputs per item; the weights take {self.length}"
            )
        self.g = angular.Items(x.count_over(0, axis), self.n, self.length)
        self.expect_labels(bottom[1], self.g.count, self.n)
        top[0].reshape(*x.shape[:axis], self.n)
        for blob in top[1:]:
            blob.reshape(1)
        self.norms, self.cosines, self.shares = (self.saved((self.g.count,)) for _ in range(3))
        self.slope, self.kept = self.saved(top[0].shape), self.saved((1,))

    def forward(self, bottom, top):
        x, y, weights = bottom[0].data, top[0].data, self.params[0].data
        self.strength.advance()
        self.device.copy(self.strength.value, self.kept.data)
        for blob in top[1:]:
            self.device.copy(self.strength.value, blob.data)
        self.read_labels(bottom[1])
        self.k.normalize_rows(weights, self.n, self.length, 0.0, self.slack)
        self.device.gemm(self._rows(x), weights, y.reshape(-1, self.n), tb=True)
        angles = self.norms.data, self.cosines.data, self.kept.data
        self.k.margin_forward(x, self.picked.data, y, *angles, self.g, self.kind)

    def backward(self, top, propagate_down, bottom):
        x, dy = bottom[0].data, top[0].diff
        if self.param_gradient[0]:
            self.device.gemm(dy.reshape(-1, self.n), self._rows(x), self.params[0].diff, ta=True, add=True)
        if propagate_down[0]:
            dx, slope, shares = bottom[0].diff, self.slope.data, self.shares.data
            angles = self.norms.data, self.cosines.data, self.kept.data
            self.k.margin_slopes(dy, self.picked.data, *angles, slope, shares, self.g, self.kind)
            self.device.gemm(slope.reshape(-1, self.n), self.params[0].data, self._rows(dx))
            self.k.add_shares(x, shares, dx, self.g)

    def _rows(self, array):
        return array.reshape(-1, self.length)

    def forward_operations(self, bottom, top):
        """The products, the squares of x and of the weights."""
        return self.g.count * self.params[0].count + bottom[0].count + self.params[0].count

    def backward_operations(self, bottom, top, propagate_down, params):
        products = self.g.count * self.params[0].count * (propagate_down[0] + params[0])
        return products + bottom[0].count * propagate_down[0]

    def read_by_backward(self, bottom, top, propagate_down, params):
        return bottom[0].count + self.params[0].count * propagate_down[0]
