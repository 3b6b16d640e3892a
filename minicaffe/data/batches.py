"""A data set as numbered batches."""

from __future__ import annotations

import numpy as np

from .datasets import Samples
from .order import Order, positions
from .transformer import Transformer


class Batches:
    """Batch number b of a data set, transformed; a function of b.

    samples      images (N, C, H, W) and their labels
    order        which sample comes when
    key          of the transformer's random numbers
    rank, size   of this process among those that share the data set
    """

    def __init__(
        self,
        samples: Samples,
        transformer: Transformer,
        order: Order,
        batch: int,
        *,
        key: tuple[int, int] = (0, 0),
        rank: int = 0,
        size: int = 1,
    ) -> None:
        self.samples, self.transformer, self.order = samples, transformer, order
        self.batch, self.key, self.rank, self.size = batch, key, rank, size
        self._pixels = np.empty((batch, *samples.images.shape[1:]), samples.images.dtype)

    def __call__(self, number: int, out: list[np.ndarray]) -> None:
        """Write batch `number`: images into out[0], labels, if there are any, into out[1]."""
        at = positions(number, self.batch, self.rank, self.size)
        index = self.order.samples(at)
        # mode="clip" (no index is out of range) spares NumPy a buffer of its own
        np.take(self.samples.images, index, axis=0, out=self._pixels, mode="clip")
        self.transformer(self._pixels, out[0], at, self.key)
        if self.samples.labels is not None:
            out[1][...] = self.samples.labels[index]
