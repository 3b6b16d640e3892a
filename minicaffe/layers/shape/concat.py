"""Concat: blobs joined along an axis."""

from __future__ import annotations

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import shape as kernels


class Concat(Layer):
    """y = the bottoms, one behind the other along an axis.

    Param     concat_param: axis (1; negative counts from the end), or the older concat_dim, not both.
    Shapes    bottom[i] alike but for the axis; top[0]: their extents along the axis added.  A single bottom
              shares data and diff with the top.
    Backward  dx_i = its part of dy; reads nothing.
    Source    Caffe's Concat layer.
    """

    type = "Concat"
    bottoms = (1, None)
    kernels = kernels
    backward_reads = frozenset()
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        conf = self.param.concat_param
        old = conf.HasField("concat_dim")
        self.require(
            not (old and conf.HasField("axis")), "both axis and concat_dim are set", "remove concat_dim"
        )
        self.axis = conf.concat_dim if old else conf.axis

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
        if len(bottom) == 1:
            top[0].share_data(bottom[0])
            top[0].share_diff(bottom[0])
        # Seen as rows, one per index in front of the axis, every row of the top holds one row of each bottom.
        rows, step, start = bottom[0].count_over(0, axis), top[0].count_over(axis), 0
        self.up, self.down = [], []
        for blob in bottom:
            length = blob.count_over(axis)
            self.up.append(kernels.Rows(rows, length, 0, length, start, step))
            self.down.append(kernels.Rows(rows, length, start, step, 0, length))
            start += length

    def forward(self, bottom, top):
        if len(bottom) > 1:
            for blob, g in zip(bottom, self.up):
                self.k.copy_rows(blob.data, top[0].data, g)

    def backward(self, top, propagate_down, bottom):
        if len(bottom) > 1:
            for blob, g, wanted in zip(bottom, self.down, propagate_down):
                if wanted:
                    self.k.copy_rows(top[0].diff, blob.diff, g)
