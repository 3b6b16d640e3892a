"""Images in which objects are marked by boxes: the folders of Pascal VOC, the annotations of COCO."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import ConfigError, DataError, locate
from ..files import LARGEST_BYTES, read_bytes

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


class Marked(NamedTuple):
    """An image file, and its objects: x1, y1, x2, y2, counted from 0, both corners belonging to them, and the
    class, counted from 1 (n, 5)."""

    path: str
    objects: np.ndarray


def voc(folder: str | os.PathLike, image_set: str, classes: Sequence[str] = VOC_CLASSES) -> list[Marked]:
    """The images that ImageSets/Main/<image_set>.txt of a folder such as VOCdevkit/VOC2007 lists, with the
    objects that are of these classes and not difficult; images without any are left out.

    Raises DataError, naming the file, for one that is missing or damaged.
    """
    root, found = Path(folder), []
    names = read_bytes(root / "ImageSets" / "Main" / f"{image_set}.txt", LARGEST_BYTES).decode(
        errors="replace"
    )
    numbers = {name: i for i, name in enumerate(classes, 1)}
    for name in (line.split()[0] for line in names.splitlines() if line.strip()):
        path = root / "Annotations" / f"{name}.xml"
        objects = _voc_objects(path, numbers)
        if len(objects):
            found.append(Marked(os.fspath(root / "JPEGImages" / f"{name}.jpg"), objects))
    return found


def _voc_objects(path: Path, numbers: dict[str, int]) -> np.ndarray:
    from xml.etree import ElementTree

    rows = []
    with locate(os.fspath(path)):
        data = read_bytes(path, LARGEST_BYTES)
        if b"<!DOCTYPE" in data or b"<!ENTITY" in data:  # a few bytes can stand for any number
            raise DataError("an annotation with declarations of its own, which Pascal VOC's have not")
        try:
            tree = ElementTree.fromstring(data)
            for item in tree.iter("object"):
                if int(item.findtext("difficult") or 0) or item.findtext("name", "").strip() not in numbers:
                    continue
                corners = [
                    float(item.findtext(f"bndbox/{c}", "")) - 1 for c in ("xmin", "ymin", "xmax", "ymax")
                ]
                rows.append([*corners, numbers[item.findtext("name", "").strip()]])
        except (ElementTree.ParseError, ValueError) as error:
            raise DataError(f"no annotation as Pascal VOC has them: {error}") from None
    return _sound(np.array(rows, float).reshape(-1, 5), os.fspath(path))


def coco(annotations: str | os.PathLike, images: str | os.PathLike) -> list[Marked]:
    """The images of an instances_*.json, which lie in the folder `images`, with their objects that are no
    crowds; the classes are its categories in their order.  Images without objects are left out.

    Raises DataError, naming the file, for one that is missing or damaged.
    """
    path = os.fspath(annotations)
    with locate(path):
        try:
            said = json.loads(read_bytes(path, LARGEST_BYTES))
            numbers = {category["id"]: i for i, category in enumerate(said["categories"], 1)}
            about: dict[Any, tuple[dict, list]] = {image["id"]: (image, []) for image in said["images"]}
            for item in said["annotations"]:
                if not item.get("iscrowd"):
                    image, rows = about[item["image_id"]]
                    rows.append([*_corners(item["bbox"], image), numbers[item["category_id"]]])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"no annotations as COCO has them: {type(error).__name__}: {error}") from None
    found = []
    for image, rows in about.values():
        objects = np.array(rows, float).reshape(-1, 5)
        objects = objects[(objects[:, 2:4] >= objects[:, :2]).all(axis=1)]  # some have no area
        if len(objects):
            found.append(Marked(os.path.join(images, image["file_name"]), objects))
    return found


def _corners(box: Sequence[float], image: dict) -> list[float]:
    """Of left, top, width and height, cut to the image."""
    x, y, w, h = map(float, box)
    right, bottom = x + max(w - 1, 0), y + max(h - 1, 0)
    return [
        max(x, 0),
        max(y, 0),
        min(right, float(image["width"]) - 1),
        min(bottom, float(image["height"]) - 1),
    ]


def _sound(objects: np.ndarray, path: str) -> np.ndarray:
    if not np.isfinite(objects).all() or (objects[:, 2:4] < objects[:, :2]).any():
        raise DataError(f"{path}: a box that ends before it begins")
    return objects


def class_numbers(count: int, names: Sequence[str]) -> Sequence[str]:
    """The classes but ground: those that are named, else VOC's; ConfigError if they are not `count` - 1."""
    classes = list(names) or VOC_CLASSES
    if len(classes) != count - 1:
        raise ConfigError(
            f"num_classes is {count}, with ground; there are {len(classes)} classes",
            hint="name them: 'classes': [car, person, ...]",
        )
    return classes
