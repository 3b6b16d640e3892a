"""Permute: the axes of a blob in another order."""

from __future__ import annotations

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import shape, transpose


class Permute(Layer):
    """y = x with its axes in another order: y[i_0, i_1, ...] = x where axis order[k] has the index i_k.

    Param     permute_param: order, of axes of x; those that it leaves out follow in their order.
    Shapes    bottom[0]: any; top[0]: the extents of bottom[0] in the order.  If that is the order they have,
              data and diff are shared.
    Backward  dx = dy with its axes back in the order of x; reads nothing.
    Source    the Permute layer of the SSD fork, and of those for OCR.
    Raises    ConfigError for an axis named twice, ShapeError for one that x does not have, and where more
              than 5 axes move apart from each other.
    """

    type = "Permute"
    kernels = shape
    backward_reads = frozenset()
    operations = (0, 0, 0)
    field = "permute_param.order"

    def setup(self, bottom, top):
        message, name = self.field.split(".")
        self.order = list(getattr(getattr(self.param, message), name))
        self.require(
            len(set(self.order)) == len(self.order), f"{self.field} must name an axis once; got {self.order}"
        )
        self.shared = self.order == list(range(len(self.order)))
        self.turning = self.device.bind(transpose)

    def reshape(self, bottom, top):
        x = bottom[0]
        for axis in self.order:
            if not 0 <= axis < len(x.shape):
                raise ShapeError(
                    f"{self.field} names axis {axis}; bottom 0 has {len(x.shape)} axes, {x.shape}"
                )
        order = self.order + [axis for axis in range(len(x.shape)) if axis not in self.order]
        top[0].reshape(*(x.shape[axis] for axis in order))
        back = [order.index(axis) for axis in range(len(order))]
        try:
            self.there, self.back = transpose.moves(x.shape, order), transpose.moves(top[0].shape, back)
        except ValueError as error:
            raise ShapeError(
                f"{error} axes of bottom 0, {x.shape}, move apart from each other; {transpose.MOST} can",
                hint=f"use two {self.type} layers, one behind the other",
            ) from None
        self.full_order = order
        if self.shared:
            top[0].share_data(x)
            top[0].share_diff(x)

    def forward(self, bottom, top):
        if not self.shared:
            self._move(bottom[0].data, top[0].data, self.there)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0] and not self.shared:
            self._move(top[0].diff, bottom[0].diff, self.back)

    def _move(self, x, y, g) -> None:
        if isinstance(g, transpose.Turn):
            self.turning.turn(x, y, g)
        elif g:
            self.k.take_box(x, y, g)
        else:
            self.device.copy(x, y)
