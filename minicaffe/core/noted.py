"""What kernels cannot complain of: the first value of a bottom that they could not use."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..device.base import Device
from ..kernels.reindex import NONE


class Noted:
    """The first value that is no label, index or kind.

    Kernels never follow such a value, but cannot raise either: they note the first one in device memory of
    its own, position[0] and value[0], where it stays until the host looks.  position[1] is for what a kernel
    counts on the way, and is 0 whenever none runs.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self.position = device.zeros((2,), np.int32)
        self.value = device.empty((1,))
        self._forget()

    def take(self, shape: Sequence[int]) -> tuple[float, list[int]] | None:
        """The value noted and its place in a blob of this shape, if there is one; it is then forgotten."""
        position = int(self.device.get(self.position)[0])
        if position == NONE:
            return None
        self._forget()
        # After a reshape the position may be none of the present shape.
        inside = position < math.prod(shape)
        place = [int(i) for i in np.unravel_index(position, shape)] if inside else [position]
        return float(self.device.get(self.value)[0]), place

    def _forget(self) -> None:
        self.device.fill(self.position[:1], NONE)
