"""UpsampleDarknet: every pixel becomes a square of equal ones."""

from __future__ import annotations

from .enlarging import Enlarging


class UpsampleDarknet(Enlarging):
    """y[i, j] = x[i / s, j / s], rounded down.

    Param     upsample_darknet_param: stride (1), s.
    Shapes    bottom[0]: x (n, c, h, w); top[0]: (n, c, h s, w s).
    Backward  dx = the sum of dy over the pixels that x became; reads nothing.
    Source    UpsampleDarknet of Synopsys' Caffe; darknet's upsample.
    """

    type = "UpsampleDarknet"

    def setup(self, bottom, top):
        super().setup(bottom, top)
        stride = self.param.upsample_darknet_param.stride
        self.require(stride > 0, f"upsample_darknet_param.stride must be at least 1; got {stride}")
        self.stride = stride, stride

    def reshape(self, bottom, top):
        h, w = self.planes(bottom)[2:]
        self.enlarge(bottom, top, (h * self.stride[0], w * self.stride[1]), self.stride, self.stride)
