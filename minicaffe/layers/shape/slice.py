"""Slice: a blob cut into parts along an axis."""

from __future__ import annotations

from ...errors import ShapeError
from .parts import Parts


class Slice(Parts):
    """y_i = part i of x, the parts following each other along an axis.

    Param     slice_param: axis (1; negative counts from the end), or the older slice_dim, not both;
              slice_point, where every part but the first begins: rising, within the axis, one less than tops.
              Without it the parts are equal.
    Shapes    bottom[0]: any; top[i]: the same but for the axis, where the tops' extents add up to the
              bottom's.  A single top shares data and diff with the bottom.
    Backward  dx = the dy_i, one behind the other, where a top that nobody differentiates counts as zero;
              reads nothing.
    Source    Caffe's Slice layer.
    Differs   a slice_point behind the end of the axis is named as such; Caffe stops at a negative extent.
    """

    type = "Slice"
    tops = (1, None)
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        conf = self.param.slice_param
        self.axis = self.read_axis(conf, "slice_dim")
        self.points = list(conf.slice_point)
        if self.points:
            self.require(
                len(self.points) == len(top) - 1,
                f"{len(top)} tops need {len(top) - 1} values of slice_point; got {len(self.points)}",
                "a slice_point is where a top but the first begins",
            )
            rising = all(a < b for a, b in zip([0, *self.points], self.points))
            self.require(rising, f"the values of slice_point must rise, from 1 or more; got {self.points}")

    def reshape(self, bottom, top):
        x, axis = bottom[0], bottom[0].axis(self.axis)
        extent, parts = x.shape[axis], len(top)
        if self.points and self.points[-1] >= extent:
            raise ShapeError(
                f"slice_point {self.points[-1]} lies behind axis {axis} of bottom 0 of shape {x.shape}",
                hint=f"the last part would be empty: slice_point must be below {extent}",
            )
        if not self.points and (extent % parts or extent < parts):
            raise ShapeError(
                f"axis {axis} of bottom 0 of shape {x.shape} cannot be cut into {parts} equal parts",
                hint="give slice_point",
            )
        starts = [0, *self.points] if self.points else list(range(0, extent, extent // parts))
        for blob, start, end in zip(top, starts, [*starts[1:], extent]):
            blob.reshape(*x.shape[:axis], end - start, *x.shape[axis + 1 :])
        self.lay_out(bottom, top, axis)

    def forward(self, bottom, top):
        for blob, g in zip(top, self.cuts):
            self.k.copy_rows(bottom[0].data, blob.data, g)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            for blob, g in zip(top, self.joins):
                self.k.copy_rows(blob.diff, bottom[0].diff, g)
