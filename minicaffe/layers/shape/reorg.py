"""Reorg: pixels of blocks become channels, or the other way round."""

from __future__ import annotations

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import reorg


class Reorg(Layer):
    """y = x with s times fewer rows and columns, s^2 times more channels; reverse: s times more, s^2 fewer.

    The numbers of x, seen as f (n, c / s^2, h s, w s), become g (n, s, s, c / s^2, h, w), whose numbers are
    those of y: g[n, a, b, k, i, j] = f[n, k, i s + a, j s + b].  reverse: x is seen as g, and y is f.

    Param     reorg_param: stride, s, needed; reverse (false).
    Shapes    bottom[0]: x (n, c, h, w), c divisible by s^2; top[0]: (n, c s^2, h / s, w / s), h and w
              divisible by s; reverse: (n, c / s^2, h s, w s).
    Backward  dx = dy in the order of x; reads nothing.
    Source    Reorg of Intel's Caffe and MobileNet-YOLO's; darknet's reorg loop, whose order is kept: without
              reverse, blocks are not those of the image x, but of f.
    Differs   the gradient is that of the formula, where the forks' reads a buffer that nobody fills.  Sizes
              that do not divide are refused, where the forks read other memory.
    """

    type = "Reorg"
    kernels = reorg
    backward_reads = frozenset()
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        conf = self.param.reorg_param
        self.side, self.coarse = conf.stride, int(not conf.reverse)
        self.require(self.side > 0, f"reorg_param.stride must be set and greater than 0; got {self.side}")

    def reshape(self, bottom, top):
        shape, s = bottom[0].shape, self.side
        if len(shape) != 4:
            raise ShapeError(f"bottom 0 must have 4 axes (n, c, h, w); got {shape}")
        n, c, h, w = shape
        if c % s**2 or (self.coarse and (h % s or w % s)):
            sizes = f"channels by {s**2}" + (f", rows and columns by {s}" if self.coarse else "")
            raise ShapeError(f"bottom 0 must be divisible: {sizes}; got {shape}")
        if self.coarse:
            top[0].reshape(n, c * s**2, h // s, w // s)
        else:
            top[0].reshape(n, c // s**2, h * s, w * s)
        self.g = reorg.Blocks(n, c // s**2, h, w, s)

    def forward(self, bottom, top):
        self.k.reorg(bottom[0].data, top[0].data, self.g, self.coarse)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.k.reorg(top[0].diff, bottom[0].diff, self.g, 1 - self.coarse)
