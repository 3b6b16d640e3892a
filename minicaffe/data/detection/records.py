"""What a source of annotated images holds, and how it is decoded."""

from __future__ import annotations

import math
import os
from typing import NamedTuple, Protocol

import numpy as np

from ...errors import DataError
from .. import images
from ..images import Channels
from .boxes import Boxes

MOST_DISTORTED = 0.05  # by which the logarithms of two aspects may differ: sizes are whole numbers


class Found(NamedTuple):
    """A record.

    image  the bytes of an image file, or pixels (C, H, W)
    boxes  the objects; None for a record that has but a label
    label  of such a record
    size   height and width in pixels of the image that the boxes' corners are pixels of, (0, 0) if the record
           does not say; None if the corners are shares already
    """

    image: bytes | np.ndarray
    boxes: Boxes | None
    label: int = 0
    size: tuple[int, int] | None = None


class Annotated(Protocol):
    """Annotated images by number.

    classes  the names of the classes by number; empty if they are not known
    """

    classes: list[str]

    def __len__(self) -> int: ...

    def read(self, index: int) -> Found:
        """Record `index`; serves one thread at a time."""

    def place(self, index: int) -> str:
        """Where record `index` is stored, for errors."""


class Files(Protocol):
    """Annotated images that lie in files of their own, by number."""

    def __len__(self) -> int: ...

    def image(self, index: int) -> str:
        """The file of an image."""

    def boxes(self, index: int) -> tuple[tuple[int, int], Boxes]:
        """Height and width of an image, (0, 0) if they are not known, and its objects in pixels, in the order
        of the file that marks them."""

    def place(self, index: int) -> str:
        """Where record `index` is stored, for errors."""


def opened(found: Found, channels: Channels) -> tuple[np.ndarray, Boxes | None]:
    """The image (C, H, W) of a record, and its objects; serves any number of threads.

    DataError for boxes in pixels of an image of another shape.
    """
    image = found.image if isinstance(found.image, np.ndarray) else images.decode(found.image, channels)
    if found.boxes is None or found.size is None:
        return image, found.boxes
    own = image.shape[1:]
    height, width = found.size if min(found.size) > 0 else own
    if abs(math.log(width * own[0] / (height * own[1]))) > MOST_DISTORTED:
        raise DataError(
            f"the boxes are of an image of {width}x{height} pixels; this one has {own[1]}x{own[0]}",
            hint="it was turned or cut after it was annotated",
        )
    return image, found.boxes._replace(corners=found.boxes.corners / [width, height, width, height])


def inside(folder: str, name: str) -> str:
    """The path of a file that a data set names; DataError if it would lie outside the folder."""
    path = os.path.normpath(os.path.join(folder, name))
    if os.path.isabs(name) or os.path.relpath(path, folder).split(os.sep)[0] == os.pardir or "\0" in name:
        raise DataError(f"{name!r} names a file outside {folder or '.'}", hint="paths begin in that folder")
    return path
