"""Annotated images as COCO keeps them: a JSON file of instances, and a folder of images.

{"images": [{"id": 9, "file_name": "9.jpg", "width": 640, "height": 480}],
 "annotations": [{"image_id": 9, "category_id": 51, "bbox": [1.08, 187.69, 611.59, 285.84], "iscrowd": 0}],
 "categories": [{"id": 51, "name": "bowl"}]}

A bbox is xmin, ymin, width, height in pixels.
"""

from __future__ import annotations

import json
import math
import os
from typing import Any

from ...errors import DataError, locate
from ...files import read_whole
from .. import images, ranges
from .boxes import Boxes, marked
from .label_map import LabelMap
from .records import Found, inside

PREFIX = "instances_"


class Coco:
    """The images of a file of instances, in its order.

    source  the file, perhaps with a range behind
    folder  of the images; "": of annotations/instances_NAME.json the folder NAME beside annotations, of
            another file its own
    labels  the classes, which it may call by the categories' names or numbers; None: labels from 1 on, in the
            order of the categories' numbers

    in_order  the labels of the categories, in the file's order

    A crowd counts as difficult.  Raises DataError for a file that is missing, not of this form or without
    images.
    """

    def __init__(self, source: str, folder: str = "", labels: LabelMap | None = None) -> None:
        self.path = ranges.without(source)
        self.folder = folder or _beside(self.path)
        with locate(self.path):
            document = _document(self.path)
            categories = {_whole(c, "id"): _text(c, "name") for c in _list(document, "categories")}
            self.labels = labels or _numbered(categories, self.path)
            self.classes = self.labels.shown
            self._images = _list(document, "images")
            numbers = {_whole(image, "id"): k for k, image in enumerate(self._images)}
            if not numbers:
                raise DataError("no images")
            if len(numbers) < len(self._images):
                raise DataError("two images have the same id")
            self._names = [_text(image, "file_name") for image in self._images]
            self._sizes = [(_whole(image, "height", 0), _whole(image, "width", 0)) for image in self._images]
            self._objects: list[list[dict]] = [[] for _ in self._images]
            for thing in _list(document, "annotations"):
                image = _whole(thing, "image_id")
                if image not in numbers:
                    raise DataError(f"an annotation of image {image}, which is not there")
                self._objects[numbers[image]].append(thing)
            known = {number: self.labels.label(name, str(number)) for number, name in categories.items()}
            self._boxes = [_boxes(objects, known) for objects in self._objects]
            self.in_order = list(known.values())
        del self._images, self._objects
        self._rows = ranges.rows(source, len(self._names))

    def __len__(self) -> int:
        return len(self._rows)

    def place(self, index: int) -> str:
        return f"{self.path}: image {self._names[self._rows[index]]!r}"

    def read(self, index: int) -> Found:
        size, boxes = self.boxes(index)
        return Found(images.contents(self.image(index)), boxes.grouped(), size=size)

    def image(self, index: int) -> str:
        return inside(self.folder, self._names[self._rows[index]])

    def boxes(self, index: int) -> tuple[tuple[int, int], Boxes]:
        return self._sizes[self._rows[index]], self._boxes[self._rows[index]]


def _beside(path: str) -> str:
    folder, name = os.path.split(path)
    if name.startswith(PREFIX) and os.path.basename(folder) == "annotations":
        return os.path.join(os.path.dirname(folder), os.path.splitext(name)[0].removeprefix(PREFIX))
    return folder


def _numbered(categories: dict[int, str], source: str) -> LabelMap:
    names = [(categories[number], label, "") for label, number in enumerate(sorted(categories), 1)]
    return LabelMap([("none_of_the_above", 0, "background"), *names], source)


def _document(path: str) -> dict[str, Any]:
    try:
        found = json.loads(read_whole(path))
    except (ValueError, RecursionError) as error:  # of damage, and of brackets in each other without end
        if isinstance(error, DataError):
            raise
        raise DataError(f"no JSON: {error}", hint="the file is damaged or cut short") from None
    if not isinstance(found, dict):
        raise DataError('expected {"images": ..., "annotations": ..., "categories": ...}')
    return found


def _list(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = document.get(name)
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise DataError(f"{name!r} must be a list of objects", hint="a file of COCO's instances has one")
    return found


def _boxes(objects: list[dict[str, Any]], labels: dict[int, int]) -> Boxes:
    corners, numbers, crowds = [], [], []
    for thing in objects:
        box, category = thing.get("bbox"), _whole(thing, "category_id")
        numeric = isinstance(box, list) and len(box) == 4 and all(_is_number(value) for value in box)
        if not numeric or box[2] < 0 or box[3] < 0:  # type: ignore[index]
            raise DataError(
                f"the bbox of an annotation of image {thing['image_id']} must be xmin, ymin, width, height;"
                f" got {str(box)[:200]}"
            )
        if category not in labels:
            raise DataError(f"an annotation of category {category}, which is not there")
        x, y, width, height = box  # type: ignore[misc]
        corners.append([x, y, x + width, y + height])
        numbers.append(labels[category])
        crowds.append(bool(thing.get("iscrowd")))
    return marked(corners, numbers, crowds)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and abs(value) < 1 << 31 and not math.isnan(value)


def _whole(item: dict[str, Any], name: str, default: int | None = None) -> int:
    value = item.get(name, default)
    if not isinstance(value, int) or not abs(value) < 1 << 63:
        raise DataError(f"{name!r} must be a whole number; got {str(value)[:200]}")
    return value


def _text(item: dict[str, Any], name: str) -> str:
    if not isinstance(value := item.get(name), str) or not value:
        raise DataError(f"{name!r} must be a text; got {str(value)[:200]}")
    return value
