"""Pooling: the maximum or the mean of every window."""

from __future__ import annotations

import numpy as np

from ...core.layer import Layer
from ...core.window import pooled, read_pooling_window
from ...errors import ShapeError
from ...kernels import pooling
from ...proto.schema import enum_name


class Pooling(Layer):
    """y = maximum (MAX) or mean (AVE) of x over each window.

    MAX       the first of equal values counts; padding and NaN never win.
    AVE       the mean counts padding as zeros, but not what a window covers beyond the padding.

    Param     pooling_param: pool (MAX); kernel_size or kernel_h and kernel_w; stride (1) and pad (0)
              likewise, pad < kernel; global_pooling (false), a kernel as large as the image; round_mode
              (CEIL, or FLOOR).  engine is read and means nothing here.
    Shapes    bottom[0] (n, c, h, w); top[0] (n, c, oh, ow) with oh = (h + 2 pad - kernel) / stride + 1,
              rounded by round_mode; if there is any padding, without a last window that would start behind
              the image and its first padding; top[1], optional and for MAX only: where each maximum stands,
              row * w + column of its plane.
    Backward  MAX: dy goes to where the maximum stood.  AVE: dy / area goes to every element of the window.
              Reads nothing; the places of the maxima are saved.
    Source    Caffe's Pooling layer.
    Differs   STOCHASTIC is not available yet.  A window outside the image is refused; Caffe's maximum there
              is -3.4e38.  A window of -inf gives -inf, one of NaN gives NaN, index -1 and no gradient; for
              both Caffe gives -3.4e38, index -1 and a write outside the blob.
    """

    type = "Pooling"
    tops = (1, 2)
    kernels = pooling
    backward_reads = frozenset()

    def setup(self, bottom, top):
        conf = self.param.pooling_param
        method = enum_name(conf, "pool")
        self.require(method != "STOCHASTIC", "pool: STOCHASTIC is not available yet", "use MAX or AVE")
        self.max = method == "MAX"
        self.require(self.max or len(top) == 1, "a second top, the mask, is for pool: MAX", "remove the top")
        self.window = read_pooling_window(conf)
        self.ceil = enum_name(conf, "round_mode") == "CEIL"

    def reshape(self, bottom, top):
        shape = bottom[0].shape
        if len(shape) != 4:
            raise ShapeError(f"bottom 0 must have 4 axes (n, c, h, w); got {shape}")
        window = self.window if self.window.kernel else self.window._replace(kernel=shape[2:])
        out = pooled(shape[2:], window, self.ceil)
        for blob in top:
            blob.reshape(*shape[:2], *out)
        self.mask = self.saved(top[0].shape, np.int32) if self.max else None
        self.g = pooling.Pool(
            shape[0] * shape[1], *shape[2:], *out, *window.kernel, *window.stride, *window.pad
        )

    def forward(self, bottom, top):
        if not self.max:
            self.k.ave_pool_forward(bottom[0].data, top[0].data, self.g)
            return
        self.k.max_pool_forward(bottom[0].data, top[0].data, self.mask.data, self.g)
        if len(top) > 1:
            self.xp.copyto(top[1].data, self.mask.data)

    def backward(self, top, propagate_down, bottom):
        if not propagate_down[0]:
            return
        if self.max:
            self.k.max_pool_backward(top[0].diff, self.mask.data, bottom[0].diff, self.g)
        else:
            self.k.ave_pool_backward(top[0].diff, bottom[0].diff, self.g)
