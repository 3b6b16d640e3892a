"""Convolution over one to three spatial axes."""

from __future__ import annotations

from typing import Any

from ...kernels.tiled.choice import choose
from ..norm.normalizing import Normalizing
from .convolving import Convolving
from .folded import Folded
from .siblings import Siblings


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
    ends_in_relu = True
    apart = frozenset({"bottom", "top"})
    adds = True
    # Set by the net: factors and summands of the outputs, arrays of the device.  forward is then y = factor
    # (w * x) + summand; the layer's own bias is part of the summand.
    fold: tuple[Any, Any] | None = None

    def setup(self, bottom, top):
        super().setup(bottom, top)
        window = self.window
        alone = zip(window.kernel, window.stride, window.pad)
        simple = all(k == s == 1 and p == 0 for k, s, p in alone) and self.groups == 1
        if simple and len(bottom) == 1:
            engine = self.param.convolution_param.engine
            self.family = ("1x1", self.axis, self.bias is None, engine)

    def united(self, others):
        return Siblings(self, *others)

    def alone(self):
        super().alone()
        self.fold = None

    def absorb(self, behind, backward):
        frozen = isinstance(behind, Normalizing) and behind.frozen and not backward
        return Folded(self, behind) if frozen and self.axis == 1 else None

    def arrange(self, bottom, top):
        super().arrange(bottom, top)
        follows = {"relu": int(self.relu)} | ({"scaled": 1, "bias": 1} if self.fold else {})
        adding = self.adding or [False] * len(bottom)
        self.geometries = [
            g._replace(add=int(adds), **follows) for g, adds in zip(self.geometries, adding, strict=True)
        ]

    def remarks(self):
        device = self.device
        choice = choose(
            "forward", self.geometries[0], device.math, device.dtype.itemsize, device.machine.lanes(4)
        )
        return [choice.words] if choice.winograd else []

    def forward(self, bottom, top):
        weights = self.params[0].data
        scale, bias = self.fold or (weights, self.params[-1].data)
        for x, y, g in zip(bottom, top, self.geometries):
            self.k.conv_forward(x.data, weights, scale, bias, y.data, g)

    def backward(self, top, propagate_down, bottom):
        weights = self.params[0]
        for i, (x, y, g) in enumerate(zip(bottom, top, self.geometries)):
            self.finish_gradient(y, g)
            if self.param_gradient[0]:
                self.k.conv_backward_weights(x.data, y.diff, weights.diff, g)
            if propagate_down[i]:
                self.k.conv_backward_data(y.diff, weights.data, x.diff, g)

    def finish_gradient(self, y, g) -> None:
        """dy = 0 where y is not positive, if ReLU follows; db += sum of dy."""
        learned = self.bias is not None and self.param_gradient[1]
        if learned or g.relu:
            told = y.data if g.relu else y.diff
            total = self.bias.diff if learned else y.diff
            self.k.conv_backward_bias(told, y.diff, total, g if learned else g._replace(bias=0))
