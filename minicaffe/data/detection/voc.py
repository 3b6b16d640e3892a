"""Annotated images as PASCAL VOC keeps them.

FOLDER/JPEGImages/ID.jpg  FOLDER/Annotations/ID.xml  FOLDER/ImageSets/Main/train.txt  FOLDER/labelmap.prototxt

A list in ImageSets has an ID per line.  An annotation is

<annotation>
  <size><width>500</width><height>375</height></size>
  <object><name>cat</name><difficult>0</difficult>
    <bndbox><xmin>48</xmin><ymin>240</ymin><xmax>195</xmax><ymax>371</ymax></bndbox></object>
</annotation>
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np

from ...errors import DataError, locate
from ...files import read_bytes, read_text
from .. import images, ranges
from . import label_map
from .boxes import Boxes, marked
from .label_map import LabelMap
from .records import Found, inside

IMAGES, ANNOTATIONS, SETS = "JPEGImages", "Annotations", "ImageSets"
ENDINGS = (".jpg", ".png", ".jpeg", ".bmp", ".JPG", ".JPEG", ".PNG")  # looked for in this order
CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
CORNERS = ("xmin", "ymin", "xmax", "ymax")
LARGEST_XML_BYTES = 1 << 24
DEPTH = 32  # of elements in each other, at most


class Voc:
    """The images that a list of a VOC folder names.

    source  the list, FOLDER/ImageSets/Main/train.txt, or for short FOLDER/train; perhaps with a range behind
    labels  the classes; None: those of FOLDER/labelmap.prototxt
    strict  True: an object of another class is refused; False: it is left out

    Raises DataError for a list that is missing or empty, or not of this form.
    """

    def __init__(self, source: str, labels: LabelMap | None = None, strict: bool = True) -> None:
        self.list, self.folder = where(source)
        beside = os.path.join(self.folder, label_map.FILE)
        if labels is None and not os.path.exists(beside):
            raise DataError(
                f"{self.folder}: no {label_map.FILE}, which numbers the classes",
                hint="write one, or name it: annotated_data_param { label_map_file }",
            )
        self.labels = labels or label_map.read(beside)
        self.classes, self.strict = self.labels.shown, strict
        lines = listed(self.list)
        self._entries = [lines[i] for i in ranges.rows(source, len(lines))]

    def __len__(self) -> int:
        return len(self._entries)

    def place(self, index: int) -> str:
        return f"{self.list}:{self._entries[index][0]}"

    def read(self, index: int) -> Found:
        data = images.contents(self.image(index))
        size, boxes = self.boxes(index)
        return Found(data, boxes.grouped(), size=size)

    def image(self, index: int) -> str:
        return image(self.folder, self._entries[index][1])

    def boxes(self, index: int) -> tuple[tuple[int, int], Boxes]:
        path = inside(os.path.join(self.folder, ANNOTATIONS), f"{self._entries[index][1]}.xml")
        with locate(path):
            return parse(read_bytes(path, LARGEST_XML_BYTES), self.labels, self.strict)


def listed(path: str | os.PathLike) -> list[tuple[int, str]]:
    """The names of images in a list, each behind the number of its line; DataError if there are none."""
    lines = enumerate(read_text(path).split("\n"), 1)
    found = [(number, line.strip()) for number, line in lines if line.strip()]
    if not found:
        raise DataError(f"{os.fspath(path)}: the list is empty", hint="a line holds the name of an image")
    for number, line in found:
        if len(line.split()) > 1:
            raise DataError(
                f"{os.fspath(path)}:{number}: expected the name of an image; got {line[:200]!r}",
                hint="lists of a single class, such as cat_train.txt, have more in a line",
            )
    return found


def image(folder: str | os.PathLike, name: str) -> str:
    """The file of an image that a list names; DataError if there is none."""
    stem = inside(os.path.join(folder, IMAGES), name)
    for ending in ENDINGS:
        if os.path.exists(stem + ending):
            return stem + ending
    raise DataError(f"no image {stem}{ENDINGS[0]}", hint=f"looked for {', '.join(ENDINGS[:4])} too")


def is_here(source: str) -> bool:
    """Whether there is the list that a source names."""
    try:
        where(source)
    except DataError:
        return False
    return True


def lists(folder: str) -> list[str]:
    """The parts of a VOC folder: train, val, test, ..., as far as it has lists of this name."""
    usual = ("train", "val", "trainval", "test")
    return [name for name in usual if os.path.isfile(os.path.join(folder, SETS, "Main", f"{name}.txt"))]


def where(source: str) -> tuple[str, str]:
    """The list that a source names, and the folder of its data set; DataError if there is none."""
    path = Path(ranges.without(source))
    short = path.parent / SETS / "Main" / f"{path.name}.txt"
    try:
        found = path if path.is_file() else short if short.is_file() else None
    except (OSError, ValueError):  # a name that none can have
        found = None
    if found is None:
        raise DataError(
            f"{path}: no list of images of a VOC folder",
            hint=f"FOLDER/train is short for FOLDER/{SETS}/Main/train.txt",
        )
    for folder in found.parents:
        if folder.name == SETS:
            return str(found), str(folder.parent)
    raise DataError(f"{path}: a list must lie in a folder {SETS}, beside {IMAGES}")


def parse(data: bytes, labels: LabelMap, strict: bool = True) -> tuple[tuple[int, int], Boxes]:
    """Height and width of the image, (0, 0) if they are not there, and its objects in pixels, out of the
    bytes of an annotation, in its order.

    strict  whether an object of a class that has no label is refused, or left out

    DataError for what is no annotation, and for any declaration of a document type: entities can name other
    files, and stand for any number of bytes.
    """
    root = _tree(data)
    size = root.find("size")
    height, width = (0 if size is None else int(_number(size, name, 0.0)) for name in ("height", "width"))
    corners, numbers, difficult = [], [], []
    for thing in root.iterfind("object"):
        name = (thing.findtext("name") or "").strip()
        if not strict and name not in labels.numbers:
            continue
        box = thing.find("bndbox")
        if box is None:
            raise DataError(f"an object {name!r} without <bndbox>")
        corner = [_number(box, at) for at in CORNERS]
        if corner[0] > corner[2] or corner[1] > corner[3]:
            raise DataError(
                f"a box of {name!r} ends before it begins: {' '.join(map('{:g}'.format, corner))}"
            )
        corners.append(corner)
        numbers.append(labels.label(name))
        difficult.append((thing.findtext("difficult") or "").strip() == "1")
    return (max(height, 0), max(width, 0)), marked(corners, numbers, difficult)


def spelled(file: str, size: tuple[int, int], boxes: Boxes, names: Sequence[str]) -> bytes:
    """The bytes of the annotation of an image file of this height and width.

    boxes  whose corners are shares of the image
    names  of the classes, by number
    """
    height, width = size
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = file
    _add(root, "size", width=width, height=height, depth=3)
    corners = np.rint(boxes.corners * [width, height, width, height]).astype(int)
    for corner, label, difficult in zip(corners.tolist(), boxes.labels.tolist(), boxes.difficult.tolist()):
        thing = _add(root, "object", name=names[label], difficult=int(difficult))
        _add(thing, "bndbox", **dict(zip(CORNERS, corner)))
    ElementTree.indent(root)
    return ElementTree.tostring(root) + b"\n"


def _add(to: ElementTree.Element, tag: str, **values: object) -> ElementTree.Element:
    element = ElementTree.SubElement(to, tag)
    for name, value in values.items():
        ElementTree.SubElement(element, name).text = str(value)
    return element


def _tree(data: bytes) -> ElementTree.Element:
    builder, parser, depth = ElementTree.TreeBuilder(), expat.ParserCreate(), 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEPTH:
            raise DataError(f"elements in each other more than {DEPTH} deep; an annotation has 4")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise DataError("a declaration of a document type; an annotation needs none", hint="remove <!DOCTYPE")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = builder.data, refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the others: an encoding that is unknown
        if isinstance(error, DataError):
            raise
        raise DataError(f"no XML: {error}", hint="the file is damaged or cut short") from None
    root = builder.close()
    if root.tag != "annotation":
        raise DataError(f"expected <annotation>; got <{root.tag[:200]}>")
    return root


def _number(element: ElementTree.Element, name: str, default: float | None = None) -> float:
    found = element.findtext(name)
    if found is None and default is not None:
        return default
    try:
        value = float(found or "")
    except ValueError:
        value = math.nan
    if not abs(value) < 1 << 31:
        got = "nothing" if not found else repr(found[:200])
        raise DataError(f"<{element.tag}> must have a number <{name}>; got {got}")
    return value
