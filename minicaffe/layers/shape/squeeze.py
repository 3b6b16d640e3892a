"""Squeeze: a shape without axes of extent 1."""

from __future__ import annotations

from ...core.layer import Layer
from ...errors import ShapeError


class Squeeze(Layer):
    """y = x without some axes of extent 1.

    Param     squeeze_param: axis, which ones, as often as there are; negative ones count from the end;
              none: all that have extent 1.
    Shapes    bottom[0]: any; top[0]: the extents that are left.  Data and diff are shared.
    Backward  dx = dy; nothing to do.
    Source    Squeeze of Synopsys' Caffe.  With a single axis it is read as a Reshape.
    Raises    ShapeError for an axis that x does not have, or of another extent.
    """

    type = "Squeeze"
    backward_reads = frozenset()
    operations = (0, 0, 0)

    def reshape(self, bottom, top):
        x, given = bottom[0], list(self.param.squeeze_param.axis)
        gone = {x.axis(axis) for axis in given} if given else {i for i, n in enumerate(x.shape) if n == 1}
        for axis in sorted(gone):
            if x.shape[axis] != 1:
                raise ShapeError(f"squeeze_param: axis {axis} of bottom 0, {x.shape}, has not extent 1")
        top[0].reshape(*(n for i, n in enumerate(x.shape) if i not in gone))
        top[0].share_data(x)
        top[0].share_diff(x)

    def forward(self, bottom, top):
        pass

    def backward(self, top, propagate_down, bottom):
        pass
