"""The two limits of a GPU, as measured: operations and bytes per second."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minicaffe.device.base import Device

from .measure import gpu_seconds
from .setting import Effort


class Roof(NamedTuple):
    """What no layer is expected to exceed."""

    flops_per_s: float
    bytes_per_s: float

    def share(self, flops: int | None, nbytes: int | None, seconds: float) -> float | None:
        """The least time of a piece of work over the time it took; None if nothing is known of it."""
        least = max((flops or 0) / self.flops_per_s, (nbytes or 0) / self.bytes_per_s)
        return least / seconds if least and seconds > 0 else None


def measure(device: Device, effort: Effort) -> Roof:
    edge = effort.edge
    product = np.median(product_seconds(device, (edge, edge, edge), effort))
    return Roof(2 * edge**3 / product, 2 * effort.nbytes / np.median(copy_seconds(device, effort)))


def product_seconds(device: Device, shape: tuple[int, int, int], effort: Effort) -> np.ndarray:
    """Of the device's matrix product (m, k) times (k, n) on normal random numbers."""
    m, n, k = shape
    rng = np.random.default_rng(0)
    a, b, c = device.empty((m, k)), device.empty((k, n)), device.empty((m, n))
    for array in (a, b):
        device.put(rng.standard_normal(array.shape, np.float32), array)
    return gpu_seconds(device, lambda: device.gemm(a, b, c), effort)


def copy_seconds(device: Device, effort: Effort) -> np.ndarray:
    """Of a copy on the device."""
    source, target = (device.zeros((effort.nbytes,), np.uint8) for _ in range(2))
    return gpu_seconds(device, lambda: device.copy(source, target), effort)
