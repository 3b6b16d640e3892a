"""Caffe's DataTransformer (crop, mirror, mean, scale), and resize and augmentation before it.

`Transformer(images, out, ...)` does everything on the host; it is the reference for a device's kernel
(kernels/transform.py).  `Transformer.fill` leaves the arithmetic to the device if that can do it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..errors import ConfigError, DataError, ShapeError, locate
from ..philox import philox
from ..proto import binary
from ..proto.schema import TRAIN, BlobProto, Message
from .augment.augmentation import Augmentation
from .batch import Batch
from .resize import Resize

BYTES = np.dtype(np.uint8)


class Transformer:
    """Transforms images: out = (pixel - mean) * (scale / std) for a window of the image, perhaps mirrored.

    conf   a TransformationParameter
             resize      height and width to which images are resized before anything else
             crop_size   the side of the window; its offset is random in TRAIN, (H - crop_size) / 2 in TEST
             mirror      left and right are exchanged in every other image, at random, in TEST too
             mean_value  one for all channels, or one per channel
             mean_file   binary BlobProto: a mean for every pixel of the uncropped image; each pixel's mean is
                         that of its place before crop and mirror
             scale       (1)
             std_value   one for all channels, or one per channel; 1 if there is none
    phase    TRAIN or TEST
    shape    of the whole images, (C, H, W).  With resize only C must be that of the images; with crop_size
             and without mean_file they may have any size that the crop fits in
    augment  an AugmentationParameter: how images are changed at random after resize, in TRAIN, and if it says
             so in TEST; None: not at all

    Random numbers are functions of the key and the image's position in the sequence of all samples.  So it
    does not matter in which order or in which thread batches are made.

    Source   Caffe's DataTransformer.
    Differs  draws come from Philox, not from a Mersenne Twister; resize, std_value and augmentation are
             extensions.
    Raises   ConfigError for fields that do not fit each other or the images, DataError for a bad mean_file.

    The object reuses its working memory, so only one thread at a time may use it.
    """

    def __init__(
        self, conf: Message, phase: int, shape: tuple[int, int, int], augment: Message | None = None
    ) -> None:
        self.crop, self.mirror = conf.crop_size, conf.mirror
        self.random_crop = bool(self.crop) and phase == TRAIN
        self.draws = self.mirror or self.random_crop
        channels = shape[0]
        self.factors = factors(conf.scale, conf.std_value, channels)
        # Looked at in phases without it too, so that what is wrong is said.
        augmentation = None if augment is None else Augmentation(augment, channels)
        self.augmentation = augmentation if augment is not None and (phase == TRAIN or augment.test) else None
        self.resize: Resize | None = None
        if conf.HasField("resize"):
            size = (conf.resize.height, conf.resize.width)
            if min(size) < 1:
                raise ConfigError(f"resize must have a height and a width; got {size[0]} and {size[1]}")
            self.resize, shape = Resize(*size), (channels, *size)
        _, h, w = self.shape = shape  # after resize
        self._resized: np.ndarray = np.empty(0, np.uint8)
        # The windows of a batch if nothing is drawn, and the size of the images that they are for.
        self._still: np.ndarray | None = None
        self._still_size = (0, 0)
        if self.crop > min(h, w):
            raise ConfigError(
                f"crop_size {self.crop} is larger than the images, {h} x {w}",
                hint=f"at most {min(h, w)} fits",
            )
        self.out_shape = (channels, self.crop, self.crop) if self.crop else shape
        self.mean = read_mean(conf, channels, self._whole)
        self.mean_per_pixel = bool(conf.mean_file)
        self.mean_per_channel = bool(conf.mean_value)

    def _whole(self, mean: np.ndarray) -> np.ndarray:
        """The array in a mean_file, which must be as large as the images."""
        if mean.shape not in (self.shape, (1, *self.shape)):
            raise DataError(
                f"the mean must have the shape of the whole images, {self.shape}; got {mean.shape}",
                hint="make it from these images, or use mean_value",
            )
        return mean.reshape(self.shape)

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Whether images of this shape, before resizing, can be transformed."""
        channels, h, w = shape
        if self.resize is not None:
            return channels == self.shape[0]
        if self.crop and not self.mean_per_pixel:
            return channels == self.shape[0] and min(h, w) >= self.crop
        return shape == self.shape

    def check(self, shape: tuple[int, ...]) -> None:
        """ShapeError unless images of this shape, before resizing, can be transformed."""
        if not self.takes(shape):
            raise ShapeError(
                f"all images of a batch must have the shape {self.shape}; got {shape}",
                hint="transform_param.resize brings images to one size",
            )

    def __call__(
        self,
        images: np.ndarray | Sequence[np.ndarray],
        out: np.ndarray,
        positions: np.ndarray,
        key: tuple[int, int] = (0, 0),
    ) -> None:
        """Transform a batch.

        images     (N, C, H, W), or N images (C, H, W), of any numeric type
        out        (N, *out_shape), float
        positions  (N,): position of each image in the endless sequence of samples
        key        two 32-bit words, the key of the random numbers
        """
        self._transform(self._prepared(images, positions, key), out, positions, key)

    def fill(
        self,
        batch: Batch,
        images: np.ndarray | Sequence[np.ndarray],
        positions: np.ndarray,
        key: tuple[int, int] = (0, 0),
    ) -> None:
        """Write the images of a batch.  If the batch takes bytes, and all images are bytes of one size after
        resizing and augmentation, they are written untransformed, and batch.windows says which window of each
        to take.  Otherwise they are transformed."""
        images = self._prepared(images, positions, key)
        if batch.takes_bytes and _bytes_of_one_size(images):
            pixels = batch.room((len(images), *images[0].shape), BYTES)
            if isinstance(images, np.ndarray):
                np.copyto(pixels, images)
            else:
                np.stack(images, out=pixels)
            batch.windows = self._draw_alike(positions, key, images[0].shape[1:])
        else:
            batch.windows = None
            out = batch.room((len(images), *self.out_shape), batch.dtype)
            self._transform(images, out, positions, key)

    def undo(self, images: np.ndarray, windows: np.ndarray | None = None) -> np.ndarray:
        """The pixels of transformed images (N, C, H, W), before mean, scale and std.

        windows  (N, 3), of `draw`, that the images were cut out for; if left out, the middle, where a crop
                 lies unless it is drawn at random, and nothing mirrored
        """
        pixels = images / np.where(self.factors == 0, 1, self.factors)[:, None, None]
        if not self.mean_per_pixel:
            return pixels + self.mean
        (h, w), (height, width) = images.shape[2:], self.mean.shape[1:]
        middle = ((height - h) // 2, (width - w) // 2, 0)
        for image, (top, left, mirrored) in zip(
            pixels, [middle] * len(images) if windows is None else windows
        ):
            mean = self.mean[:, top : top + h, left : left + w]
            image += mean[:, :, ::-1] if mirrored else mean
        return pixels

    def _prepared(
        self, images: np.ndarray | Sequence[np.ndarray], positions: np.ndarray, key: tuple[int, int]
    ) -> np.ndarray | Sequence[np.ndarray]:
        """The images after checking their shapes and, if asked for, resizing and augmentation."""
        for image in images[:1] if isinstance(images, np.ndarray) else images:
            self.check(image.shape)
        if self.resize is not None:
            images = self._resize(images, self.resize)
        return images if self.augmentation is None else self.augmentation(images, positions, key)

    def _transform(
        self,
        images: np.ndarray | Sequence[np.ndarray],
        out: np.ndarray,
        positions: np.ndarray,
        key: tuple[int, int],
    ) -> None:
        if self.crop or self.mirror or not isinstance(images, np.ndarray):
            self._cut(images, out, positions, key)
        else:
            np.copyto(out, images)
            if self.mean_per_pixel:
                np.subtract(out, self.mean, out=out)
        if self.mean_per_channel:
            np.subtract(out, self.mean, out=out)
        if (self.factors != 1).any():
            np.multiply(out, self.factors.astype(out.dtype)[:, None, None], out=out)

    def _resize(self, images: np.ndarray | Sequence[np.ndarray], resize: Resize) -> np.ndarray:
        """The images resized to one size: bytes if all of them are bytes, else floats."""
        types = {images.dtype} if isinstance(images, np.ndarray) else {image.dtype for image in images}
        dtype = np.uint8 if types == {np.dtype(np.uint8)} else np.result_type(np.float32, *types)
        if len(self._resized) != len(images) or self._resized.dtype != dtype:
            self._resized = np.empty((len(images), *self.shape), dtype)
        if isinstance(images, np.ndarray):
            resize(images, self._resized)
        else:
            for i, image in enumerate(images):
                resize(image, self._resized[i])
        return self._resized

    def _cut(
        self,
        images: np.ndarray | Sequence[np.ndarray],
        out: np.ndarray,
        positions: np.ndarray,
        key: tuple[int, int],
    ) -> None:
        """Copy every image's window, and subtract the mean if it differs from pixel to pixel."""
        sizes = None
        if not isinstance(images, np.ndarray):
            sizes = np.array([image.shape[1:] for image in images])
        h, w = self.out_shape[1:]
        windows = self.draw(positions, key, sizes).tolist()
        for image, target, (top, left, mirrored) in zip(images, out, windows):
            window = np.s_[:, top : top + h, left : left + w]
            target = target[:, :, ::-1] if mirrored else target
            np.copyto(target, image[window])
            if self.mean_per_pixel:
                np.subtract(target, self.mean[window], out=target)

    def draw(
        self,
        positions: np.ndarray,
        key: tuple[int, int],
        sizes: np.ndarray | tuple[int, int] | None = None,
    ) -> np.ndarray:
        """For the images at these positions the window's first row, its first column, and 1 if mirrored: (N,
        3), int32.

        sizes  height and width of each image (N, 2), or of all (2,); None: those of self.shape

        The numbers are words 1, 2 and 0 of `random_words`, as in Caffe modulo the number of possible offsets,
        and modulo 2.
        """
        windows = np.zeros((len(positions), 3), np.int32)
        words = random_words(positions, key) if self.draws else ()
        if self.crop:
            last = np.subtract(self.shape[1:] if sizes is None else sizes, self.crop)
            windows[:, :2] = last // 2
            if self.random_crop:
                windows[:, :2] = np.stack(words[1:3], axis=1) % (last + 1)
        if self.mirror:
            windows[:, 2] = words[0] % 2
        return windows

    def _draw_alike(self, positions: np.ndarray, key: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        """`draw` for images of one size.  If the result is the same for every batch, it is one array,
        read-only."""
        windows = self._still
        if windows is None or len(windows) != len(positions) or size != self._still_size:
            windows = self.draw(positions, key, size)
            if not self.draws:
                windows.flags.writeable = False
                self._still, self._still_size = windows, size
        return windows


def factors(scale: float, std_value: Sequence[float], channels: int) -> np.ndarray:
    """scale / std for every channel, (channels,), float64.  ConfigError if a std_value is not above 0, or if
    they are neither one nor one per channel."""
    values = np.array(std_value or [1.0])
    if len(values) not in (1, channels):
        raise ConfigError(
            f"std_value must be given once or once per channel ({channels}); got {len(values)} values"
        )
    if not (values > 0).all() or not np.isfinite(values).all():
        raise ConfigError(f"std_value must be above 0; got {', '.join(f'{v:g}' for v in values)}")
    return np.broadcast_to(scale / values, channels).copy()


def _bytes_of_one_size(images: np.ndarray | Sequence[np.ndarray]) -> bool:
    if isinstance(images, np.ndarray):
        return images.dtype == BYTES
    return len({image.shape for image in images}) == 1 and all(image.dtype == BYTES for image in images)


def random_words(
    positions: np.ndarray, key: tuple[int, int], third: np.ndarray | int = 0, fourth: int = 0
) -> tuple[np.ndarray, ...]:
    """Four random 32-bit words for each position in the sequence of samples: Philox at counter (position,
    position >> 32, third, fourth)."""
    at = positions.astype(np.uint64)
    low, high = at.astype(np.uint32), (at >> np.uint64(32)).astype(np.uint32)
    rest = (np.atleast_1d(np.asarray(word, np.uint32)) for word in (third, fourth, *key))
    return philox(low, high, *rest)


def read_mean(conf: Message, channels: int, image: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """What a TransformationParameter has subtracted, float32: (1, 1, 1) or (C, 1, 1), or what `image` makes
    of the array in a mean_file.  Raises ConfigError for both, and for another number of values."""
    if conf.mean_file:
        if conf.mean_value:
            raise ConfigError("both mean_file and mean_value are set", hint="keep one of the two")
        with locate(f"mean_file {conf.mean_file}"):
            return image(binary.to_array(binary.read(conf.mean_file, BlobProto))).astype(np.float32)
    values = list(conf.mean_value) or [0]
    if len(values) not in (1, channels):
        raise ConfigError(
            f"mean_value must be given once or once per channel ({channels}); got {len(values)} values"
        )
    return np.array(values, np.float32).reshape(-1, 1, 1)
