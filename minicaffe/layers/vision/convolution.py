"""Convolution over one to three spatial axes."""

from __future__ import annotations

from .convolving import Convolving


class Convolution(Convolving):
    """y = w * x + b: cross-correlation with zero padding, by group.

    Param     convolution_param: num_output; bias_term (true); kernel_size or kernel_h and kernel_w; stride
              (1), pad (0), dilation (1): one value or one per axis, or _h and _w; group (1); axis (1), the
              channel axis; weight_filler, bias_filler (constant 0); engine (DEFAULT), which counts on a GPU:
              CAFFE is the project's own, CUDNN is cuDNN, DEFAULT is cuDNN where it is installed.
              force_nd_im2col is read and means nothing here.
    Shapes    bottom[i] (n..., C, size...), all alike; top[i] (n..., num_output, out...), out = (size + 2 pad
              - dilation (kernel - 1) - 1) / stride + 1, division truncated; weights (num_output, C / group,
              kernel...); bias (num_output).  Up to three spatial axes, or none.
    Backward  dx: dy spread back through the weights; dW += sum over images of dy times x's columns; db += sum
              of dy. Reads bottom.data.
    Source    Caffe's Convolution layer; LeCun et al. 1998.
    Differs   more than three spatial axes, and an output without pixels, are refused.
    """

    type = "Convolution"

    def forward(self, bottom, top):
        weights, bias = self.params[0].data, self.params[-1].data
        for x, y in zip(bottom, top):
            self.k.conv_forward(x.data, weights, bias, y.data, self.g)

    def backward(self, top, propagate_down, bottom):
        weights = self.params[0]
        for i, (x, y) in enumerate(zip(bottom, top)):
            self.add_bias_gradient(y)
            if self.param_gradient[0]:
                self.k.conv_backward_weights(x.data, y.diff, weights.diff, self.g)
            if propagate_down[i]:
                self.k.conv_backward_data(y.diff, weights.data, x.diff, self.g)
