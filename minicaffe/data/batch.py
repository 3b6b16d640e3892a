"""The memory for one batch on the host."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike


class Batch:
    """Memory for the images and labels of one batch, which is filled again and again.

    images       (N, C, H, W): floats, transformed; or bytes as they were read, if `windows` is not None
    windows      None; or (N, 3), int32: what `Transformer.draw` returned for images that are still bytes and
                 have yet to be transformed
    labels       (N,); None if labels are not wanted
    beside       what stands in the place of labels where it is no number for each image, as rows of boxes or
                 images of labels: arrays of any shape, made anew for every batch
    dtype        the type of transformed images
    takes_bytes  whether images may be left as bytes because the device can transform them
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray | None = None,
        *,
        dtype: DTypeLike | None = None,
        takes_bytes: bool = False,
    ) -> None:
        self.images, self.labels, self.takes_bytes = images, labels, takes_bytes
        self.dtype = images.dtype if dtype is None else np.dtype(dtype)
        self.windows: np.ndarray | None = None
        self.beside: list[np.ndarray] = []
        self._memory = images.reshape(-1, copy=False).view(np.uint8)

    def room(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Give `images` this shape and type, and return it.  New memory is allocated only if the present is
        too small."""
        if self.images.shape != shape or self.images.dtype != dtype:
            nbytes = math.prod(shape) * dtype.itemsize
            if self._memory.size < nbytes:
                self._memory = np.empty(nbytes, np.uint8)
            self.images = self._memory[:nbytes].view(dtype).reshape(shape)
        return self.images

    def label(self, values: np.ndarray | Sequence[int]) -> None:
        """Set the labels, if they are wanted."""
        if self.labels is not None:
            self.labels[...] = values
