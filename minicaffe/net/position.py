"""Where a net is in its sequence of passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..core.layer import Layer
from ..device.base import Device
from ..errors import ShapeError


class Position(NamedTuple):
    """Where a net is: forward passes begun, and what layers carry from pass to pass, by layer name."""

    passes: int
    carried: dict[str, list[np.ndarray]] = {}

    @classmethod
    def of(cls, passes: int, layers: Sequence[Layer], device: Device) -> Position:
        """With copies of what the layers carry now."""
        carried = {layer.name: list(map(device.get, layer.state)) for layer in layers if layer.state}
        return cls(passes, carried)

    def hand_out(self, layers: Sequence[Layer], device: Device) -> None:
        """Let the layers carry what they did here; those that the position does not speak of stay as they
        are.  ShapeError if it is another net's."""
        for layer in layers:
            arrays = self.carried.get(layer.name, [])
            if arrays and [a.shape for a in arrays] != [a.shape for a in layer.state]:
                shapes = [a.shape for a in arrays]
                raise ShapeError(
                    f"the state of layer {layer.name!r} has shapes {shapes}, not those of the net"
                )
            for stored, array in zip(arrays, layer.state):
                device.put(stored, array)
