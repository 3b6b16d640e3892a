"""One image on its way into a data set: read, made grey or colour, brought to size, perhaps encoded."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...errors import DataError
from .. import encoding, images
from ..images import Channels
from .fit import fit
from .sources import Source


class Prepared(NamedTuple):
    """pixels (C, H, W), uint8, or None and why not; `coloured`, where that was to be found out; the file,
    where one is wanted; what there is to say of the image."""

    pixels: np.ndarray | None
    failure: str = ""
    coloured: bool = False
    file: bytes = b""
    remarks: tuple[str, ...] = ()


class Preparation:
    """What is done to every image.

    channels   GRAY, COLOR, or FOUND: grey, but it is told if an image is coloured
    size       height and width, or None: as it is
    mode       of fit
    fill       the value of borders
    encode     png, jpg: the file that is wanted too; "": none

    An object serves any number of threads.
    """

    def __init__(
        self,
        source: Source,
        channels: Channels,
        size: tuple[int, int] | None,
        mode: str,
        fill: int,
        encode: str,
    ) -> None:
        self.source, self.channels, self.size = source, channels, size
        self.mode, self.fill, self.encode = mode, fill, encode

    def __call__(self, index: int) -> Prepared:
        try:
            found = self.source.read(index)
            pixels, remarks = self._decoded(found)
        except DataError as error:
            return Prepared(None, error.message)
        if self.channels is Channels.FOUND and len(pixels) > 1:
            if any(not np.array_equal(pixels[0], other) for other in pixels[1:]):
                return Prepared(None, coloured=True)
            pixels = pixels[:1]
        if self.size is not None:
            pixels = fit(pixels, self.size, self.mode, self.fill)
        if (pixels == pixels.flat[0]).all():
            remarks = (*remarks, "blank: all pixels are alike")
        return Prepared(pixels, file=self._file(found, pixels), remarks=remarks)

    def _decoded(self, found: bytes | np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        """Pixels, of one channel or three, and what there is to say of the file they come from."""
        if isinstance(found, bytes):
            return images.decode(found, self.channels), images.remarks(found)
        if self.channels is Channels.GRAY:
            return images.grey(found), ()
        wanted = 3 if self.channels is Channels.COLOR else len(found)
        return np.repeat(found, wanted // len(found), axis=0), ()

    def _file(self, found: bytes | np.ndarray, pixels: np.ndarray) -> bytes:
        """The image's own file, where that is of the kind asked for and holds these very pixels; else a new
        one."""
        if not self.encode:
            return b""
        if isinstance(found, bytes) and encoding.is_of(found, self.encode):
            try:
                if np.array_equal(images.decode(found, Channels.NATIVE), pixels):
                    return found
            except DataError:
                pass
        return encoding.encode(pixels, self.encode)
