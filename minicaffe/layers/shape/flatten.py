"""Flatten: several axes as one."""

from __future__ import annotations

from ...core.layer import Layer
from ...errors import ShapeError


class Flatten(Layer):
    """y = x with the axes from `axis` to `end_axis` made one.

    Param     flatten_param: axis (1), end_axis (-1), both included; negative counts from the end.  With axis
              = end_axis + 1 an axis of extent 1 is inserted.
    Shapes    bottom[0] (a..., b..., c...) with b... the axes to join; top[0] (a..., product of b..., c...).
              Data and diff are shared.
    Backward  dx = dy; nothing to do.
    Source    Caffe's Flatten layer.
    """

    type = "Flatten"
    backward_reads = frozenset()
    operations = (0, 0, 0)

    def reshape(self, bottom, top):
        conf, shape = self.param.flatten_param, bottom[0].shape
        first, last = bottom[0].axis(conf.axis), bottom[0].axis(conf.end_axis)
        if first > last + 1:
            raise ShapeError(
                f"axis {conf.axis} lies behind end_axis {conf.end_axis}: bottom 0 has the shape {shape}"
            )
        top[0].reshape(*shape[:first], bottom[0].count_over(first, last + 1), *shape[last + 1 :])
        top[0].share_data(bottom[0])
        top[0].share_diff(bottom[0])

    def forward(self, bottom, top):
        pass

    def backward(self, top, propagate_down, bottom):
        pass
