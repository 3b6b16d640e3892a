"""LRN: local response normalization."""

from __future__ import annotations

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import lrn
from ...proto.schema import enum_name


class LRN(Layer):
    """y = x * s^-beta with s = k + alpha / m * (sum of x^2 over a neighbourhood of m elements).

    ACROSS_CHANNELS   local_size channels around the element's; m = local_size
    WITHIN_CHANNEL    local_size rows and columns around the element, k = 1; m = local_size^2

    What the neighbourhood covers outside the blob counts as zeros.

    Param     lrn_param: local_size (5, odd); alpha (1); beta (0.75); k (1), which WITHIN_CHANNEL ignores, as
              in Caffe; norm_region (ACROSS_CHANNELS).  engine is read and means nothing here.
    Shapes    bottom[0], top[0]: (n, c, h, w), equal.
    Backward  dx = dy * s^-beta - 2 alpha beta / m * x * (sum of dy * y / s over the neighbourhood); reads
              bottom.data and top.data; 1 / s is saved.
    Source    Caffe's LRN layer; Krizhevsky, Sutskever & Hinton 2012.
    """

    type = "LRN"
    kernels = lrn

    def setup(self, bottom, top):
        conf = self.param.lrn_param
        size = conf.local_size
        self.require(size % 2 == 1, f"lrn_param.local_size must be odd; got {size}")
        self.across = enum_name(conf, "norm_region") == "ACROSS_CHANNELS"
        reach = size // 2
        self.reach = (reach, 0) if self.across else (reach, reach)
        self.constant = conf.k if self.across else 1.0
        self.alpha = conf.alpha / (size if self.across else size * size)
        self.beta = conf.beta
        neighbours = size if self.across else size * size
        self.operations = (neighbours + 2, neighbours + 5, 0)

    def reshape(self, bottom, top):
        shape = bottom[0].shape
        if len(shape) != 4:
            raise ShapeError(f"bottom 0 must have 4 axes (n, c, h, w); got {shape}")
        top[0].reshape(*shape)
        self.inverse = self.saved(shape)
        n, c, h, w = shape
        lines = (n, c, h * w) if self.across else (n * c, h, w)
        self.g = lrn.Lrn(*lines, *self.reach)

    def forward(self, bottom, top):
        x, y = bottom[0].data, top[0].data
        self.k.lrn_forward(x, y, self.inverse.data, self.g, self.constant, self.alpha, self.beta)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            x, y, dy, dx = bottom[0].data, top[0].data, top[0].diff, bottom[0].diff
            factor = 2 * self.alpha * self.beta
            self.k.lrn_backward(x, y, self.inverse.data, dy, dx, self.g, factor, self.beta)
