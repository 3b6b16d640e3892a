"""Writing a part of a data set, image after image: IDX, LMDB or HDF5.

FOLDER/NAME is what a net then reads (`source`), whatever the kind:

    idx   NAME-images-idx3-ubyte (N, H, W) of grey images, NAME-images-idx4-ubyte (N, C, H, W) of colour,
          NAME-labels-idx1-ubyte beside it
    lmdb  the folder NAME, of Datum records
    hdf5  NAME.h5 with the datasets data (N, C, H, W), uint8, and label (N,), int32; and NAME.txt, the list
          that HDF5Data reads
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ConfigError, suggest
from .. import datum, idx
from ..database import DatabaseWriter
from .prepare import Prepared

CHUNK_BYTES = 1 << 18  # of an HDF5 dataset, which is read and written so much at a time
LONGEST_NAME = 120  # characters of an image's path that go into the key of its record


class Part:
    """A part that is written: a context; it is whole when it ends without an error.

    folder  where it is written, and `home`, where it will lie
    name    train, val or test
    most    how many images there can be
    """

    def __init__(self, folder: Path, home: Path, name: str, most: int) -> None:
        self.folder, self.home, self.name, self.most = folder, home, name, most
        self.labels: list[int] = []
        self.open = ExitStack()

    def __enter__(self) -> Part:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None and self.labels:
            with self.open:
                self.finish()
        else:
            self.open.__exit__(kind, error, trace)

    def add(self, images: Sequence[Prepared], labels: Sequence[int], names: Sequence[str]) -> None:
        """Append images of one shape (of an LMDB, of any)."""
        if not self.labels:
            self.begin(images[0].pixels.shape)  # type: ignore[union-attr]
        self.labels += labels
        self.write(images, labels, names)

    def begin(self, shape: tuple[int, ...]) -> None:
        raise NotImplementedError

    def write(self, images: Sequence[Prepared], labels: Sequence[int], names: Sequence[str]) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        """All images are there."""


class Idx(Part):
    def begin(self, shape: tuple[int, ...]) -> None:
        self.shape = shape[1:] if shape[0] == 1 else shape
        path = self.folder / f"{self.name}-images-idx{1 + len(self.shape)}-ubyte"
        self.file = self.open.enter_context(open(path, "xb"))
        self._header()

    def write(self, images: Sequence[Prepared], labels: Sequence[int], names: Sequence[str]) -> None:
        self.file.write(b"".join(image.pixels.tobytes() for image in images))  # type: ignore[union-attr]

    def finish(self) -> None:
        self.file.seek(0)
        self._header()
        values = np.array(self.labels, np.uint8 if max(self.labels) < 256 else np.int32)
        idx.write(self.folder / f"{self.name}-labels-idx1-ubyte", values)

    def _header(self) -> None:
        self.file.write(idx.first_bytes((len(self.labels), *self.shape), np.dtype(np.uint8)))


class Lmdb(Part):
    def begin(self, shape: tuple[int, ...]) -> None:
        self.database = self.open.enter_context(DatabaseWriter(self.folder / self.name))

    def write(self, images: Sequence[Prepared], labels: Sequence[int], names: Sequence[str]) -> None:
        for image, label, name in zip(images, labels, names):
            if image.file:
                record = datum.from_encoded(image.file, label)
            else:
                record = datum.from_array(image.pixels, label)  # type: ignore[arg-type]
            self.database.add(record, name[-LONGEST_NAME:])


class Hdf5(Part):
    def begin(self, shape: tuple[int, ...]) -> None:
        import h5py

        if len(os.fspath(self.home).split()) != 1:
            raise ConfigError(
                f"{self.home}: HDF5Data reads a list of paths without spaces", hint="-o FOLDER names another"
            )
        self.file = self.open.enter_context(h5py.File(self.folder / f"{self.name}.h5", "x"))
        rows = max(1, min(self.most, CHUNK_BYTES // math.prod(shape)))
        self.data = self.file.create_dataset(
            "data", (0, *shape), np.uint8, maxshape=(self.most, *shape), chunks=(rows, *shape)
        )

    def write(self, images: Sequence[Prepared], labels: Sequence[int], names: Sequence[str]) -> None:
        self.data.resize(len(self.labels), axis=0)
        self.data[-len(images) :] = np.stack([image.pixels for image in images])  # type: ignore[misc]

    def finish(self) -> None:
        self.file["label"] = np.array(self.labels, np.int32)
        list_file = self.folder / f"{self.name}.txt"
        list_file.write_bytes(os.fsencode(f"{self.home / self.name}.h5\n"))


KINDS: dict[str, type[Part]] = {"idx": Idx, "lmdb": Lmdb, "hdf5": Hdf5}


def kind(name: str) -> type[Part]:
    """What writes data sets of a kind; ConfigError if nothing does."""
    if name not in KINDS:
        raise ConfigError(f"no kind of data set {name!r}", hint=suggest(name, KINDS))
    return KINDS[name]
