"""The base of Scale and Bias: an operand that is repeated over the other axes of the bottom."""

from __future__ import annotations

import math
from typing import Any

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import activation
from ...kernels.scale import Extent
from ...proto.schema import FillerParameter, Message


class Broadcast(Layer):
    """The operand has the extent of some axes of bottom 0, from `axis` on; it is bottom 1, whose rank then
    says how many, or else a parameter over num_axes axes (-1: to the last one; 0: a single number).

    In place, a copy is kept of what the gradient reads.
    """

    bottoms = (1, 2)
    backward_reads = frozenset({"bottom.data"})
    in_place_ok = True
    has_params = True
    ends_in_relu = True

    def take_operand(self, bottom, top, conf: Message, neutral: float) -> None:
        """In setup: read axis, num_axes and filler (constant `neutral` if there is none)."""
        self.neuron = self.device.bind(activation)
        self.axis, self.num_axes = conf.axis, conf.num_axes
        self.require(self.num_axes >= -1, f"num_axes must be at least -1; got {self.num_axes}")
        self.in_place = top[0] is bottom[0]
        self.own = len(bottom) == 1  # the operand is a parameter
        if self.in_place:
            self.backward_reads = frozenset()
        if self.own:
            plain = FillerParameter(type="constant", value=neutral)
            self.add_param(self.operand_shape(bottom), conf.filler if conf.HasField("filler") else plain)

    def operand_shape(self, bottom) -> tuple[int, ...]:
        if len(bottom) == 2:
            return bottom[1].shape
        shape = bottom[0].shape
        if self.num_axes == 0:
            return ()
        first = bottom[0].axis(self.axis)
        last = len(shape) if self.num_axes == -1 else first + self.num_axes
        if last > len(shape):
            raise ShapeError(f"axis {first} and num_axes {self.num_axes} reach beyond bottom 0, {shape}")
        return shape[first:last]

    def reshape(self, bottom, top):
        x, shape = bottom[0], self.operand_shape(bottom)
        first = x.axis(self.axis) if shape else 0
        if x.shape[first : first + len(shape)] != shape:
            raise ShapeError(
                f"bottom 1 of shape {shape} does not fit bottom 0, {x.shape}, from axis {first} on"
            )
        if len(bottom) == 1 and shape != self.params[0].shape:
            raise ShapeError(
                f"the parameter has the shape {self.params[0].shape}; bottom 0 now asks for {shape}"
            )
        self.g = Extent(x.count_over(0, first), math.prod(shape), x.count_over(first + len(shape)))
        if not self.in_place:
            top[0].reshape_like(x)

    def operand(self, bottom):
        """The blob that holds it."""
        return bottom[1] if len(bottom) == 2 else self.params[0]

    def begin_backward(self, top, db: Any, add: bool) -> None:
        """What comes first in backward: dy where y > 0, in place, if the layer ends in a ReLU; db (None if it
        is not wanted) = the sum of dy over the other axes, + db if `add`."""
        y, dy = top[0].data, top[0].diff
        if self.relu and db is not None:
            self.k.relu_bias_gradient(y, dy, db, self.g, int(add))
        elif self.relu:
            self.neuron.relu_backward(y, dy, dy, 0)
        elif db is not None:
            self.k.bias_gradient(dy, db, self.g, int(add))
