"""A photo as the steps want it: grey, from 0 to 1, of a size at which strokes are neither hair nor beam."""

from __future__ import annotations

import os
import warnings
from typing import NamedTuple

import numpy as np

from ..data import images
from ..errors import DataError, locate
from .page import Point

SMALLEST_PX = 16  # of the shorter side
SMALL_PX = 400  # longer side below which a picture is enlarged
LARGE_PX = 1600  # longer side of what is worked on
MOST_PIXELS = 50_000_000  # of a file that is decoded as a whole; JPEGs are decoded at a fraction


class Photo(NamedTuple):
    """A photo and what is worked on.

    colour  (H, W, 3) uint8, red first, as it is annotated
    grey    (h, w) float32 in [0, 1], what is worked on
    scale   pixels of `grey` per pixel of the photo
    size    width and height of the photo, as it is decoded: a large JPEG at a fraction of its size
    """

    colour: np.ndarray
    grey: np.ndarray
    scale: float
    size: tuple[int, int]

    def place(self, point: Point) -> Point:
        """A point of `grey` in the photo."""
        return point[0] / self.scale, point[1] / self.scale


def load(image: str | os.PathLike | np.ndarray) -> Photo:
    """The photo in a file or an array; DataError if there is none, or one that is too small or too large."""
    if isinstance(image, np.ndarray):
        return _photo(_array(image))
    with locate(os.fspath(image)), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of large images: they are decoded small, or refused
        data = images.contents(image)
        planes = images.decode(data, images.Channels.COLOR, least_px=LARGE_PX, most_pixels=MOST_PIXELS)
        return _photo(np.ascontiguousarray(planes[::-1].transpose(1, 2, 0)))


def _array(image: np.ndarray) -> np.ndarray:
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise DataError(f"an array of shape {image.shape}; expected (H, W) or (H, W, 3)")
    if np.issubdtype(image.dtype, np.floating):
        if image.size and not (image.min() >= 0 and image.max() <= 1):
            raise DataError("floats that are not from 0 to 1", hint="divide by the largest value")
        image = (image * 255 + 0.5).astype(np.uint8)
    if image.dtype != np.uint8:
        raise DataError(f"an array of {image.dtype}; expected uint8, or floats from 0 to 1")
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


def _photo(colour: np.ndarray) -> Photo:
    from PIL import Image

    height, width = colour.shape[:2]
    if min(height, width) < SMALLEST_PX:
        raise DataError(
            f"an image of {width}x{height} pixels; expected at least {SMALLEST_PX} each way",
            hint="give a larger photo",
        )
    longest = max(height, width)
    picture = Image.fromarray(colour).convert("L")
    scale = 1.0
    if longest > LARGE_PX or longest < SMALL_PX:
        scale = (LARGE_PX if longest > LARGE_PX else SMALL_PX) / longest
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        filter = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
        picture = picture.resize(size, filter)
    grey = np.asarray(picture, np.float32) / 255
    return Photo(colour, grey, scale, (width, height))
