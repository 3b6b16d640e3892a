"""What Classifier and Detector share: a net in the phase TEST whose first input is an image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from .io import Transformer
from .net import Net

TEST = 1


class ImageScorer(Net):
    """A net from a prototxt and weights, and the transformer of its images.

    mean, input_scale, raw_scale, channel_swap  see `io.Transformer`; images are transposed to (K, H, W)
    """

    def __init__(
        self,
        model_file: str | os.PathLike,
        pretrained_file: str | os.PathLike,
        mean: np.ndarray | None,
        input_scale: float | None,
        raw_scale: float | None,
        channel_swap: Sequence[int] | None,
    ) -> None:
        super().__init__(os.fspath(model_file), TEST, weights=os.fspath(pretrained_file))
        if not self.inputs or not self.outputs:
            raise ShapeError(f"{model_file} must have an input and an output", hint="use a deploy prototxt")
        in_ = self.inputs[0]
        shape = tuple(self.blobs[in_].data.shape)
        if len(shape) != 4:
            raise ShapeError(f"{model_file}: input {in_!r} must be images, (N, K, H, W); got {shape}")
        self.transformer = Transformer({in_: shape})
        self.transformer.set_transpose(in_, (2, 0, 1))
        if mean is not None:
            self.transformer.set_mean(in_, mean)
        if input_scale is not None:
            self.transformer.set_input_scale(in_, input_scale)
        if raw_scale is not None:
            self.transformer.set_raw_scale(in_, raw_scale)
        if channel_swap is not None:
            self.transformer.set_channel_swap(in_, channel_swap)

    def prepared(self, image: np.ndarray) -> np.ndarray:
        """An image (H, W, K) of any size as the net takes it, (K, h, w); ShapeError for another K."""
        in_ = self.inputs[0]
        wanted = self.transformer.inputs[in_][1]
        if np.ndim(image) != 3 or image.shape[2] != wanted:
            raise ShapeError(f"an image must have the axes (H, W, {wanted}); got {np.shape(image)}")
        return self.transformer.preprocess(in_, image)

    def scores(self, inputs: np.ndarray) -> np.ndarray:
        """The first output for any number of prepared images, (N, K, h, w)."""
        named: dict[str, Any] = {self.inputs[0]: inputs}
        return self.forward_all(**named)[self.outputs[0]]
