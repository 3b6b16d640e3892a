"""Datum, the record of Caffe's databases: one labelled image."""

from __future__ import annotations

import math

import numpy as np

from ..errors import DataError, SchemaError
from ..proto import binary
from ..proto.schema import Datum, Message
from . import images
from .images import Channels

LABELS = np.iinfo(np.int32)


def parse(data: bytes) -> Message:
    """The Datum message in the bytes of a database's record; DataError if they are damaged."""
    try:
        return binary.parse(data, Datum)
    except SchemaError:
        raise DataError(
            f"{len(data)} bytes that are no whole Datum",
            hint="the database is damaged, or of another program",
        ) from None


def to_array(datum: Message, channels: Channels = Channels.NATIVE) -> np.ndarray:
    """The image (C, H, W) of a Datum: uint8, decoded if it is stored encoded; float32 if it is stored as
    float_data.

    `channels` says what an encoded image is decoded into.  Pixels that are not encoded are not converted:
    DataError if they have another number of channels, or if their number does not fit the shape.
    """
    if datum.encoded:
        return images.decode(datum.data, channels)
    shape = (datum.channels, datum.height, datum.width)
    if min(shape) < 1:
        raise DataError(
            f"channels, height and width must be at least 1; got {shape}",
            hint="AnnotatedData reads databases of AnnotatedDatum",
        )
    wanted = {Channels.COLOR: 3, Channels.GRAY: 1, Channels.NATIVE: shape[0]}[channels]
    if shape[0] != wanted:
        raise DataError(
            f"raw pixels of {shape[0]} channels; force_color and force_gray decode encoded images",
            hint="remove it from transform_param",
        )
    if datum.data:
        values = np.frombuffer(datum.data, np.uint8)
    else:
        values = np.array(datum.float_data, np.float32)
    if values.size != math.prod(shape):
        raise DataError(
            f"a Datum of channels x height x width = {shape[0]} x {shape[1]} x {shape[2]} holds"
            f" {math.prod(shape)} values; got {values.size}",
            hint="the database is damaged",
        )
    return values.reshape(shape)


def from_array(image: np.ndarray, label: int = 0) -> Message:
    """The Datum of an image (C, H, W), not encoded: uint8 goes to `data`, float32 to `float_data`."""
    if image.ndim != 3 or not image.size:
        raise DataError(f"an image must have the axes (C, H, W), none empty; got {image.shape}")
    channels, height, width = image.shape
    datum = Datum(channels=channels, height=height, width=width, label=_checked(label))
    if image.dtype == np.uint8:
        datum.data = image.tobytes()
    elif image.dtype == np.float32:
        datum.float_data.extend(image.ravel().tolist())
    else:
        raise DataError(f"an image must hold uint8 or float32; got {image.dtype}", hint="use astype")
    return datum


def from_encoded(data: bytes, label: int = 0) -> Message:
    """The Datum of an encoded image: `data` is the contents of an image file."""
    return Datum(data=data, label=_checked(label), encoded=True)


def _checked(label: int) -> int:
    if not LABELS.min <= label <= LABELS.max:
        raise DataError(f"a label must fit 32 bits; got {label}")
    return int(label)
