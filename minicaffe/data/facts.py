"""What can be said of a data source before training reads it: its backend, size and classes."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from ..errors import ConfigError, DataError
from ..files import read_text
from . import class_folders, class_names, database, datasets, ranges
from .class_folders import ImageFolder
from .database import Database
from .detection import voc

SUMMARY = "summary.json"  # in the folder of a data set that `data make` has written


class Facts(NamedTuple):
    """The size of a data source.

    samples  how many samples it has
    classes  how many classes: the highest label plus 1
    """

    samples: int
    classes: int


def backend(source: str) -> str:
    """The value of data_param.backend with which a source must be read: FOLDER for a folder of folders, LMDB
    for another folder, VOC and COCO for lists and files of annotated images, IDX for named sets and other
    files."""
    path = ranges.without(source)
    if datasets.named_part(source):
        return "IDX"
    if voc.is_here(path):
        return "VOC"
    if not os.path.isdir(path):
        return "COCO" if path.lower().endswith(".json") else "IDX"
    has_database = os.path.exists(os.path.join(path, database.FILE))
    return "FOLDER" if class_folders.is_one(path) and not has_database else "LMDB"


def facts(source: str, kind: str) -> Facts:
    """Size and number of classes of a source, for which all its labels are read.  `kind` is its backend;
    ConfigError if that cannot be read."""
    if kind == "LMDB":
        database = Database(source)
        return Facts(len(database), 1 + max(map(database.label, range(len(database)))))
    if kind == "FOLDER":
        folder = ImageFolder(source)
        return Facts(len(folder), len(folder.classes))
    if kind != "IDX":
        hint = "IDX, LMDB and FOLDER have them; images with boxes are read by an AnnotatedData layer"
        raise ConfigError(f"backend {kind} has no images of classes", hint=hint)
    images, labels = datasets.open_source(source)
    if part := datasets.named_part(source):
        return Facts(len(images), part[0].classes)
    return Facts(len(images), int(labels.max()) + 1)  # type: ignore[union-attr]


def class_names_of(source: str, kind: str) -> list[str]:
    """The names of a source's classes, by number: those of its folders, or the lines of the labels.txt beside
    it; empty if there is neither."""
    if kind == "FOLDER":
        return ImageFolder(source).classes
    beside = class_names.beside([ranges.without(source)])
    return class_names.read(beside) if beside else []


def parts(source: str) -> dict[str, str]:
    """The sources of the parts of a data set, by the part's name; empty if `source` is not a data set with
    parts.  Data sets with parts are a named set such as mnist, one written by `data make`, a VOC folder, and
    a folder whose subfolders train, val or test hold class folders."""
    if source in datasets.SETS:
        return {part: f"{source}/{part}" for part in datasets.SETS[source].splits}
    if (made := summary(source)) is not None:
        ending = ".txt" if made.get("kind") == "hdf5" else ""
        return {part: os.path.join(source, part) + ending for part in made["parts"]}
    if lists := voc.lists(source):
        return {name: os.path.join(source, name) for name in lists}
    found = class_folders.parts(source)
    return {("train", "val", "test")[number]: os.path.join(source, name) for name, number in found.items()}


def summary(folder: str) -> dict[str, Any] | None:
    """What `data make` recorded about the data set that it wrote to `folder`; None if it did not write one
    there."""
    try:
        found = json.loads(read_text(os.path.join(folder, SUMMARY)))
    except (DataError, ValueError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("parts"), dict) else None
