"""Images whose pixels are classes, not colours."""

from __future__ import annotations

import io
import os

import numpy as np

from ..errors import DataError, locate
from ..files import LARGEST_BYTES, read_bytes

ONE_BYTE = ("P", "L")  # Pillow's modes: numbers of a palette, and grey


def read_labels(path: str | os.PathLike) -> np.ndarray:
    """The number of every pixel (h, w), uint8: of a palette's colour, not the colour; DataError, naming the
    file, if it cannot be read or has more than one number for a pixel."""
    from PIL import Image

    data = read_bytes(path, LARGEST_BYTES)
    with locate(os.fspath(path)):
        try:
            with Image.open(io.BytesIO(data)) as image:
                mode, pixels = image.mode, np.asarray(image)
        except Exception as error:  # what decoders raise on damaged data is of any kind
            raise DataError(f"not a whole image: {error}") from None
        if mode not in ONE_BYTE:
            raise DataError(f"an image of mode {mode}; labels have one byte for a pixel, a palette or grey")
    return pixels
