"""Im2col: the columns that make a convolution a matrix product."""

from __future__ import annotations

import math

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import im2col
from .window import SPATIAL, convolved, in_three_axes
from .window_fields import read_window


class Im2col(Layer):
    """y[c, k, o] = x[c, o * stride + k * dilation - pad]: for every tap k what it meets; 0 outside the image.

    Param     convolution_param: kernel_size or kernel_h and kernel_w; stride (1), pad (0), dilation (1): one
              value or one per axis, or _h and _w; axis (1), the channel axis.  force_nd_im2col is read and
              means nothing here, nor do num_output and the like.
    Shapes    bottom[0] (n..., C, size...); top[0] (n..., C * taps, out...): a channel's taps in row-major
              order, out as in Convolution.  One to three spatial axes.
    Backward  dx = sum of dy over the taps and outputs that met the element (col2im); reads nothing.
    Source    Caffe's Im2col layer.
    Differs   more than three spatial axes, and an output without pixels, are refused.
    """

    type = "Im2col"
    kernels = im2col
    backward_reads = frozenset()
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        conf = self.param.convolution_param
        self.axis = bottom[0].axis(conf.axis)
        self.window = read_window(conf, self._spatial(bottom[0]))

    def reshape(self, bottom, top):
        shape, axis = bottom[0].shape, self.axis
        if self._spatial(bottom[0]) != len(self.window.kernel):
            raise ShapeError(
                f"bottom 0 of shape {shape} does not fit a window of {len(self.window.kernel)} axes"
            )
        size = shape[axis + 1 :]
        out = tuple(convolved(n, *axis) for n, axis in zip(size, self.window.axes))
        top[0].reshape(*shape[:axis], shape[axis] * math.prod(self.window.kernel), *out)
        self.g = im2col.Columns(bottom[0].count_over(0, axis + 1), *in_three_axes(size, out, self.window))

    def forward(self, bottom, top):
        self.k.im2col(bottom[0].data, top[0].data, self.g)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.k.col2im(top[0].diff, bottom[0].diff, self.g)

    def _spatial(self, bottom) -> int:
        """How many axes follow the channel axis; ShapeError if there are too many or none."""
        spatial = len(bottom.shape) - self.axis - 1
        if not 1 <= spatial <= SPATIAL:
            raise ShapeError(
                f"1 to {SPATIAL} spatial axes must follow axis {self.axis}; bottom 0 has {bottom.shape}"
            )
        return spatial

    def backward_operations(self, bottom, top, propagate_down, params):
        return top[0].count * propagate_down[0]
