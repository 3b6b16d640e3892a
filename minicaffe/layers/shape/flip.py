"""Flip: images mirrored."""

from __future__ import annotations

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import shape as kernels


class Flip(Layer):
    """y = x with its columns, its rows, or both in reverse.

    Param     flip_param: flip_width (true), flip_height (false).
    Shapes    bottom[0], top[0]: (n, c, h, w), equal.
    Backward  dx = dy in reverse likewise; reads nothing.
    Source    Flip of happynear's Caffe.
    Raises    ShapeError for a bottom that has not four axes.
    """

    type = "Flip"
    kernels = kernels
    backward_reads = frozenset()
    operations = (0, 0, 0)

    def reshape(self, bottom, top):
        conf, shape = self.param.flip_param, bottom[0].shape
        if len(shape) != 4:
            raise ShapeError(f"bottom 0 must have 4 axes (n, c, h, w); got {shape}")
        top[0].reshape(*shape)
        planes, (h, w) = shape[0] * shape[1], shape[2:]
        start, down = ((h - 1) * w, -w) if conf.flip_height else (0, w)
        # As a box of x: planes and rows, of whole rows; or of single pixels, from the last one back.
        self.g = kernels.Box(1, 1, planes, h, w, start, 0, 0, h * w, down)
        if conf.flip_width:
            self.g = kernels.Box(1, planes, h, w, 1, start + w - 1, 0, h * w, down, -1)

    def forward(self, bottom, top):
        self.k.take_box(bottom[0].data, top[0].data, self.g)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.k.take_box(top[0].diff, bottom[0].diff, self.g)
