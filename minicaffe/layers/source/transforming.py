"""Crop, mirror, mean, scale and std on the device, for batches that travel as bytes."""

from __future__ import annotations

import numpy as np

from ...data.transformer import Transformer
from ...device.base import Device
from ...kernels import transform as family


class DeviceTransform:
    """What a Transformer has left undone in a batch: out = (pixel - mean) * (scale / std), in the same
    arithmetic, so with the same bits as on the host.

    The mean and the factors lie on the device from the start.  The bytes arrive in memory that stays as long
    as batches have one shape, and windows are sent when they are others than those of the last batch.
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
        self._shape: tuple[int, ...] = ()  # of the bytes that there is memory for
        self._windows_there: np.ndarray | None = None

    def out_shape(self, pixels: np.ndarray) -> tuple[int, ...]:
        """What these images will be."""
        n, c, h, w = pixels.shape
        return (n, c, self.crop or h, self.crop or w)

    def __call__(self, pixels: np.ndarray, windows: np.ndarray, out) -> None:
        """Send a batch's bytes and windows, and write the transformed images into `out`, of `out_shape`."""
        if pixels.shape != self._shape:
            self._prepare(pixels.shape)
        self.device.stage(pixels, self.pixels)
        if windows is not self._windows_there:
            self.device.put(windows, self.windows)
            # An array that can be written to could hold others next time.
            self._windows_there = None if windows.flags.writeable else windows
        self.kernels.transform(self.pixels, self.windows, self.mean, self.factors, out, self.cut)

    def _prepare(self, shape: tuple[int, ...]) -> None:
        n, c, h, w = self._shape = shape
        self.pixels = self.device.empty(shape, np.uint8)
        self.windows = self.device.empty((n, 3), np.int32)
        self._windows_there = None
        self.cut = family.Cut(n, c, h, w, self.crop or h, self.crop or w, *self.steps)
