"""MaskPooling: features of regions, each multiplied by its mask."""

from __future__ import annotations

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import masks


class MaskPooling(Layer):
    """y[r, c] = x[r, c] * m[r], pixel by pixel.

    Shapes    bottom[0]: x (r, c, h, w); bottom[1]: m (r, 1, h, w); top[0]: like bottom[0].
    Backward  dx = dy * m; dm = sum of dy * x over c; reads both bottoms.
    Source    MaskPooling of MNC's Caffe; Dai, He & Sun 2016.
    Differs   runs on every device.
    Raises    ShapeError for a mask that does not fit.
    """

    type = "MaskPooling"
    bottoms = 2
    kernels = masks
    backward_reads = frozenset({"bottom.data"})
    operations = (1, 1, 0)

    def reshape(self, bottom, top):
        x, mask = bottom[0].shape, bottom[1].shape
        if len(x) != 4 or mask != (x[0], 1, *x[2:]):
            raise ShapeError(f"bottoms must be (r, c, h, w) and (r, 1, h, w); got {x} and {mask}")
        top[0].reshape_like(bottom[0])
        self.g = masks.Masks(x[0], x[1], x[2] * x[3])

    def forward(self, bottom, top):
        self.k.masked(bottom[0].data, bottom[1].data, top[0].data, self.g)

    def backward(self, top, propagate_down, bottom):
        x, mask, dy = bottom[0].data, bottom[1].data, top[0].diff
        if propagate_down[0]:
            self.k.masked(dy, mask, bottom[0].diff, self.g)
        if propagate_down[1]:
            self.k.mask_slope(x, dy, bottom[1].diff, self.g)
