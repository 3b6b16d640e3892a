"""Where a layer's random numbers come from."""

from __future__ import annotations

import zlib

import numpy as np


class Stream:
    """Key and position of one layer's random numbers, in device memory: [key 0, key 1, pass, unused], uint32.

    Kernels draw word w of item i in pass p from philox(counter (w, i, p), key); the key is the seed and the
    layer's
    name.  So numbers depend on nothing that happened before, and a replay of the pass draws them again.
    """

    def __init__(self, device, seed: int, name: str) -> None:
        self.device = device
        self.data = device.empty((4,), np.uint32)
        self._host = np.array(
            [seed & 0xFFFFFFFF, zlib.crc32(name.encode()) ^ (seed >> 32 & 0xFFFFFFFF), 0, 0], np.uint32
        )
        self.seek(0)

    def seek(self, passes: int) -> None:
        """Move to forward pass number `passes`."""
        self._host[2] = passes & 0xFFFFFFFF
        self.device.put(self._host, self.data)
