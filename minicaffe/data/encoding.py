"""Encoding pixels as image files, as OpenCV's imencode does for Caffe."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from ..errors import ConfigError, suggest
from . import images

JPEG: tuple[str, dict[str, Any]] = ("JPEG", {"quality": 95})  # OpenCV's default, with chroma at half size
TIFF: tuple[str, dict[str, Any]] = ("TIFF", {"compression": "tiff_lzw"})
PNM: tuple[str, dict[str, Any]] = ("PPM", {})
# What Pillow calls a kind of file, and how it is written; all but JPEG lose nothing.
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "png": ("PNG", {}),
    "jpg": JPEG,
    "jpeg": JPEG,
    "bmp": ("BMP", {}),
    "tif": TIFF,
    "tiff": TIFF,
    "ppm": PNM,
    "pgm": PNM,
    "webp": ("WEBP", {"lossless": True}),
}


def encode(image: np.ndarray, kind: str, *, quality: int | None = None) -> bytes:
    """The bytes of an image file with pixels (C, H, W), uint8, of one channel or of blue, green and red.

    kind     the ending of such files' names: png, jpg, ...
    quality  of a JPEG, if it is another than OpenCV's default

    Raises ConfigError for a kind that is not in KINDS.
    """
    from PIL import Image

    form, options = _known(kind)
    options = options if quality is None else {**options, "quality": quality}
    pixels = image[0] if len(image) == 1 else np.ascontiguousarray(image[::-1].transpose(1, 2, 0))
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form, **options)
    return out.getvalue()


def same_kind(one: str, other: str) -> bool:
    """Whether two endings of names mean the same kind of file, as jpg and JPEG do."""
    one, other = one.lower(), other.lower()
    return one == other or (one in KINDS and KINDS.get(one) == KINDS.get(other))


def is_of(data: bytes, kind: str) -> bool:
    """Whether the contents of an image file are of this kind (png or jpg)."""
    return data.startswith({"PNG": images.PNG, "JPEG": images.JPEG}.get(_known(kind)[0], b"\0"))


def check(kind: str) -> None:
    """ConfigError unless images can be encoded as `kind`."""
    _known(kind)


def _known(kind: str) -> tuple[str, dict[str, Any]]:
    try:
        return KINDS[kind.lower()]
    except KeyError:
        raise ConfigError(f"images cannot be encoded as {kind!r}", hint=suggest(kind, KINDS)) from None
