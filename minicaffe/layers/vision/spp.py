"""SPP: spatial pyramid pooling, as many numbers whatever the size of the image."""

from __future__ import annotations

import math

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import shape as kernels
from .pooling_methods import fields_of_method, make_pooler, method_of
from .window import Window


class SPP(Layer):
    """y = the image pooled to 1 x 1, 2 x 2, 4 x 4, ... bins, one level behind the other.

    Level l has 2^l bins along each axis, windows of ceil(size / bins) elements side by side, and a padding of
    (window * bins - size + 1) / 2, rounded down, which centres them.

    Param     spp_param: pyramid_height, the number of levels; pool (MAX, or AVE, AVE_EXC_PAD,
              AVE_TF or STOCHASTIC): see Pooling.  engine is read and means nothing here.
    Shapes    bottom[0] (n, c, h, w); top[0] (n, c (4^levels - 1) / 3), of each level (c, bins, bins) in
              row-major order; with a single level (n, c, 1, 1).
    Backward  dx = the sum of the levels' gradients; reads what Pooling reads.
    Source    Caffe's SPP layer; He et al. 2014.
    Differs   STOCHASTIC works for every size; Caffe has it on the GPU alone, for sizes that need no padding.
    Raises    ShapeError for an image so small that a window would hold nothing but padding (in Caffe a
              failed check of Pooling).
    """

    type = "SPP"
    kernels = kernels
    backward_reads = frozenset({"bottom.data", "top.data"})  # narrowed in setup
    adds = True
    stochastic = True  # dropped in setup but for STOCHASTIC
    fork_fields = fields_of_method("spp_param")

    def setup(self, bottom, top):
        conf = self.param.spp_param
        self.require(conf.pyramid_height > 0, "spp_param.pyramid_height must be at least 1")
        self.require(
            conf.pyramid_height <= 16,
            f"spp_param.pyramid_height must be at most 16; got {conf.pyramid_height}",
            hint="level l has 2^l bins along each axis",
        )
        self.method = method_of(conf)
        self.poolers = [make_pooler(self, self.method, level) for level in range(conf.pyramid_height)]
        # The levels of y lie apart in the top; they are also kept each by itself, unless there is just one.
        kept = {"top.data"} if conf.pyramid_height > 1 else set()
        self.backward_reads = self.poolers[0].backward_reads - kept
        if not self.poolers[0].draws:
            self.random = None

    def reshape(self, bottom, top):
        shape = bottom[0].shape
        if len(shape) != 4:
            raise ShapeError(f"bottom 0 must have 4 axes (n, c, h, w); got {shape}")
        n, c, *size = shape
        levels = len(self.poolers)
        for level, pooler in enumerate(self.poolers):
            pooler.plan(shape, (2**level,) * 2, self.window(level, size))
        if levels == 1:
            top[0].reshape(n, c, 1, 1)
            return
        top[0].reshape(n, c * (4**levels - 1) // 3)
        self.values = [self.saved((n, c, 2**level, 2**level)) for level in range(levels)]
        self.slopes = [self.saved(value.shape) for value in self.values]
        self.up, self.down, start = [], [], 0
        for value in self.values:
            length = math.prod(value.shape[1:])
            self.up.append(kernels.Rows(n, length, 0, length, start, top[0].shape[1]))
            self.down.append(kernels.Rows(n, length, start, top[0].shape[1], 0, length))
            start += length

    def forward(self, bottom, top):
        if len(self.poolers) == 1:
            self.poolers[0].forward(bottom[0].data, top[0].data)
            return
        for pooler, value, g in zip(self.poolers, self.values, self.up):
            pooler.forward(bottom[0].data, value.data)
            self.k.copy_rows(value.data, top[0].data, g)

    def backward(self, top, propagate_down, bottom):
        x, dx, add = bottom[0].data, bottom[0].diff, any(self.adding)
        if not propagate_down[0]:
            return
        if len(self.poolers) == 1:
            self.poolers[0].backward(x, top[0].data, top[0].diff, dx, add)
            return
        for level, (pooler, g) in enumerate(zip(self.poolers, self.down)):
            slope = self.slopes[level].data
            self.k.copy_rows(top[0].diff, slope, g)
            pooler.backward(x, self.values[level].data, slope, dx, add or level > 0)

    def window(self, level: int, size: list[int]) -> Window:
        """The windows of a level; ShapeError if one would hold nothing but padding."""
        bins = 2**level
        kernel = tuple(-(-extent // bins) for extent in size)
        pad = tuple((k * bins - extent + 1) // 2 for k, extent in zip(kernel, size))
        if any(p >= k for p, k in zip(pad, kernel)):
            raise ShapeError(
                f"level {level} of the pyramid has {bins} x {bins} bins; an image of {size[0]} x {size[1]}"
                f" would need windows of {kernel} with padding {pad}, and some would hold nothing else",
                hint="lower spp_param.pyramid_height, or feed larger images",
            )
        return Window(kernel, kernel, pad, (1, 1))

    def forward_operations(self, bottom, top):
        return sum(forward for forward, _ in self._operations(bottom))

    def backward_operations(self, bottom, top, propagate_down, params):
        """Those of the levels, and their sum."""
        levels = sum(backward for _, backward in self._operations(bottom))
        return (levels + (len(self.poolers) - 1) * bottom[0].count) * propagate_down[0]

    def _operations(self, bottom):
        """Of every level, forward and backward."""
        n, c, *size = bottom[0].shape
        for level, pooler in enumerate(self.poolers):
            yield pooler.operations(n * c * 4**level, math.prod(self.window(level, size).kernel))
