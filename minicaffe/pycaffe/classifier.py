"""caffe.Classifier: a net that says what an image shows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import numpy as np

from ..errors import DataError, ShapeError, locate
from . import io
from .image_scorer import ImageScorer

CROPS = 10  # of `io.oversample`


class Classifier(ImageScorer):
    """A net in the phase TEST, its first input an image and its first output scores.

    image_dims  height and width that images are brought to before they are cropped (default: the input's, so
                that the only crop is the whole image)
    mean, input_scale, raw_scale, channel_swap  see `io.Transformer`; images are transposed to (K, H, W)

    Source   BVLC Caffe 1.0, python/caffe/classifier.py.
    Raises   RuntimeError for a missing file, ShapeError (a ValueError) for a net whose input is no image.
    """

    def __init__(
        self,
        model_file: str | os.PathLike,
        pretrained_file: str | os.PathLike,
        image_dims: Sequence[int] | None = None,
        mean: np.ndarray | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
    ) -> None:
        super().__init__(model_file, pretrained_file, mean, input_scale, raw_scale, channel_swap)
        self.crop_dims = np.array(self.transformer.inputs[self.inputs[0]][2:])
        self.image_dims = np.array(self.crop_dims if image_dims is None else image_dims)
        if self.image_dims.shape != (2,) or (self.image_dims < self.crop_dims).any():
            raise ShapeError(
                "image_dims must be a height and a width, not less than the input's"
                f" {tuple(self.crop_dims.tolist())}; got {tuple(self.image_dims.tolist())}"
            )

    def predict(self, inputs: Iterable[np.ndarray], oversample: bool = True) -> np.ndarray:
        """Scores of images (H, W, K), such as `io.load_image` returns; they may differ in size.

        oversample  True (default): the mean over ten crops of each image, (N, classes)
                    False: of the crop from the centre, in the output's own shape, (N, classes, ...)

        Raises ShapeError (a ValueError), naming the image, for one that the net cannot take, DataError for
        none at all.
        """
        crops = []
        for index, image in enumerate(inputs):
            with locate(f"image {index}"):
                crops += [self.prepared(crop) for crop in self._crops(image, oversample)]
        if not crops:
            raise DataError("there is no image to classify")
        scores = self.scores(np.stack(crops))
        return scores.reshape(len(crops) // CROPS, CROPS, -1).mean(1) if oversample else scores

    def _crops(self, image: np.ndarray, oversample: bool) -> np.ndarray:
        """Parts of an image in the input's size: CROPS, or the one from its centre."""
        image = io.resize_image(image, self.image_dims)
        if oversample:
            return io.oversample([image], self.crop_dims)
        top, left = (self.image_dims - self.crop_dims) // 2
        height, width = self.crop_dims
        return image[None, top : top + height, left : left + width]
