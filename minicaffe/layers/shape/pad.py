"""Pad: a blob with a border of one value."""

from __future__ import annotations

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import shape as kernels
from .crop import box


class Pad(Layer):
    """y = x, with elements of one value before and behind it along every axis.

    Param     pad_param: paddings, for each axis of x how many before and how many behind; constant_values
              (0), the value.
    Shapes    bottom[0]: any; top[0]: longer by the paddings.
    Backward  dx = dy without the border; reads nothing.
    Source    Pad of Synopsys' Caffe.
    Differs   has a gradient, where the fork has none.
    Raises    ShapeError where there are not two paddings for each axis, and where more than 5 axes that are
              not next to each other are padded.
    """

    type = "Pad"
    kernels = kernels
    backward_reads = frozenset()
    operations = (0, 0, 0)

    def reshape(self, bottom, top):
        given, shape = list(self.param.pad_param.paddings), bottom[0].shape
        if len(given) != 2 * len(shape):
            raise ShapeError(
                f"pad_param.paddings must have two values for each of the {len(shape)} axes of bottom 0,"
                f" {shape}; got {given}"
            )
        self.paddings = list(zip(given[::2], given[1::2]))
        top[0].reshape(*(before + n + behind for n, (before, behind) in zip(shape, self.paddings)))
        self.g = box(top[0].shape, shape, given[::2])

    def forward(self, bottom, top):
        self.device.fill(top[0].data, self.param.pad_param.constant_values)
        self.k.put_box(bottom[0].data, top[0].data, self.g)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.k.take_box(top[0].diff, bottom[0].diff, self.g)
