"""Computing the mean image of a database or data set, as Caffe's compute_image_mean does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import log
from ..errors import ShapeError, locate
from ..proto import binary
from ..proto.schema import BlobProto
from .datasets import open_source
from .resize import Resize

if TYPE_CHECKING:
    from .records import Records

EVERY = 10_000  # records between two lines of the log


class SourceImages:
    """The images of a named set or IDX file (datasets.open_source) as records.  Labels are not read; all are
    0."""

    def __init__(self, source: str) -> None:
        self.source, self.images = source, open_source(source, labels=False).images

    def __len__(self) -> int:
        return len(self.images)

    def read(self, index: int) -> tuple[np.ndarray, int]:
        return self.images[index : index + 1][0], 0

    def place(self, index: int) -> str:
        return f"{self.source}, image {index}"


def mean_image(records: Records, resize: Resize | None = None) -> np.ndarray:
    """The mean image (C, H, W), float32: for every pixel the mean over all images.

    resize  if given, images are resized first, as transform_param's resize does before training

    Differs from Caffe: sums are float64, exact for bytes; Caffe's float32 sums are rounded once they exceed
    2^24, which they do from 65,794 white images on.

    Raises ShapeError, naming the record, if an image has another (C, H, W) than the first, DataError if one
    is damaged.
    """
    with locate(lambda: records.place(0)):
        total = np.zeros(_read(records, 0, resize).shape)
    log.info("Starting iteration")
    for index in range(len(records)):
        with locate(lambda: records.place(index)):  # noqa: B023, called before the next index
            image = _read(records, index, resize)
            if image.shape != total.shape:
                raise ShapeError(
                    f"all images must have the shape of the first, {total.shape}; got {image.shape}",
                    hint="convert_imageset --resize_height and --resize_width bring them to one",
                )
        total += image
        if (index + 1) % EVERY == 0:
            log.info(f"Processed {index + 1} files.")
    if len(records) % EVERY:
        log.info(f"Processed {len(records)} files.")
    return (total / len(records)).astype(np.float32)


def _read(records: Records, index: int, resize: Resize | None) -> np.ndarray:
    image, _ = records.read(index)
    if resize is None:
        return image
    dtype = np.uint8 if image.dtype == np.uint8 else np.result_type(np.float32, image.dtype)
    out = np.empty((len(image), resize.height, resize.width), dtype)
    resize(image, out)
    return out


def to_blob(mean: np.ndarray) -> BlobProto:
    """The BlobProto to store as mean_file: (C, H, W) in Caffe's older form, with num = 1."""
    blob = binary.from_array(mean)
    blob.ClearField("shape")
    blob.num = 1
    blob.channels, blob.height, blob.width = mean.shape
    return blob
