"""What a data set is made of: images that can be asked for by number, their labels, the names of the
classes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from .. import class_folders, class_names, images
from ..image_list import ImageList

MOST_CLASSES = 1 << 16


class Source:
    """Images, labels and classes.

    classes   names, of which label i stands for the i-th
    labels    (N,), int64
    names     of the images, for reports and keys of databases
    left_out  files that are no images, and why
    parts     (N,), int8: the part that the source itself puts an image in, 0 train, 1 val, 2 test; None if
              all are in one
    """

    def __init__(
        self,
        classes: Sequence[str],
        labels: np.ndarray,
        names: Sequence[str],
        left_out: Sequence[tuple[str, str]] = (),
        parts: np.ndarray | None = None,
    ) -> None:
        self.classes, self.labels, self.names, self.left_out = list(classes), labels, names, list(left_out)
        several = parts is not None and len(np.unique(parts)) > 1
        self.parts = parts if several else None

    def read(self, index: int) -> bytes | np.ndarray:
        """An image: the bytes of its file, or pixels (C, H, W), uint8, in the order blue, green, red.
        DataError if it cannot be had."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what was kept for reading."""


class Files(Source):
    """Images in files, whose names are put behind `root`."""

    def __init__(self, root: str, *of_source: Any) -> None:
        super().__init__(*of_source)
        self.root = root

    def read(self, index: int) -> bytes:
        data = images.contents(self.root + self.names[index])
        if not data:
            raise DataError("an empty file")
        return data


def class_folder(path: str | os.PathLike) -> Files:
    """A folder of class folders; or of folders train, val and test (or their synonyms) of class folders,
    which are then the parts."""
    root = os.path.join(os.fspath(path), "")
    if not (folders := class_folders.parts(os.fspath(path))):
        found = class_folders.find(path)
        return Files(root, found.classes, found.labels, found.paths, found.left_out)
    all_found = {name: class_folders.find(os.path.join(path, name)) for name in folders}
    classes = class_folders.in_order({name for found in all_found.values() for name in found.classes})
    number_of = {name: number for number, name in enumerate(classes)}
    labels, names, parts, left_out = [], [], [], []
    for folder, found in all_found.items():
        numbers = np.array([number_of[name] for name in found.classes])
        labels.append(numbers[found.labels])
        names += [os.path.join(folder, name) for name in found.paths]
        left_out += [(os.path.join(folder, name), reason) for name, reason in found.left_out]
        parts += [folders[folder]] * len(found.paths)
    return Files(root, classes, np.concatenate(labels), names, left_out, np.array(parts, np.int8))


def listed(path: str | os.PathLike, root: str | None = None) -> Files:
    """A list file: a path, a space and a label per line, as ImageData reads it.

    Paths are taken behind `root`, or, if there is none, from the folder of the list; if the first is not
    there but can be found from the working directory, from that.  Classes are named by their numbers, or by
    a file labels.txt beside the list.
    """
    entries = ImageList(os.fspath(path)).entries
    beside = os.path.join(os.path.dirname(os.fspath(path)), "")
    if root is None:
        first = entries[0][0]
        root = "" if not os.path.exists(beside + first) and os.path.exists(first) else beside
        root = "" if os.path.isabs(first) else root
    labels = np.array([label for _, label in entries], np.int64)
    return Files(root, named_by_number(labels, path), labels, [name for name, _ in entries])


def classes_of(values: np.ndarray, path: str | os.PathLike) -> tuple[list[str], np.ndarray]:
    """The classes that labels speak of, and the labels as their numbers: of texts the classes are the texts
    in order, of whole numbers they are the numbers.  DataError for others, and for a text that cannot be a
    line of labels.txt."""
    if values.dtype.kind in "US":
        try:
            texts = values if values.dtype.kind == "U" else np.char.decode(values, "utf-8")
        except UnicodeDecodeError:
            raise DataError(f"{os.fspath(path)}: labels that are texts must be UTF-8") from None
        names, numbers = np.unique(texts, return_inverse=True)
        classes = class_folders.in_order(names.tolist())
        for name in classes:
            if not name.strip() or not name.isprintable():
                raise DataError(
                    f"{os.fspath(path)}: the label {name!r} cannot be the name of a class",
                    hint="a name is one line of text, and not empty",
                )
        number_of = {name: number for number, name in enumerate(classes)}
        return classes, np.array([number_of[name] for name in names.tolist()])[numbers]
    numbers = values.astype(np.int64)
    if (numbers != values).any():
        raise DataError(f"{os.fspath(path)}: labels must be whole numbers")
    return named_by_number(numbers, path), numbers


def named_by_number(labels: np.ndarray, path: str | os.PathLike) -> list[str]:
    """The names of classes that have only numbers: those, or the lines of labels.txt beside the file at
    `path`.  DataError for labels that are no numbers of classes."""
    if labels.ndim != 1 or not len(labels):
        raise DataError(f"{path}: labels must have one axis (N), not empty; got {labels.shape}")
    if labels.min() < 0 or labels.max() >= MOST_CLASSES:
        raise DataError(
            f"{path}: labels must be the numbers of classes, from 0 on and below {MOST_CLASSES};"
            f" got {labels.min()} to {labels.max()}"
        )
    count = int(labels.max()) + 1
    beside = Path(path).with_name(class_names.FILE)
    if beside.is_file() and not beside.samefile(path):
        given = class_names.read(beside)
        if len(given) < count:
            raise DataError(
                f"{beside} names {len(given)} classes; {path} has labels up to {count - 1}",
                hint="a line for each class, in the order of their numbers",
            )
        return given
    return [str(label) for label in range(count)]
