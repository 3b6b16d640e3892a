"""Deconvolution: the transpose of a convolution, over one to three spatial axes."""

from __future__ import annotations

from ...kernels import scale
from .convolving import Convolving


class Deconvolution(Convolving):
    """y = w^T * x + b: every input pixel spreads its weights over the output, by group.

    Param     convolution_param, as for Convolution, without pad_type.
    Shapes    bottom[i] (n..., C, size...), all alike; top[i] (n..., num_output, out...), out = stride
              (size - 1) + dilation (kernel - 1) + 1 - pads; weights (C, num_output / group, kernel...); bias
              (num_output).  Up to three spatial axes, or none.
    Backward  dx: the convolution of dy; dW += sum over images of x times dy's columns; db += sum of dy.
              Reads bottom.data.
    Source    Caffe's Deconvolution layer; Long, Shelhamer, Darrell 2015.
    Differs   more than three spatial axes, and an output without pixels, are refused.

    To enlarge images by a factor f: kernel 2 f - f % 2, stride f, pad ceil((f - 1) / 2), group and num_output
    C, weight_filler bilinear, bias_term false, lr_mult 0.
    """

    type = "Deconvolution"
    transposed = True
    apart = frozenset({"bottom"})

    def setup(self, bottom, top):
        super().setup(bottom, top)
        self.bias_kernels = self.device.bind(scale)

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        self.extent = scale.Extent(self.g.n, self.outputs, self.g.d * self.g.h * self.g.w)

    def forward(self, bottom, top):
        for x, y, g in zip(bottom, top, self.geometries):
            self.k.conv_backward_data(x.data, self.params[0].data, y.data, g)
            if self.bias:
                self.bias_kernels.bias_forward(y.data, self.bias.data, y.data, self.extent, 0)

    def backward(self, top, propagate_down, bottom):
        weights = self.params[0]
        for i, (x, y, g) in enumerate(zip(bottom, top, self.geometries)):
            if self.bias and self.param_gradient[1]:
                self.bias_kernels.bias_gradient(y.diff, self.bias.diff, self.extent, 1)
            if self.param_gradient[0]:
                self.k.conv_backward_weights(y.diff, x.data, weights.diff, g)
            if propagate_down[i]:
                self.k.conv_forward(y.diff, weights.data, weights.data, weights.data, x.diff, g)
