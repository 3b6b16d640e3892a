"""Where a layer's random numbers come from."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np


class Stream:
    """Key and position of one layer's random numbers, in device memory: [key 0, key 1, pass, unused], uint32.

    Kernels draw from philox under this key, at a counter made of the pass and the place in the batch; the key
    is the seed and the layer's name.  So numbers depend on nothing that happened before, and a replay of a
    pass draws them again.
    """

    def __init__(self, device, seed: int, name: str) -> None:
        self.device = device
        self.name = name
        self.data = device.empty((4,), np.uint32)
        self._host = np.zeros(4, np.uint32)
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Start over at pass 0 under another seed."""
        self.seed = seed
        self._host[:] = seed & 0xFFFFFFFF, zlib.crc32(self.name.encode()) ^ (seed >> 32 & 0xFFFFFFFF), 0, 0
        self.seek(0)

    def seek(self, passes: int, put: Callable[[np.ndarray, Any], None] | None = None) -> None:
        """Move to forward pass number `passes`: at once, or by way of `put` (see Layer.stage)."""
        self._host[2] = passes & 0xFFFFFFFF
        if put is None:
            self.device.put(self._host, self.data)
        else:
            put(self._host, self)

    @property
    def key(self) -> tuple[int, int]:
        """The key's two words, for what is drawn on the host."""
        return int(self._host[0]), int(self._host[1])

    @property
    def passes(self) -> int:
        """The pass that is drawn for, for what is drawn on the host."""
        return int(self._host[2])
