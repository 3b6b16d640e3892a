"""An image of any size becomes what a net was trained on: size, mean, scale, in training's own arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..convert.deploy import WHITE
from ..data.making import fit as fitting
from ..data.resize import Resize
from ..data.transformer import Transformer
from ..errors import ConfigError, ShapeError
from ..proto.schema import TEST, Message, TransformationParameter

LARGER = 8 / 7  # of the input's side, that of images of which ten parts are taken: 256 for 224
PARTS = 10


class Preparation:
    """What is done to images on their way into a net: size, `raw_scale`, then transform_param in phase TEST.

    transform   a TransformationParameter; its `resize` is the size that images are brought to, with the
                engine's own Resize, as in training
    shape       of the net's input, (C, H, W)
    size        height and width that images are brought to before crop_size cuts; by default that of
                `resize`, else `whole`, else the input's
    whole       height and width of the images that training read, if they are known
    mode        how an image of other proportions comes to the size: squash (default), crop, fill, half-crop,
                as in `data make`
    raw_scale   (255) what a white pixel is in the data that the net was trained on
    oversample  ten parts of the input's size are made of an image: corners and centre, and the same mirrored

    Where training did not resize, images are fitted as `data make` does it (data/making/fit.py).  Where it
    did, and all its images had one size, they are fitted to that, `whole`, before `resize` does the same.

    mean   of the pixels that a net of this transform_param is fed, from 0 to 255; None if it has none

    Raises ConfigError or ShapeError for settings that do not fit each other or the input.
    """

    def __init__(
        self,
        transform: Message,
        shape: tuple[int, int, int],
        *,
        size: tuple[int, int] | None = None,
        whole: tuple[int, int] | None = None,
        mode: str = "squash",
        raw_scale: float = WHITE,
        oversample: bool = False,
    ) -> None:
        fitting.check(mode)
        self.shape, self.mode, self.raw_scale, self.oversample = shape, mode, raw_scale, oversample
        conf = TransformationParameter()
        conf.CopyFrom(transform)
        conf.mirror = False
        self.as_trained = size is None and conf.HasField("resize")
        self.whole = whole
        if self.as_trained:
            size = (conf.resize.height, conf.resize.width)
        conf.ClearField("resize")
        if size is None and (conf.crop_size or conf.mean_file):
            size = whole
        height, width = shape[1:]
        if size is None:
            grown = oversample and not conf.mean_file
            size = (round(height * LARGER), round(width * LARGER)) if grown else (height, width)
        if size[0] < height or size[1] < width:
            raise ConfigError(
                f"images of {_spelled(size)} are smaller than the net's input, {_spelled((height, width))}"
            )
        self.size = size
        if oversample and size == (height, width):
            raise ConfigError(
                f"ten parts of {_spelled(size)} of images as large are the same",
                hint="bring images to a larger size, or use mean values in the place of a mean image",
            )
        if oversample:
            conf.ClearField("crop_size")  # all of the image is transformed, then cut
        elif size != (height, width):
            if height != width:
                raise ConfigError(
                    f"no square is cut from images of {_spelled(size)} for an input of"
                    f" {_spelled((height, width))}",
                    hint="leave the size to the net",
                )
            conf.crop_size = height
        self._transformer = Transformer(conf, TEST, (shape[0], *size))
        self._resize = Resize(*size)
        with_mean = bool(conf.mean_file or conf.mean_value)
        self.mean = float(self._transformer.mean.mean()) * WHITE / raw_scale if with_mean else None

    def fit(self, image: np.ndarray) -> np.ndarray:
        """An image (C, h, w), bytes, in `size`."""
        if not self.as_trained:
            return fitting.fit(image, self.size, self.mode)
        if self.whole is not None or self.mode != "squash":
            image = fitting.fit(image, self.whole or self.size, self.mode)
        fitted = np.empty((len(image), *self.size), np.uint8)
        self._resize(image, fitted)
        return fitted

    def __call__(self, images: np.ndarray | Sequence[np.ndarray], white: float = WHITE) -> np.ndarray:
        """What the net takes, float32, of images (N, C, H, W) in `size`, bytes or floats from 0 to `white`;
        with `oversample` ten items an image, one after the other.  ShapeError for images of another shape."""
        batch = np.asarray(images)
        expected = (self.shape[0], *self.size)
        if batch.ndim != 4 or batch.shape[1:] != expected:
            raise ShapeError(
                f"images must have the shape (N, {', '.join(map(str, expected))}); got {batch.shape}"
            )
        if self.raw_scale != white:
            batch = batch * np.float32(self.raw_scale / white)
        out = np.empty((len(batch), *self._transformer.out_shape), np.float32)
        self._transformer(batch, out, np.arange(len(batch)))
        return self._parts(out) if self.oversample else out

    def _parts(self, whole: np.ndarray) -> np.ndarray:
        """Ten parts of every image (N, C, H, W), (10 N, C, h, w)."""
        (height, width), (h, w) = self.size, self.shape[1:]
        places = [(y, x) for y in (0, height - h) for x in (0, width - w)]
        places.append(((height - h) // 2, (width - w) // 2))
        parts = np.stack([whole[:, :, y : y + h, x : x + w] for y, x in places], axis=1)
        return np.concatenate([parts, parts[..., ::-1]], axis=1).reshape(-1, *self.shape)


def _spelled(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
