"""The base of layers that turn boxes, and the objects of an image, into examples to learn from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...core.layer import Layer
from ...errors import DataError, ShapeError
from .sampling import some

OBJECT = 5  # numbers: x1, y1, x2, y2, class


class Examples(Layer):
    """Runs on the host: how many examples there are depends on values, and which on random words."""

    type = "Python"
    settles = True
    backward_reads = frozenset()
    capturable = False
    stochastic = True
    not_in_onnx = "it makes examples for a training"
    operations = (0, 0, 0)

    def objects(self, blob) -> np.ndarray:
        """The objects of the image (n, 5), in float64."""
        found = self.device.get(blob.data).reshape(-1, OBJECT).astype(np.float64)
        if not np.isfinite(found).all():
            raise DataError("bottom 1 has a number that is not finite; expected x1, y1, x2, y2, class")
        return found

    def some(self, candidates: np.ndarray, most: int, purpose: int) -> np.ndarray:
        return some(candidates, most, self.random, purpose)

    def write(self, top: Sequence, arrays: Sequence[np.ndarray]) -> None:
        """Put the arrays into the tops, which take on their shapes."""
        if any(blob.shape != array.shape for blob, array in zip(top, arrays)):
            for blob, array in zip(top, arrays):
                blob.reshape(*array.shape)
            self.settle()
        for blob, array in zip(top, arrays):
            self.device.put(array.astype(self.device.dtype), blob.data)

    def check_objects(self, blob) -> None:
        if blob.count % OBJECT or not blob.shape or blob.count != blob.shape[0] * OBJECT:
            raise ShapeError(
                f"bottom 1 must hold objects (n, {OBJECT}); got {blob.shape}",
                hint="they are x1, y1, x2, y2 and the class",
            )

    def backward(self, top, propagate_down, bottom):
        for blob, wanted in zip(bottom, propagate_down):
            if wanted:
                self.device.fill(blob.diff, 0)
