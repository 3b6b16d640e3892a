"""ShuffleChannel: channels of different groups side by side."""

from __future__ import annotations

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import shape as kernels


class ShuffleChannel(Layer):
    """y[n, j group + i] = x[n, i c / group + j]: channel j of every group, then channel j + 1.

    Param     shuffle_channel_param: group (1).
    Shapes    bottom[0], top[0]: (n, c, ...), equal, c divisible by group.
    Backward  dx = dy in the order of x; reads nothing.
    Source    ShuffleChannel of ShuffleNet's Caffe; Zhang, Zhou, Lin & Sun 2018.
    """

    type = "ShuffleChannel"
    kernels = kernels
    backward_reads = frozenset()
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        self.group = self.param.shuffle_channel_param.group
        self.require(self.group > 0, "shuffle_channel_param.group must be at least 1; got 0")

    def reshape(self, bottom, top):
        shape, inner = bottom[0].shape, bottom[0].count_over(2)
        if len(shape) < 2 or shape[1] % self.group:
            raise ShapeError(
                f"bottom 0 must have channels on axis 1, divisible by group {self.group}; got {shape}"
            )
        top[0].reshape(*shape)
        each = shape[1] // self.group
        # As a box of all of x: image, channel of the group, group.
        steps = (0, shape[1] * inner, inner, each * inner)
        self.g = kernels.Box(1, shape[0], each, self.group, inner, 0, *steps)

    def forward(self, bottom, top):
        self.k.take_box(bottom[0].data, top[0].data, self.g)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.k.put_box(top[0].diff, bottom[0].diff, self.g)
