"""The batches of a data set whose images all have one shape."""

from __future__ import annotations

import numpy as np

from .batch import Batch
from .datasets import Samples
from .order import Order, Share
from .transformer import Transformer


class Batches:
    """Reads and transforms batch number b of a data set.  The result depends on b alone, not on earlier
    calls.

    samples  images (N, C, H, W) and their labels
    order    which sample comes when
    """

    def __init__(self, samples: Samples, transformer: Transformer, order: Order, share: Share) -> None:
        self.samples, self.transformer, self.order, self.share = samples, transformer, order, share
        self._pixels = np.empty((share.batch, *samples.images.shape[1:]), samples.images.dtype)

    def __call__(self, number: int, out: Batch) -> None:
        """Write batch `number`."""
        at = self.share.positions(number)
        index = self.order.samples(at)
        self.transformer.fill(out, self._images(index), at, self.share.key)
        if self.samples.labels is not None:
            out.label(self.samples.labels[index])

    def read(self, index: int) -> tuple[np.ndarray, int | None]:
        """Image (C, H, W) and label of a sample, not transformed."""
        labels = self.samples.labels
        image = self.samples.images.take(np.array([index]), axis=0)[0]
        return image, None if labels is None else int(labels[index])

    def transformer_for(self, shape: tuple[int, int, int]) -> Transformer:
        """The transformer for images of this shape; here it is the same for all."""
        return self.transformer

    def _images(self, index: np.ndarray) -> np.ndarray:
        """The images of these numbers; where they lie one behind the other, no copy."""
        step, images = self.share.size, self.samples.images
        first, end = int(index[0]), int(index[0]) + step * self.share.batch
        if not self.order.shuffle and end - step < len(images):
            return images[first:end:step]
        # mode="clip" (no index is out of range) spares NumPy a buffer of its own
        return images.take(index, axis=0, out=self._pixels, mode="clip")
