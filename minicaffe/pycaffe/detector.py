"""caffe.Detector: a net that says what windows of an image show."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import ConfigError, DataError, ShapeError, locate
from . import io
from .image_scorer import ImageScorer


class Detector(ImageScorer):
    """A net in the phase TEST, its first input a window of an image and its first output scores.

    mean, input_scale, raw_scale, channel_swap  see `io.Transformer`; images are transposed to (K, H, W)
    context_pad  pixels at each side of the input that show what is around the window (default none)

    A window is (ymin, xmin, ymax, xmax) in pixels, its end excluded.

    Source   BVLC Caffe 1.0, python/caffe/detector.py, after Girshick, Donahue, Darrell, Malik: Rich feature
             hierarchies for accurate object detection and semantic segmentation, 2014.
    Differs  context_pad works, also for inputs that are no squares; in pycaffe it fails with NumPy 1.12 and
             later.  A window without pixels is refused.
    Raises   RuntimeError for a missing file, ShapeError (a ValueError) for a net whose input is no image.
    """

    def __init__(
        self,
        model_file: str | os.PathLike,
        pretrained_file: str | os.PathLike,
        mean: np.ndarray | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
        context_pad: int | None = None,
    ) -> None:
        super().__init__(model_file, pretrained_file, mean, input_scale, raw_scale, channel_swap)
        self.configure_crop(context_pad)

    def detect_windows(self, images_windows: Iterable[tuple[str, Iterable[Any]]]) -> list[dict[str, Any]]:
        """What the windows of images show.

        images_windows  pairs of an image file and its windows; may be an iterator, which pycaffe empties and
                        then finds nothing in

        Returns a dict per window, in their order: window, prediction (the net's output), filename.

        Raises OSError for an image that cannot be read, DataError, naming the file, for a window that is
        none.
        """
        asked, inputs = [], []
        for filename, windows in images_windows:
            image = io.load_image(filename)
            for window in windows:
                with locate(str(filename)):
                    inputs.append(self.prepared(self.crop(image, window)))
                asked.append((filename, window))
        if not inputs:
            return []
        return [
            {"window": window, "prediction": prediction, "filename": filename}
            for (filename, window), prediction in zip(asked, self.scores(np.stack(inputs)))
        ]

    def detect_selective_search(self, image_fnames: Iterable[str]) -> list[dict[str, Any]]:
        """`detect_windows` of what Selective Search proposes.

        Raises ConfigError unless the package selective_search_ijcv_with_python, which needs Matlab, is
        installed.
        """
        try:
            import selective_search_ijcv_with_python as selective_search
        except ImportError:
            raise ConfigError(
                "Selective Search needs the package selective_search_ijcv_with_python, and Matlab",
                hint="install it from github.com/sergeyk/selective_search_ijcv_with_python, or bring windows"
                " of your own to detect_windows",
            ) from None
        paths = [os.path.abspath(name) for name in image_fnames]  # Matlab has a working folder of its own
        return self.detect_windows(zip(paths, selective_search.get_windows(paths)))

    def crop(self, im: np.ndarray, window: Sequence[int]) -> np.ndarray:
        """A window of an image (H, W, K): its pixels; or with context_pad, in the size of the net's input,
        the window and what is around it, the mean where that is outside the image.

        Raises DataError for a window that is not within the image.
        """
        box = np.asarray(window)
        inside = box.shape == (4,) and (box[:2] >= 0).all() and (box[2:] <= im.shape[:2]).all()
        if not inside or (box != box.astype(int)).any() or (box[:2] >= box[2:]).any():
            raise DataError(
                "a window must be whole numbers (ymin, xmin, ymax, xmax) within the image of"
                f" {im.shape[0]} x {im.shape[1]}; got {tuple(box.ravel().tolist())}"
            )
        box = box.astype(int)
        if self.context_pad:
            return self._with_context(im, box, self.context_pad)
        return im[box[0] : box[2], box[1] : box[3]]

    def _with_context(self, im: np.ndarray, box: np.ndarray, pad: int) -> np.ndarray:
        """Scale the box so that `pad` pixels at each side of the input are around it, and put what of
        it is inside the image in its place.  Sizes are one more than differences, as in R-CNN."""
        size, limit = self.crop_dims[:2], np.array(im.shape[:2])
        half = (box[2:] - box[:2] + 1) / 2
        middle = box[:2] + half
        half *= size / (size - 2.0 * pad)
        low, high = np.round(middle - half), np.round(middle + half)
        scale = size / (high - low + 1)
        start = np.round(np.maximum(0, -low) * scale).astype(int)
        low, high = np.clip(low, 0, limit).astype(int), np.clip(high, 0, limit).astype(int)
        shape = np.minimum(np.round((high - low + 1) * scale).astype(int), size - start)
        crop = self.crop_mean.copy()
        (top, left), (height, width) = start, shape
        part = io.resize_image(im[low[0] : high[0], low[1] : high[1]], shape)
        crop[top : top + height, left : left + width] = part
        return crop

    def configure_crop(self, context_pad: int | None) -> None:
        """Set context_pad; crop_dims, the shape (H, W, K) of what the net takes; and with context_pad
        crop_mean, the image of which preprocessing makes 0: the mean."""
        in_ = self.inputs[0]
        channels, height, width = self.transformer.inputs[in_][1:]
        self.crop_dims = np.array([height, width, channels])
        self.context_pad = context_pad
        if not context_pad:
            return
        if not 0 < 2 * context_pad < min(height, width):
            raise ShapeError(
                f"context_pad must be less than half of the input, {height} x {width}; got {context_pad}"
            )
        nothing = np.zeros((channels, height, width), np.float32)
        self.crop_mean = self.transformer.deprocess(in_, nothing)
