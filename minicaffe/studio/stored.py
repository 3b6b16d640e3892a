"""The images of a data set by number, whatever it is stored as: what the page Data shows of them."""

from __future__ import annotations

import os
from functools import cached_property, lru_cache
from typing import NamedTuple, Protocol

import numpy as np

from ..data import datasets, facts
from ..data.class_folders import ImageFolder
from ..data.database import Database
from ..data.detection.boxes import Boxes
from ..data.detection.coco import Coco
from ..data.detection.database import AnnotatedDatabase, is_annotated
from ..data.detection.records import Annotated, opened
from ..data.detection.voc import Voc
from ..data.images import Channels
from ..errors import DataError, UnknownTypeError, locate, suggest
from ..files import unreadable

LOOKED_AT = 1000  # images, to tell how bright white is
DARK = 128  # where none of them has a value so high, the highest is shown white
WHOLE = "all"  # what the only part of a set without parts is called


class Images(Protocol):
    """Labelled images by number; an image with boxes has the labels of its objects."""

    def __len__(self) -> int: ...

    def read(self, index: int) -> tuple[np.ndarray, Boxes | None]:
        """Image (C, H, W), and the boxes of its objects, as shares of it, if it has such."""

    def labels(self, index: int) -> list[int]: ...

    def name(self, index: int) -> str:
        """What the source calls it; "" where it has but a number."""


class Arrays:
    """Images and labels that are arrays, in memory or in a file: IDX, HDF5."""

    def __init__(self, images: datasets.Samples) -> None:
        self._images = images.images
        self._labels = np.zeros(len(self), int) if images.labels is None else np.asarray(images.labels)

    @classmethod
    def of_hdf5(cls, path: str) -> Arrays:
        """What `data make` writes as HDF5: the datasets `data` and `label`."""
        import h5py

        try:
            file = h5py.File(path, "r")
            return cls(datasets.Samples(file["data"], np.asarray(file["label"])))
        except (OSError, KeyError, ValueError) as error:
            raise unreadable(path, str(error).splitlines()[0]) from None

    def __len__(self) -> int:
        return len(self._images)

    def read(self, index: int) -> tuple[np.ndarray, Boxes | None]:
        return np.asarray(self._images[index : index + 1])[0], None

    def labels(self, index: int) -> list[int]:
        return [int(self._labels[index])]

    def name(self, index: int) -> str:
        return ""


class Records:
    """Images that are read one by one: an LMDB, a folder of class folders."""

    def __init__(self, records: Database | ImageFolder) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    def read(self, index: int) -> tuple[np.ndarray, Boxes | None]:
        with locate(lambda: self._records.place(index)):
            return self._records.read(index)[0], None

    def labels(self, index: int) -> list[int]:
        return [self._records.label(index)]

    def name(self, index: int) -> str:
        return self._records.place(index).removeprefix(f"{self._records.path}")[-300:].lstrip("/: ")


class Objects:
    """Images with boxes: a VOC folder, a file of COCO, an LMDB of annotated images."""

    def __init__(self, records: Annotated) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    def read(self, index: int) -> tuple[np.ndarray, Boxes | None]:
        with locate(lambda: self._records.place(index)):
            return opened(self._records.read(index), Channels.COLOR)

    def labels(self, index: int) -> list[int]:
        records = self._records
        with locate(lambda: records.place(index)):
            boxes = records.boxes(index)[1] if isinstance(records, (Voc, Coco)) else records.read(index).boxes
        return [] if boxes is None else sorted(boxes.labels.tolist())

    def name(self, index: int) -> str:
        if isinstance(self._records, (Voc, Coco)):
            return os.path.basename(self._records.image(index))
        return self._records.place(index)[-300:]


class Part:
    """A part of a data set: its images, and what is found out about all of them once it is asked for."""

    def __init__(self, images: Images, boxed: bool = False) -> None:
        self.images, self.boxed = images, boxed

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def labels(self) -> list[list[int]]:
        """Of every image."""
        return [self.images.labels(index) for index in range(len(self))]

    @cached_property
    def counts(self) -> dict[int, int]:
        """Images, or objects, of every class that there are any of."""
        numbers = np.array([label for some in self.labels for label in some], np.int64)
        values, counts = np.unique(numbers, return_counts=True)
        return dict(zip(values.tolist(), counts.tolist()))

    def members(self, label: int | None) -> np.ndarray:
        """The numbers of the images of a class, or of all."""
        if label is None:
            return np.arange(len(self))
        return np.array([i for i, some in enumerate(self.labels) if label in some], np.int64)

    @cached_property
    def white(self) -> float:
        """The value that is shown white: 255, or the highest there is if that is much less, as in digits."""
        if not isinstance(self.images, Arrays):
            return 255.0
        some = np.linspace(0, len(self) - 1, min(len(self), LOOKED_AT)).astype(int)
        most = max(float(self.images.read(int(i))[0].max()) for i in some)
        return 255.0 if DARK <= most <= 255 or most <= 0 else most

    def image(self, index: int) -> tuple[np.ndarray, Boxes | None]:
        """DataError for a number that none has."""
        if not 0 <= index < len(self):
            raise DataError(f"no image {index}: the part has {len(self)}", hint="they count from 0")
        return self.images.read(index)


class Stored(NamedTuple):
    """A data set: its parts by name, and the names of its classes by number, empty if nothing tells them."""

    parts: dict[str, Part]
    classes: list[str]

    def part(self, name: str) -> Part:
        if name not in self.parts:
            raise UnknownTypeError(f"no part {name!r}", hint=suggest(name, self.parts))
        return self.parts[name]

    def called(self, label: int) -> str:
        """The name of a class, or its number."""
        return self.classes[label] if 0 <= label < len(self.classes) and self.classes[label] else str(label)


@lru_cache(maxsize=4)
def opened_set(where: str, version: str) -> Stored:
    """The data set of this name, or in this folder; `version` says which of several that had the name."""
    whole = facts.parts(where) or {WHOLE: where}
    made = facts.summary(where) or {}
    parts, names = {}, list(made.get("classes", []))
    if where in datasets.SETS:
        names = list(datasets.SETS[where].class_names)
    for name, source in whole.items():
        images, own = _opened(source, made.get("kind", ""))
        parts[name] = Part(images, isinstance(images, Objects))
        names = names or own
    return Stored(parts, [str(name) for name in names])


def _opened(source: str, kind: str) -> tuple[Images, list[str]]:
    """The images of a source, and the names of their classes."""
    if kind == "hdf5":
        return Arrays.of_hdf5(f"{source.removesuffix('.txt')}.h5"), []
    kind = facts.backend(source)
    if kind == "LMDB" and is_annotated(source):
        return Objects(AnnotatedDatabase(source, Channels.NATIVE)), facts.class_names_of(source, kind)
    if kind == "LMDB":
        return Records(Database(source)), facts.class_names_of(source, kind)
    if kind == "FOLDER":
        folder = ImageFolder(source)
        return Records(folder), folder.classes
    if kind in ("VOC", "COCO"):
        records = Voc(source, strict=False) if kind == "VOC" else Coco(source)
        return Objects(records), records.classes
    return Arrays(datasets.open_source(source, download=False)), facts.class_names_of(source, kind)
