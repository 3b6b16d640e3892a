"""Concat: blobs joined along an axis."""

from __future__ import annotations

from ...errors import ShapeError
from .parts import Parts


class Concat(Parts):
    """y = the bottoms, one behind the other along an axis.

    Param     concat_param: axis (1; negative counts from the end), or the older concat_dim, not both.
    Shapes    bottom[i] alike but for the axis; top[0]: their extents along the axis added.  A single bottom
              shares data and diff with the top.
    Backward  dx_i = its part of dy; reads nothing.
    Source    Caffe's Concat layer.
    """

    type = "Concat"
    bottoms = (1, None)
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        self.axis = self.read_axis(self.param.concat_param, "concat_dim")

    def reshape(self, bottom, top):
        first, axis = bottom[0].shape, bottom[0].axis(self.axis)
        for i, blob in enumerate(bottom):
            shape = blob.shape
            if len(shape) != len(first) or any(
                a != b for d, (a, b) in enumerate(zip(shape, first)) if d != axis
            ):
                raise ShapeError(
                    f"bottom {i} and bottom 0 must agree in all axes but {axis}; got {shape} and {first}"
                )
        total = sum(blob.shape[axis] for blob in bottom)
        top[0].reshape(*first[:axis], total, *first[axis + 1 :])
        self.lay_out(bottom, top, axis)

    def forward(self, bottom, top):
        for blob, g in zip(bottom, self.joins):
            self.k.copy_rows(blob.data, top[0].data, g)

    def backward(self, top, propagate_down, bottom):
        for blob, g, wanted in zip(bottom, self.cuts, propagate_down):
            if wanted:
                self.k.copy_rows(top[0].diff, blob.diff, g)
