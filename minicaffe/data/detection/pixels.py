"""Annotated images as R-CNN learns from them: objects in pixels, but for crowds and those that are difficult.

Pixels are counted from 0, and both corners of a box belong to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ...errors import DataError, locate
from .boxes import Boxes
from .coco import Coco
from .label_map import LabelMap
from .records import Files
from .voc import SETS, Voc


class Marked(NamedTuple):
    """The file of an image, and its objects (n, 5): x1, y1, x2, y2, and the class, counted from 1."""

    path: str
    objects: np.ndarray


def of_voc(folder: str | os.PathLike, image_set: str, classes: Sequence[str]) -> list[Marked]:
    """The images that FOLDER/ImageSets/Main/IMAGE_SET.txt lists, with their objects of these classes; images
    without any are left out.

    Raises DataError for files that are missing or damaged, and a class that is there twice.
    """
    labels = LabelMap([(name, label, "") for label, name in enumerate(classes, 1)], "classes")
    records = Voc(os.path.join(folder, SETS, "Main", f"{image_set}.txt"), labels, strict=False)
    return _marked(records, lambda corners, size: corners - 1)  # VOC counts from 1


def of_coco(path: str | os.PathLike, folder: str | os.PathLike) -> list[Marked]:
    """The images of a file of instances, with their objects; the classes are its categories in their order.
    Images without objects, or with none that lies in the image, are left out.

    folder  of the images, as Coco has it

    Raises DataError for a file that is damaged, and an image without its size.
    """
    records = Coco(os.fspath(path), os.fspath(folder))
    place = {label: number for number, label in enumerate(records.in_order, 1)}
    found = _marked(records, _cut)
    for _, objects in found:
        objects[:, 4] = [place[label] for label in objects[:, 4]]
    return found


def _cut(corners: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Boxes whose last corner does not belong to them, cut to the image; outside of it they are turned inside
    out."""
    height, width = size
    if min(size) < 1:
        raise DataError(f"boxes are cut to the image; got one of {width}x{height} pixels")
    first, last = corners[:, :2], np.maximum(corners[:, 2:] - 1, corners[:, :2])
    return np.concatenate([np.maximum(first, 0), np.minimum(last, (width - 1, height - 1))], axis=1)


def _marked(records: Files, inclusive: Callable[[np.ndarray, tuple[int, int]], np.ndarray]) -> list[Marked]:
    found = []
    for index in range(len(records)):
        with locate(records.place(index)):
            size, boxes = records.boxes(index)
            easy: Boxes = boxes.taken(~boxes.difficult)
            if not len(easy.labels):
                continue
            objects = np.column_stack([inclusive(easy.corners, size), easy.labels])
            objects = objects[(objects[:, 2:4] >= objects[:, :2]).all(axis=1)]
            if len(objects):
                found.append(Marked(records.image(index), objects))
    return found
