"""The mean image of a database, as Caffe's compute_image_mean makes it."""

from __future__ import annotations

import numpy as np

from .. import log
from ..errors import ShapeError, locate
from ..proto import binary
from ..proto.schema import BlobProto
from .database import Database

EVERY = 10_000  # records between two lines of the log


def mean_image(database: Database) -> np.ndarray:
    """The mean of every pixel, (C, H, W), float32.

    Differs from Caffe  sums in float64, exact for bytes; Caffe's float32 sums are rounded once they exceed
                        2^24, which 65,794 white images do.

    Raises ShapeError, naming the record, for an image whose (C, H, W) is not the first's, DataError for a
    damaged one.
    """
    with locate(lambda: database.place(0)):
        image, _ = database.read(0)
    total = np.zeros(image.shape)
    log.info("Starting iteration")
    for index in range(len(database)):
        with locate(lambda: database.place(index)):  # noqa: B023, called before the next index
            image, _ = database.read(index)
            if image.shape != total.shape:
                raise ShapeError(
                    f"all images must have the shape of the first, {total.shape}; got {image.shape}",
                    hint="convert_imageset --resize_height and --resize_width bring them to one",
                )
        total += image
        if (index + 1) % EVERY == 0:
            log.info(f"Processed {index + 1} files.")
    if len(database) % EVERY:
        log.info(f"Processed {len(database)} files.")
    return (total / len(database)).astype(np.float32)


def to_blob(mean: np.ndarray) -> BlobProto:
    """The BlobProto of a mean_file: (C, H, W) in Caffe's older form, with num = 1."""
    blob = binary.from_array(mean)
    blob.ClearField("shape")
    blob.num = 1
    blob.channels, blob.height, blob.width = mean.shape
    return blob
