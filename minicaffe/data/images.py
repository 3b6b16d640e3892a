"""Decoding image files as OpenCV does for Caffe: to (C, H, W), uint8, channels in the order blue, green, red.

Pillow decodes the files.  Where there is a choice, the result is that of OpenCV:

bits        of 16 bits per value the lower eight are dropped; one bit becomes 0 or 255; float images are
            refused
palette     colours are looked up
alpha       is dropped, not blended; NATIVE makes four channels of any image with alpha, also of a grey one
EXIF        the orientation is applied (in OpenCV since 3.1), but not with NATIVE
CMYK        in JPEG only, converted by Pillow
animation   the first frame is taken
grey        colour PNG files are converted as libpng does, of colour JPEG files the stored luminance is taken,
            all others are converted by (1868 B + 9617 G + 4899 R + 8192) >> 14.  So the same picture in two
            formats may give two results

Source: OpenCV's cv::imread and cv::imdecode.
"""

from __future__ import annotations

import enum
import io
import math
import os
import warnings
from typing import Any

import numpy as np

from ..errors import DataError, locate
from ..files import LARGEST_BYTES, read_bytes


class Channels(enum.Enum):
    """What an image is converted to."""

    COLOR = "color"  # blue, green, red
    GRAY = "gray"  # one channel
    NATIVE = "native"  # as the file has them: 1, 3, or 4 with alpha
    FOUND = "found"  # one channel where the file has one, else as COLOR


# Blue, green and red, what is added for rounding, and the bits shifted out.
LIBPNG = ((3737, 19234, 9797), 0, 15)  # png_set_rgb_to_gray(0.299, 0.587): truncates twice
OPENCV = ((1868, 9617, 4899), 1 << 13, 14)

# How names of image files end: what is taken out of folders.
ENDINGS = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".webp", ".ppm")
    + (".pgm", ".pbm", ".pnm", ".jp2", ".avif")
)
PNG = b"\x89PNG\r\n\x1a\n"  # what such a file begins with
JPEG = b"\xff\xd8\xff"
DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's modes of 16 bits per pixel
DEEP_REMARK = "16 bits per value: the upper 8 are taken"
WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")


def read(path: str | os.PathLike, channels: Channels = Channels.COLOR) -> np.ndarray:
    """The image in a file; DataError, naming the file, if it cannot be read."""
    data = contents(path)
    with locate(os.fspath(path)):
        return decode(data, channels)


def contents(path: str | os.PathLike) -> bytes:
    """The bytes of a file; DataError if it cannot be read."""
    return read_bytes(path, LARGEST_BYTES)


def decode(
    data: bytes, channels: Channels = Channels.COLOR, *, least_px: int | None = None, most_pixels: int = 0
) -> np.ndarray:
    """The image in the bytes of a file.

    least_px     a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size if its longer side keeps so many pixels,
                 which is faster; None: at its full size
    most_pixels  how many pixels the result may have; 0 for no limit

    Raises DataError if the bytes are no image or only part of one, or if it has more than twice
    PIL.Image.MAX_IMAGE_PIXELS pixels: a few bytes can stand for any number of pixels.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            if most_pixels:  # there is a limit: Pillow need not warn of its own
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(io.BytesIO(data))
        with opened as image:
            if least_px is not None:
                share = min(1.0, least_px / max(image.size))
                image.draft(image.mode, (math.ceil(image.width * share), math.ceil(image.height * share)))
            if 0 < most_pixels < image.width * image.height:
                raise DataError(
                    f"an image of {image.width}x{image.height} pixels; expected at most {most_pixels} in all",
                    hint="make it smaller",
                )
            pixels = _pixels(image, channels)
    except UnidentifiedImageError:
        raise DataError(
            f"{len(data)} bytes that are no image Pillow knows", hint="PNG, JPEG, BMP, TIFF, ... are"
        ) from None
    except DataError:
        raise
    except Image.DecompressionBombError:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise DataError(
            f"an image of more than {most} pixels, the most that are decoded",
            hint="make it smaller, or set PIL.Image.MAX_IMAGE_PIXELS in a program of your own",
        ) from None
    except Exception as error:  # what decoders raise on damaged data is of any kind
        raise DataError(f"not a whole image: {error}", hint="the file is damaged or cut short") from None
    return pixels


def _pixels(image: Any, channels: Channels) -> np.ndarray:
    from PIL import ImageOps

    if channels is Channels.GRAY and image.format == "JPEG":
        image.draft("L", None)  # libjpeg hands out the luminance
    if channels is not Channels.NATIVE:
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "F":
        raise DataError("an image of floats", hint="store it in HDF5, or as bytes")
    if image.mode in DEEP:
        plane = _upper_byte(np.asarray(image))
    elif image.mode in ("1", "L"):
        plane = np.asarray(image if image.mode == "L" else image.convert("L"))
    else:
        return _from_color(image, channels)
    return np.repeat(plane[None], 3 if channels is Channels.COLOR else 1, axis=0)


def _from_color(image: Any, channels: Channels) -> np.ndarray:
    """The pixels of an image that has several channels or a palette."""
    if channels is Channels.NATIVE:
        alpha = image.mode in WITH_ALPHA or (image.mode == "P" and "transparency" in image.info)
        if alpha:
            red, green, blue, opacity = np.asarray(image.convert("RGBA")).transpose(2, 0, 1)
            return np.stack([blue, green, red, opacity])
    weights, half, bits = LIBPNG if image.format == "PNG" else OPENCV
    if image.mode in WITH_ALPHA:
        image = image.convert("RGBA")
    pixels = np.asarray(image.convert("RGB"))[:, :, ::-1]
    if channels is Channels.GRAY:
        return ((pixels @ np.array(weights, np.int32) + half) >> bits).astype(np.uint8)[None]
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def is_grey(data: bytes) -> bool:
    """Whether the bytes of a file are an image of one channel; only its header is read.  False if they are no
    image."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.mode in ("1", "L", *DEEP)
    except Exception:  # what decoders raise on damaged data is of any kind; `decode` says it
        return False


def grey(image: np.ndarray) -> np.ndarray:
    """The grey image (1, H, W) of pixels (C, H, W), uint8, of one channel or of blue, green and red."""
    if len(image) == 1:
        return image
    weights, half, bits = OPENCV
    return ((np.tensordot(np.array(weights, np.int32), image, 1) + half) >> bits).astype(np.uint8)[None]


def remarks(data: bytes) -> tuple[str, ...]:
    """What is lost when an image file is decoded, in words: lower bits, opacity, further frames.  For most
    files that is nothing."""
    found = []
    frames = 1
    if data.startswith(PNG):
        depth, kind = data[24:26].ljust(2, b"\0")
        frames = 2 if b"acTL" in data[:200] else 1
        found += [DEEP_REMARK] * (depth == 16)
        found += ["transparent: opacity is not taken"] * (kind in (4, 6))
    elif data.startswith((b"GIF8", b"RIFF", b"II*\0", b"MM\0*")):
        frames, deep = _frames(data)
        found += [DEEP_REMARK] * deep
    return (*found, *["several frames: the first is taken"] * (frames > 1))


def _frames(data: bytes) -> tuple[int, bool]:
    """The number of frames in the bytes of a file, and whether the first has 16 bits per value."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            return getattr(image, "n_frames", 1), image.mode in DEEP
    except Exception:  # what decoders raise on damaged data is of any kind; `decode` says it
        return 1, False


def _upper_byte(values: np.ndarray) -> np.ndarray:
    if values.min() < 0 or values.max() > 0xFFFF:
        raise DataError(
            f"pixel values from {values.min()} to {values.max()}; expected at most 16 bits",
            hint="store them in HDF5",
        )
    return (values >> 8).astype(np.uint8)
