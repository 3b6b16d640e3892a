"""Transpose: the axes of a blob in another order, all of them named."""

from __future__ import annotations

from ...errors import ShapeError
from .permute import Permute


class Transpose(Permute):
    """y = x with its axes in another order: y[i_0, i_1, ...] = x where axis dim[k] has the index i_k.

    Param     transpose_param: dim, every axis of x once.
    Shapes    bottom[0]: any; top[0]: the extents of bottom[0] in the order.  If that is the order they have,
              data and diff are shared.
    Backward  dx = dy with its axes back in the order of x; reads nothing.
    Source    Transpose of caffe_ocr; Permute does the same, and names fewer axes.
    Raises    ConfigError for an axis named twice, ShapeError for one that is left out or that x does not
              have, and where more than 5 axes move apart from each other.
    """

    type = "Transpose"
    field = "transpose_param.dim"

    def reshape(self, bottom, top):
        axes = len(bottom[0].shape)
        if len(self.order) != axes:
            raise ShapeError(
                f"{self.field} must name every axis of bottom 0, {axes} of them for {bottom[0].shape};"
                f" got {self.order}"
            )
        super().reshape(bottom, top)
