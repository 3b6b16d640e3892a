"""InnerProduct: a fully connected layer."""

from __future__ import annotations

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import activation, gemm


class InnerProduct(Layer):
    """y = x W^T + b.

    Param     inner_product_param: num_output; bias_term (true); axis (1), the first of the axes that are
              summed over; transpose (false); weight_filler, bias_filler (constant 0).
    Shapes    bottom[0] (m..., k...) with k... from `axis` on, M and K their products; top[0] (m...,
              num_output); weights (num_output, K), or (K, num_output) with transpose; bias (num_output).
    Backward  dx = dy W, dW += dy^T x, db += sum of dy over M; reads bottom.data.
    Source    Caffe's InnerProduct layer.
    """

    type = "InnerProduct"
    kernels = gemm
    has_params = True
    backward_reads = frozenset({"bottom.data"})
    ends_in_relu = True
    adds = True

    def setup(self, bottom, top):
        conf = self.param.inner_product_param
        self.require(conf.num_output > 0, "inner_product_param.num_output must be at least 1")
        self.n, self.transpose = conf.num_output, conf.transpose
        self.k_size = bottom[0].count_over(bottom[0].axis(conf.axis))
        self.add_param((self.k_size, self.n) if self.transpose else (self.n, self.k_size), conf.weight_filler)
        if conf.bias_term:
            self.add_param((self.n,), conf.bias_filler)
        self.neuron = self.device.bind(activation)

    def reshape(self, bottom, top):
        axis = bottom[0].axis(self.param.inner_product_param.axis)
        if bottom[0].count_over(axis) != self.k_size:
            raise ShapeError(
                f"bottom 0 has {bottom[0].count_over(axis)} inputs per item; the weights take {self.k_size}"
            )
        self.m = bottom[0].count_over(0, axis)
        top[0].reshape(*bottom[0].shape[:axis], self.n)

    def forward(self, bottom, top):
        x, y = bottom[0].data.reshape(self.m, self.k_size), top[0].data.reshape(self.m, self.n)
        self.device.gemm(x, self.params[0].data, y, tb=not self.transpose)
        if len(self.params) > 1:
            self.k.add_bias(self.params[1].data, y, self.m, self.n, int(self.relu))
        elif self.relu:
            self.neuron.relu_forward(y, y, 0)

    def backward(self, top, propagate_down, bottom):
        x, dy = bottom[0].data.reshape(self.m, self.k_size), top[0].diff.reshape(self.m, self.n)
        y, biased = top[0].data, len(self.params) > 1 and self.param_gradient[1]
        if self.relu and biased:
            self.k.relu_add_column_sums(y, dy, self.params[1].diff, self.m, self.n)
        elif self.relu:
            self.neuron.relu_backward(y, dy, dy, 0)
        elif biased:
            self.k.add_column_sums(dy, self.params[1].diff, self.m, self.n)
        if self.param_gradient[0]:
            left, right = (x, dy) if self.transpose else (dy, x)
            self.device.gemm(left, right, self.params[0].diff, ta=True, add=True)
        if propagate_down[0]:
            dx = bottom[0].diff.reshape(self.m, self.k_size)
            self.device.gemm(dy, self.params[0].data, dx, tb=self.transpose, add=any(self.adding))

    def forward_operations(self, bottom, top):
        return self.m * self.params[0].count

    def backward_operations(self, bottom, top, propagate_down, params):
        products = self.forward_operations(bottom, top) * (propagate_down[0] + params[0])
        return products + top[0].count * any(params[1:])

    def read_by_backward(self, bottom, top, propagate_down, params):
        """x for the gradient by the weights, the weights for that by x."""
        return bottom[0].count * params[0] + self.params[0].count * propagate_down[0]
