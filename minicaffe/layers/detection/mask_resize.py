"""MaskResize: masks brought to another size."""

from __future__ import annotations

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import masks
from .regions import positive


class MaskResize(Layer):
    """y[i, j] = x at (i h / output_height, j w / output_width), between four pixels.

    Behind the last row and column x stays as it is there.

    Param     mask_resize_param: output_height and output_width, needed.
    Shapes    bottom[0]: x (n, c, h, w); top[0]: (n, c, output_height, output_width).
    Backward  dx = dy, shared among the four pixels; reads nothing.
    Source    MaskResize of MNC's Caffe; Dai, He & Sun 2016.
    Differs   runs on every device.  The gradient is complete, where the fork's has at most four outputs for a
              pixel.
    """

    type = "MaskResize"
    kernels = masks
    backward_reads = frozenset()
    operations = (4, 4, 0)

    def setup(self, bottom, top):
        conf = self.param.mask_resize_param
        self.size = tuple(positive(self, conf, "output_height", "output_width"))

    def reshape(self, bottom, top):
        shape = bottom[0].shape
        if len(shape) != 4:
            raise ShapeError(f"bottom 0 must have 4 axes (n, c, h, w); got {shape}")
        top[0].reshape(*shape[:2], *self.size)
        self.g = masks.Stretch(shape[0] * shape[1], *shape[2:], *self.size)

    def forward(self, bottom, top):
        self.k.stretch_forward(bottom[0].data, top[0].data, self.g)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.k.stretch_backward(top[0].diff, bottom[0].diff, self.g)
