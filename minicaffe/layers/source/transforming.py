"""Crop, mirror, mean, scale and std on the device, for batches that travel as bytes."""

from __future__ import annotations

import numpy as np

from ...core.blob import Buffer
from ...core.layer import Put
from ...data.transformer import Transformer
from ...device.base import Device
from ...kernels import transform as family


class DeviceTransform:
    """What a Transformer has left undone in a batch: out = (pixel - mean) * (scale / std), in the same
    arithmetic, so with the same bits as on the host.

    The mean and the factors lie on the device from the start.  The bytes arrive in memory that stays as long
    as batches have one shape.
    """

    def __init__(self, device: Device, transformer: Transformer) -> None:
        self.device = device
        self.kernels = device.bind(family)
        self.crop = transformer.crop
        mean = transformer.mean
        self.mean = device.empty(mean.shape)
        device.put(mean.astype(device.dtype), self.mean)
        self.factors = device.empty(transformer.factors.shape)
        device.put(transformer.factors.astype(device.dtype), self.factors)
        plane = mean[0].size
        self.steps = (plane if len(mean) > 1 else 0, int(plane > 1))  # from channel to channel, to next pixel
        self.pixels, self.windows = (
            Buffer("none", (), np.dtype(np.uint8)),
            Buffer("none", (), np.dtype(np.int32)),
        )

    def out_shape(self, pixels: np.ndarray) -> tuple[int, ...]:
        """What these images will be."""
        n, c, h, w = pixels.shape
        return (n, c, self.crop or h, self.crop or w)

    def stage(self, pixels: np.ndarray, windows: np.ndarray, put: Put) -> None:
        """Put a batch's bytes and windows."""
        if pixels.shape != self.pixels.shape:
            n, c, h, w = pixels.shape
            self.pixels = self._room(pixels.shape, np.uint8)
            self.windows = self._room((n, 3), np.int32)
            self.cut = family.Cut(n, c, h, w, self.crop or h, self.crop or w, *self.steps)
        put(pixels, self.pixels)
        put(windows, self.windows)

    def unpack(self, out) -> None:
        """Write the transformed images into `out`, of `out_shape`."""
        self.kernels.transform(self.pixels.data, self.windows.data, self.mean, self.factors, out, self.cut)

    def _room(self, shape: tuple[int, ...], dtype: type) -> Buffer:
        room = Buffer("bytes of images", shape, np.dtype(dtype))
        room.data = self.device.empty(shape, dtype)
        return room
