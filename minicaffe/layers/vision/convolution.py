"""Convolution over one to three spatial axes."""

from __future__ import annotations

from ...core.layer import Layer
from ...core.window import convolved, read_window
from ...errors import ShapeError
from ...kernels import convolution

SPATIAL = 3  # the most spatial axes; fewer are padded with leading axes of extent 1


class Convolution(Layer):
    """y = w * x + b: cross-correlation with zero padding, by group.

    Param     convolution_param: num_output; bias_term (true); kernel_size or kernel_h and kernel_w; stride
              (1), pad (0), dilation (1): one value or one per axis, or _h and _w; group (1); axis (1), the
              channel axis; weight_filler, bias_filler (constant 0).  engine and force_nd_im2col are read and
              mean nothing here.
    Shapes    bottom[i] (n..., C, size...), all alike; top[i] (n..., num_output, out...), out = (size + 2 pad
              - dilation (kernel - 1) - 1) / stride + 1, division truncated; weights (num_output, C / group,
              kernel...); bias (num_output).  Up to three spatial axes, or none.
    Backward  dx: dy spread back through the weights; dW += sum over images of dy times x's columns; db += sum
              of dy. Reads bottom.data.
    Source    Caffe's Convolution layer; LeCun et al. 1998.
    Differs   more than three spatial axes, and an output without pixels, are refused.
    """

    type = "Convolution"
    bottoms = tops = (1, None)
    matched = True
    kernels = convolution
    backward_reads = frozenset({"bottom.data"})

    def setup(self, bottom, top):
        conf = self.param.convolution_param
        self.axis = bottom[0].axis(conf.axis)
        spatial = len(bottom[0].shape) - self.axis - 1
        if spatial > SPATIAL:
            raise ShapeError(
                f"at most {SPATIAL} spatial axes behind axis {self.axis}; bottom 0 has {bottom[0].shape}"
            )
        self.window = read_window(conf, spatial)
        self.channels, self.groups, self.outputs = bottom[0].shape[self.axis], conf.group, conf.num_output
        self.require(self.outputs > 0, "convolution_param.num_output must be at least 1")
        self.require(self.groups > 0, "convolution_param.group must be at least 1")
        for what, count in (("input channels", self.channels), ("num_output", self.outputs)):
            self.require(
                count % self.groups == 0, f"{count} {what} cannot be divided into {self.groups} groups"
            )
        self.add_param((self.outputs, self.channels // self.groups, *self.window.kernel), conf.weight_filler)
        if conf.bias_term:
            self.add_param((self.outputs,), conf.bias_filler)

    def reshape(self, bottom, top):
        shape = bottom[0].shape
        for i, blob in enumerate(bottom):
            if blob.shape != shape:
                raise ShapeError(
                    f"all bottoms must have one shape; bottom 0 has {shape}, bottom {i} {blob.shape}"
                )
        if len(shape) - self.axis - 1 != len(self.window.kernel) or shape[self.axis] != self.channels:
            raise ShapeError(
                f"bottom 0 of shape {shape} does not fit weights of shape {self.params[0].shape}"
            )
        size = shape[self.axis + 1 :]
        out = tuple(map(convolved, size, *self.window))
        for blob in top:
            blob.reshape(*shape[: self.axis], self.outputs, *out)
        self.g = convolution.Conv(
            bottom[0].count_over(0, self.axis),
            self.groups,
            self.channels // self.groups,
            self.outputs // self.groups,
            len(self.params) - 1,
            *_three(size, 1),
            *_three(out, 1),
            *_three(self.window.kernel, 1),
            *_three(self.window.stride, 1),
            *_three(self.window.pad, 0),
            *_three(self.window.dilation, 1),
        )

    def forward(self, bottom, top):
        weights, bias = self.params[0].data, self.params[-1].data
        for x, y in zip(bottom, top):
            self.k.conv_forward(x.data, weights, bias, y.data, self.g)

    def backward(self, top, propagate_down, bottom):
        weights, g = self.params[0], self.g
        for i, (x, y) in enumerate(zip(bottom, top)):
            if g.bias and self.param_gradient[1]:
                self.k.conv_backward_bias(y.diff, self.params[1].diff, g.n, self.outputs, g.pixels)
            if self.param_gradient[0]:
                self.k.conv_backward_weights(x.data, y.diff, weights.diff, g)
            if propagate_down[i]:
                self.k.conv_backward_data(y.diff, weights.data, x.diff, g)


def _three(values: tuple[int, ...], fill: int) -> tuple[int, ...]:
    """One value per spatial axis, filled up in front."""
    return (fill,) * (SPATIAL - len(values)) + tuple(values)
