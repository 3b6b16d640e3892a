"""The mean image of a data set, and mean and standard deviation of its channels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class Statistics:
    """Of images (C, H, W), uint8, in sums of whole numbers, so that neither order nor number changes them."""

    def __init__(self) -> None:
        self.count = 0
        self.alike = True  # whether all images had one shape
        self._total: np.ndarray | None = None
        self._squares = np.zeros(0)

    def add(self, images: Sequence[np.ndarray]) -> None:
        """Images; once two had different shapes there is no mean image, and nothing is summed."""
        self.alike = self.alike and all(image.shape == images[0].shape for image in images)
        if self._total is not None and images[0].shape != self._total.shape:
            self.alike = False
        if not self.alike:
            return
        if self._total is None:
            self._total = np.zeros(images[0].shape, np.int64)
            self._squares = np.zeros(len(images[0]), np.int64)
        for image in images:
            self._total += image
        values = np.stack([image.reshape(len(image), -1) for image in images])  # (n, C, H W)
        for channel in range(len(self._squares)):
            histogram = np.bincount(values[:, channel].ravel(), minlength=256)
            self._squares[channel] += histogram @ np.arange(256) ** 2
        self.count += len(images)

    def mean(self) -> np.ndarray | None:
        """The mean image, (C, H, W), float64; None if there is none."""
        return self._total / self.count if self.alike and self._total is not None else None

    def channels(self) -> tuple[list[float], list[float]]:
        """Mean and standard deviation of every channel; none if there is no mean image."""
        mean = self.mean()
        if mean is None or self._total is None:
            return [], []
        pixels = self.count * mean[0].size
        means = self._total.sum(axis=(1, 2)) / pixels
        spread = np.sqrt(np.maximum(self._squares / pixels - means**2, 0))
        return means.tolist(), spread.tolist()
