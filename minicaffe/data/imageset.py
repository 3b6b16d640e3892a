"""Making a database from a list of images, as Caffe's convert_imageset does."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from .. import log
from ..errors import ConfigError, DataError, ShapeError, locate
from ..proto.schema import Message
from . import datum, encoding, images
from .database import GROUP, DatabaseWriter
from .image_list import ImageList
from .images import Channels
from .resize import Resize


class ImageSet:
    """Makes the records of a database from the images of a list.

    listed       the list; its `channels` say whether images become colour or grey
    size         height and width to which images are resized; None: they keep their size
    encoded      store image files, which the reader decodes, instead of pixels
    encode_type  the kind of these files (png, jpg, ...); "": that which the image's name ends in
    check_size   refuse images whose (C, H, W) differs from that of the first

    With `encoded`, the original file is stored if it is of the right kind, is not resized, and decodes to the
    pixels wanted; otherwise the pixels are encoded anew.

    Differs from Caffe: there the original file is stored even if it is colour and grey was wanted, or the
    reverse; check_size compares numbers of bytes, not shapes.
    """

    def __init__(
        self,
        listed: ImageList,
        *,
        size: tuple[int, int] | None = None,
        encoded: bool = False,
        encode_type: str = "",
        check_size: bool = False,
    ) -> None:
        if encode_type:
            encoding.check(encode_type)
        if listed.channels is Channels.NATIVE:
            raise ConfigError("a database holds either colour or grey images", hint="Channels.COLOR or GRAY")
        self.listed, self.encoded, self.encode_type = listed, encoded or bool(encode_type), encode_type
        self.resize = Resize(*size) if size is not None else None
        self.check_size = check_size
        self._shape: tuple[int, ...] | None = None

    def read(self, line: int) -> tuple[bytes, np.ndarray]:
        """The contents of an image file and its pixels (C, H, W), resized if asked for; DataError if it
        cannot be read."""
        path = self.listed.root + self.listed.entries[line][0]
        data = images.contents(path)
        with locate(path):
            image = images.decode(data, self.listed.channels)
        if self.resize is None:
            return data, image
        resized = np.empty((len(image), self.resize.height, self.resize.width), np.uint8)
        self.resize(image, resized)
        return data, resized

    def record(self, line: int, data: bytes, image: np.ndarray) -> Message:
        """The Datum for a line of the list; `data` and `image` are what `read` returned for it.

        Raises ShapeError if check_size is set and the image has another shape than the first, ConfigError if
        the image must be encoded as an unknown kind of file, DataError for a label beyond 32 bits.
        """
        name, label = self.listed.entries[line]
        self._check(image.shape)
        if self.encoded:
            return datum.from_encoded(self._file(name, data, image), label)
        record = datum.from_array(image, label)
        record.encoded = False  # type: ignore[attr-defined]  # as Caffe writes it
        return record

    def _check(self, shape: tuple[int, ...]) -> None:
        if self._shape is None:
            self._shape = shape
        if self.check_size and shape != self._shape:
            raise ShapeError(
                f"all images must have the shape of the first, {self._shape}; got {shape}",
                hint="give both --resize_height and --resize_width",
            )

    def _file(self, name: str, data: bytes, image: np.ndarray) -> bytes:
        """The image file to store: the original, or one newly encoded."""
        ending = os.path.splitext(name)[1][1:]
        own = not self.encode_type or encoding.same_kind(ending, self.encode_type)
        if own and self.resize is None and np.array_equal(images.decode(data, Channels.NATIVE), image):
            return data
        return encoding.encode(image, self.encode_type or ending)


def convert(image_set: ImageSet, path: str | os.PathLike, lines: Sequence[int]) -> int:
    """Write the images on these lines of the list, in this order, to a new LMDB; returns how many could not
    be read.

    The key of the i-th image is i with eight digits, _, and its path in the list.  As in Caffe, an image that
    cannot be read is left out, and no record gets its number; the log names it.

    Raises DataError if the database exists or no image can be read, and what `ImageSet.record` raises; no
    database is left behind then.
    """
    left_out = 0
    with DatabaseWriter(path) as database:
        log.info(f"Opened lmdb {path}")
        for line in lines:
            with locate(lambda: image_set.listed.place(line)):  # noqa: B023, called before the next line
                name, _ = image_set.listed.entries[line]
                try:
                    data, image = image_set.read(line)
                except DataError as error:
                    log.error(f"Could not open or find file {image_set.listed.root}{name} ({error})")
                    left_out += 1
                    database.skip()
                    continue
                database.add(image_set.record(line, data, image), name)
            if database.count % GROUP == 0:
                log.info(f"Processed {database.count} files.")
        if not database.count:
            raise DataError(
                f"none of the {len(lines)} images of {image_set.listed.source} can be read",
                hint=f"is {image_set.listed.root!r} the folder, with a slash at the end, that they are in?",
            )
    if database.count % GROUP:
        log.info(f"Processed {database.count} files.")
    if left_out:
        log.warning(f"{left_out} of {len(lines)} images could not be read, and are not in {path}")
    return left_out
