"""Pooling: one number for every window."""

from __future__ import annotations

import math

from ...core.layer import Layer
from ...errors import ShapeError
from ...proto.schema import enum_name
from .given import fields_of_axes
from .poolers import MaxPooler, PlanePooler
from .pooling_methods import fields_of_method, make_pooler, method_of
from .window import SPATIAL, pooled
from .window_fields import fields_of_padding, read_pooling_window


class Pooling(Layer):
    """y = maximum (MAX) or mean (AVE) of x over each window, or an element of it by chance (STOCHASTIC).

    MAX         the first of equal values counts; padding and NaN never win.
    AVE         the mean counts padding as zeros, but not what a window covers beyond the padding; nor the
                padding with avg_include_pad false or, which is the same, as AVE_EXC_PAD or AVE_TF.
    STOCHASTIC  TRAIN: one element of the window, with probability x / sum of x; TEST: what that is on
                average, sum of x^2 / sum of x.  Only positive elements count: a window without any gives 0.

    Param     pooling_param: pool (MAX); kernel_size or kernel_h and kernel_w; stride (1) and pad (0)
              likewise, pad < kernel; global_pooling (false), a kernel as large as the image; round_mode
              (CEIL, or FLOOR); avg_include_pad (true).  engine is read and means nothing here.  pad_t, pad_b,
              pad_l, pad_r and pad_type as for Convolution, for at most two axes; with pad_type 1 round_mode
              means nothing.
    Shapes    bottom[0] (n, c, h, w); top[0] (n, c, oh, ow) with oh = (h + pads - kernel) / stride + 1,
              rounded by round_mode; if there is any padding, without a last window that would start behind
              the image and its first padding; top[1], optional and for MAX only: where each maximum stands,
              row * w + column of its plane.  Also (n, c, w) and (n, c, d, h, w): kernel_size, stride and
              pad are then for every axis, or kernel_size_3d, stride_3d and pad_3d (of Intel's Caffe) one for
              each; the maximum stands at (depth * h + row) * w + column.
    Backward  MAX, STOCHASTIC in TRAIN: dy goes to where y came from, which is saved.  AVE: dy / area goes to
              every element of the window.  STOCHASTIC in TEST: dx = dy (2 x - y) / sum of x where x > 0.
              Reads x and y in that case, else nothing.
    Source    Caffe's Pooling layer; Zeiler & Fergus 2013 (STOCHASTIC).  avg_include_pad is of Intel's Caffe,
              AVE_EXC_PAD and AVE_TF of Synopsys'.
    Differs   one and three spatial axes are an extension.  A window outside the image is refused; Caffe's
              maximum there is -3.4e38.  A window of -inf gives -inf, one of NaN gives NaN, index -1 and no
              gradient; for both Caffe gives -3.4e38, index -1 and a write outside the blob.  STOCHASTIC:
              Caffe has it on the GPU alone and refuses padding, which here is never drawn; negative
              elements take part in Caffe's sums, so that they can cancel; its gradient in TEST is that of
              the last drawing.  What is drawn is a function of seed, layer and sample
              (kernels/stochastic_pooling.py), equal on every device.
    """

    type = "Pooling"
    tops = (1, 2)
    backward_reads = frozenset({"bottom.data", "top.data"})  # narrowed in setup
    apart = frozenset({"bottom", "top"})  # narrowed in setup
    adds = True
    stepwise_tops = frozenset({1})
    stochastic = True  # dropped in setup but for STOCHASTIC
    fork_fields = frozenset({"pooling_param.avg_include_pad"}).union(
        *(of("pooling_param") for of in (fields_of_padding, fields_of_axes, fields_of_method))
    )

    def setup(self, bottom, top):
        conf = self.param.pooling_param
        self.method = method_of(conf)
        self.require(
            self.method == "MAX" or len(top) == 1,
            "a second top, the mask, is for pool: MAX",
            "remove the top",
        )
        self.window = read_pooling_window(conf, self._spatial(bottom[0]))
        self.ceil = enum_name(conf, "round_mode") == "CEIL"
        self.pooler = make_pooler(self, self.method)
        self.backward_reads = self.pooler.backward_reads
        if len(top) > 1:
            self.apart = frozenset({"bottom"})
        if not isinstance(self.pooler, PlanePooler) or len(self.window.stride) > 2:
            self.apart = frozenset()
        if not self.pooler.draws:
            self.random = None

    def reshape(self, bottom, top):
        shape = bottom[0].shape
        if self._spatial(bottom[0]) != len(self.window.stride):
            raise ShapeError(
                f"bottom 0 of shape {shape} does not fit a window of {len(self.window.stride)} axes"
            )
        window = self.window if self.window.kernel else self.window._replace(kernel=shape[2:])
        window = window.over(shape[2:])
        out = pooled(shape[2:], window, self.ceil)
        for blob in top:
            blob.reshape(*shape[:2], *out)
        self.pooler.plan(shape, out, window)

    def arrange(self, bottom, top):
        if self.apart and isinstance(self.pooler, PlanePooler):
            self.pooler.arrange(bottom[0].shape[1], bottom[0].step, top[0].step)

    def forward(self, bottom, top):
        self.pooler.forward(bottom[0].data, top[0].data)
        if len(top) > 1 and isinstance(self.pooler, MaxPooler):
            self.pooler.show_mask(top[1].data)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            add = any(self.adding)
            self.pooler.backward(bottom[0].data, top[0].data, top[0].diff, bottom[0].diff, add)

    def _spatial(self, bottom) -> int:
        """How many spatial axes there are; ShapeError if too many or none."""
        spatial = len(bottom.shape) - 2
        if not 1 <= spatial <= SPATIAL:
            raise ShapeError(
                f"bottom 0 must have 4 axes (n, c, h, w), or 3 or 5 with one or three spatial axes;"
                f" got {bottom.shape}"
            )
        return spatial

    def forward_operations(self, bottom, top):
        return self._operations(bottom, top)[0]

    def backward_operations(self, bottom, top, propagate_down, params):
        return self._operations(bottom, top)[1] * propagate_down[0]

    def _operations(self, bottom, top) -> tuple[int, int]:
        return self.pooler.operations(top[0].count, math.prod(self.window.kernel or bottom[0].shape[2:]))
