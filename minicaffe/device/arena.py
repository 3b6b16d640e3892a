"""One allocation, many views."""

from __future__ import annotations

import math

import numpy as np


class Arena:
    """A block of bytes on a device, and typed views into it."""

    def __init__(self, device, nbytes: int) -> None:
        self.nbytes = nbytes
        self.device = device
        self.block = device.zeros((nbytes,), np.uint8)

    def view(self, offset: int, shape: tuple[int, ...], dtype):
        """The array of `shape` that starts `offset` bytes into the block."""
        self.device.check_shape(shape)
        nbytes = math.prod(shape) * np.dtype(dtype).itemsize
        return self.block[offset : offset + nbytes].view(dtype).reshape(shape)
