"""Databases of annotated images: LMDBs of AnnotatedDatum, as SSD's fork of Caffe makes them."""

from __future__ import annotations

import os

import numpy as np

from ...errors import DataError, SchemaError
from ...proto import binary
from ...proto.schema import Message, message_class
from .. import datum
from ..database import Database
from ..images import Channels
from .boxes import Boxes
from .records import Found

HINT = "the database is damaged, or of another program"
BOXES = 0  # of AnnotatedDatum.AnnotationType


class AnnotatedDatabase:
    """The records of an LMDB of AnnotatedDatum, in the order of their keys.

    labelled  True: whatever type a record says it has, it holds boxes

    Only one thread may use the object at a time.  Raises DataError as Database.
    """

    def __init__(self, path: str | os.PathLike, channels: Channels, labelled: bool = False) -> None:
        self._database, self.channels, self.labelled = Database(path, channels), channels, labelled
        self.classes: list[str] = []

    def __len__(self) -> int:
        return len(self._database)

    def place(self, index: int) -> str:
        return self._database.place(index)

    def read(self, index: int) -> Found:
        return parse(self._database.value(index), self.channels, self.labelled)


def is_annotated(path: str | os.PathLike) -> bool:
    """Whether the first record of a database is an AnnotatedDatum, and not a Datum."""
    try:
        parse(Database(path).value(0), Channels.NATIVE)
    except DataError:
        return False
    return True


def parse(data: bytes, channels: Channels, labelled: bool = False) -> Found:
    """The image and the objects in the bytes of a record."""
    try:
        record = binary.parse(data, message_class("Forks.AnnotatedDatum"))
    except SchemaError:
        raise DataError("no whole AnnotatedDatum", hint=HINT) from None
    if not record.HasField("datum"):
        raise DataError("an AnnotatedDatum without an image", hint="Data reads databases of Datum")
    stored = record.datum
    image = stored.data if stored.encoded else datum.to_array(stored, channels)
    if not labelled and not record.HasField("type"):
        return Found(image, None, stored.label)
    if not labelled and record.type != BOXES:
        raise DataError("annotations of another type than BBOX cannot be read")
    groups = [(group.group_label, one) for group in record.annotation_group for one in group.annotation]
    corners = [(one.bbox.xmin, one.bbox.ymin, one.bbox.xmax, one.bbox.ymax) for _, one in groups]
    found = Boxes(
        np.array(corners, np.float64).reshape(-1, 4),
        np.array([label for label, _ in groups], np.int64),
        np.array([one.instance_id for _, one in groups], np.int64),
        np.array([one.bbox.difficult for _, one in groups], bool),
    )
    if not np.isfinite(found.corners).all():
        raise DataError("a box with a corner that is no number", hint=HINT)
    return Found(image, found, stored.label)


def to_record(image: bytes | np.ndarray, boxes: Boxes) -> Message:
    """The AnnotatedDatum of an image, the contents of a file or pixels (C, H, W), and its objects, whose
    corners are shares of it."""
    record = message_class("Forks.AnnotatedDatum")(type=BOXES)
    stored = datum.from_encoded(image) if isinstance(image, bytes) else datum.from_array(image)
    record.datum.CopyFrom(stored)
    groups = {}
    for corners, label, instance, difficult in zip(*(values.tolist() for values in boxes)):
        if label not in groups:
            groups[label] = record.annotation_group.add(group_label=label)
        one = groups[label].annotation.add(instance_id=instance)
        one.bbox.xmin, one.bbox.ymin, one.bbox.xmax, one.bbox.ymax = corners
        one.bbox.difficult = difficult
    return record
