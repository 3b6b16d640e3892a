"""MemoryData: labelled images that the caller hands over."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ... import log
from ...data.epoch import Epoch
from ...data.transformer import Transformer
from ...errors import DataError, ShapeError, in_layer
from ...proto.schema import TRAIN
from .source import Source


class MemoryData(Source):
    """Batches out of arrays, from the first row to the last and again.

        net.layers[0].reset(data, labels)   # as they are
        net.layers[0].add(images, labels)   # transformed

    Param     memory_data_param: batch_size, channels, height, width, all at least 1.  transform_param, for
              `add`: resize, scale (1), mean_value or mean_file, std_value, crop_size, mirror; channels,
              height and width are what comes out of it.  augment_param, for `add`: random changes of
              training images.
    Shapes    top[0] (batch_size, channels, height, width); top[1] (batch_size).
    Source    Caffe's MemoryData layer.
    Differs   top[1] keeps its one axis; in Caffe it has four from the first pass on.  `add` may be called
              at any time, and replaces what there was.  The first pass after either begins with the first
              row, so a resumed run has to hand over its data as the first did.
    """

    type = "MemoryData"
    tops = 2
    augments = True
    stochastic = True

    def setup(self, bottom, top):
        conf, transform = self.param.memory_data_param, self.param.transform_param
        for field in ("batch_size", "channels", "height", "width"):
            self.require(getattr(conf, field) > 0, f"memory_data_param.{field} must be at least 1")
        for field in ("force_color", "force_gray"):
            self.require(not getattr(transform, field), f"transform_param.{field} has no effect here")
        self.image_shape = (conf.channels, conf.height, conf.width)
        self.shapes = [(conf.batch_size, *self.image_shape), (conf.batch_size,)]
        self.setup_draws = int(transform.mirror or (transform.crop_size > 0 and self.phase == TRAIN))
        self.arrays: tuple[np.ndarray, np.ndarray] | None = None
        self.transformer: Transformer | None = None
        self.first: int | None = None  # the pass that reads the first rows
        self.added = 0  # images transformed so far: where the random numbers go on

    def reset(self, data: np.ndarray, labels: np.ndarray) -> None:
        """Take the batches from data (n, channels, height, width) and n labels of any shape, n a multiple of
        batch_size.

        The arrays are not copied: what is written into them later is seen.  Nothing is transformed.
        """
        if self.param.HasField("transform_param"):
            log.warning("MemoryData does not transform the arrays given to reset")
        self._take(np.asarray(data), np.asarray(labels))

    def add(self, images: np.ndarray | Sequence[np.ndarray], labels: np.ndarray) -> None:
        """Transform n images (C, H, W), as transform_param says, and take the batches from them."""
        images = [np.asarray(image) for image in images]
        data = np.empty((len(images), *self.image_shape), self.device.dtype)
        with in_layer(self):
            for i, image in enumerate(images):
                if image.ndim != 3:
                    raise ShapeError(f"image {i} must have the axes (C, H, W); got {image.shape}")
            if images:
                self._transform(images, data)
        self._take(data, np.asarray(labels))
        self.added += len(images)

    def epoch(self) -> Epoch | None:
        """None before the first `reset` or `add`; the rows are counted from the pass that reads the first."""
        if self.arrays is None:
            return None
        count, first = len(self.arrays[0]), (self.first or 0) * self.shapes[0][0]
        return Epoch(count, lambda at: (at - first) % count, str)

    def stage(self, passes, top, put):
        if self.arrays is None:
            raise DataError(
                "there is no data yet", hint="call reset(data, labels) of this layer before the first pass"
            )
        if self.first is None:
            self.first = passes
        data, labels = self.arrays
        batch = self.shapes[0][0]
        start = (passes - self.first) * batch % len(data)
        self.hand_over([data[start : start + batch], labels[start : start + batch]], top, put)

    def _transform(self, images: list[np.ndarray], out: np.ndarray) -> None:
        shape = images[0].shape
        if self.transformer is None or not self.transformer.takes(shape):
            self.transformer = Transformer(self.param.transform_param, self.phase, shape, self.augment)
        if self.transformer.out_shape != self.image_shape:
            raise ShapeError(
                f"images must come out as {self.image_shape}, as memory_data_param says; got"
                f" {self.transformer.out_shape}"
            )
        self.transformer(images, out, self.added + np.arange(len(images)), self.random.key)

    def _take(self, data: np.ndarray, labels: np.ndarray) -> None:
        batch = self.shapes[0][0]
        with in_layer(self):
            if data.shape[1:] != self.image_shape:
                raise ShapeError(
                    f"data must have the shape (n, {', '.join(map(str, self.image_shape))}); got {data.shape}"
                )
            if not len(data) or len(data) % batch:
                raise DataError(
                    f"the number of images must be a multiple of batch_size, {batch}; got {len(data)}"
                )
            if labels.size != len(data):
                raise DataError(f"{len(data)} images need as many labels; got {labels.size}")
        self.arrays = (data, labels.reshape(-1))
        self.first = None
