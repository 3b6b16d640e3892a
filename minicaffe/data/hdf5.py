"""Batches of rows of HDF5 files.  h5py is imported on first use."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..errors import DataError
from ..files import LARGEST_BYTES, read_text
from ..proto.hdf5_file import check_datasets, find, opened
from .order import Share, permutation


class HDF5Batches:
    """Reads batch number b of the rows of some HDF5 files.  The result depends on b and a seed alone.

    source       a text file of paths, separated by white space
    names        the datasets to read.  In a file all of them have equally many rows (axis 0); the rows of a
                 dataset have one shape in all files
    shuffle      every epoch takes the files, and the rows of each file, in another order; rows of
                 different files are not mixed
    rank, size   number of this process, and how many processes share the data

    One file at a time is in memory, completely, converted to dtype.  It may take `largest_bytes`, or its size
    on the disk if that is more.  Raises DataError, on construction, for a file that does not have this form.
    """

    def __init__(
        self,
        source: str,
        names: Sequence[str],
        batch: int,
        *,
        dtype: DTypeLike = np.float32,
        shuffle: bool = False,
        rank: int = 0,
        size: int = 1,
        largest_bytes: int = LARGEST_BYTES,
    ) -> None:
        self.largest_bytes = largest_bytes
        self.names, self.batch, self.dtype, self.shuffle = list(names), batch, np.dtype(dtype), shuffle
        self.share = Share(batch, rank=rank, size=size)
        self.paths = _listed(source)
        self.rows: list[int] = []  # per file
        self.shapes: list[tuple[int, ...]] = []  # of a row, per name
        for path in self.paths:
            shapes = self._inspect(path)
            rows = [shape[1:] for shape in shapes]
            self.shapes = self.shapes or rows
            if rows != self.shapes:
                raise DataError(
                    f"{path}: its rows of {', '.join(self.names)} have the shapes {rows}; those of"
                    f" {self.paths[0]} {self.shapes}"
                )
            self.rows.append(shapes[0][0])
        self.count = sum(self.rows)
        self._loaded: tuple[int, list[np.ndarray]] = (-1, [])
        self._permutation = functools.lru_cache(maxsize=4)(permutation)  # files and rows, this epoch and next

    def __call__(self, number: int, out: Sequence[np.ndarray], seed: int = 0) -> None:
        """Write batch `number` of each name into `out`."""
        epoch, index = np.divmod(self.share.positions(number), self.count)
        k = 0
        while k < self.batch:  # a run of rows in one file
            file, start = self._file_at(epoch[k], index[k], seed)
            end = start + self.rows[file]
            rows = index[(epoch == epoch[k]) & (start <= index) & (index < end)] - start
            if self.shuffle:
                rows = self._permutation(self.rows[file], seed, epoch[k], 1 + file)[rows]
            for values, target in zip(self._load(file), out):
                np.take(values, rows, axis=0, out=target[k : k + len(rows)], mode="clip")
            k += len(rows)

    def samples(self, at: np.ndarray, seed: int = 0) -> np.ndarray:
        """The numbers of the samples at these positions of the endless sequence, int64.  Samples are numbered
        through all files in the order of the list."""
        found = np.empty(len(at), np.int64)
        for k, (epoch, index) in enumerate(zip(*(part.tolist() for part in np.divmod(at, self.count)))):
            file, start = self._file_at(epoch, index, seed)
            row = index - start
            if self.shuffle:
                row = self._permutation(self.rows[file], seed, epoch, 1 + file)[row]
            found[k] = sum(self.rows[:file]) + row
        return found

    def place(self, index: int) -> str:
        """The file and row of sample `index`, for errors."""
        file = 0
        while index >= self.rows[file]:
            index, file = index - self.rows[file], file + 1
        return f"{self.paths[file]}: row {index}"

    def _file_at(self, epoch: int, index: int, seed: int) -> tuple[int, int]:
        """The number of the file that holds sample `index` of an epoch, and the index of that file's first
        row in the epoch."""
        start = 0
        for file in (
            self._permutation(len(self.paths), seed, epoch) if self.shuffle else range(len(self.paths))
        ):
            if index < start + self.rows[file]:
                break
            start += self.rows[file]
        return file, start

    def _load(self, file: int) -> list[np.ndarray]:
        if self._loaded[0] != file:
            self._loaded = (-1, [])  # let go of the file before the next is read
            with opened(self.paths[file], DataError, known=True) as h5:
                arrays = []
                for name, dataset, shape in zip(self.names, self._datasets(h5), self.shapes):
                    if dataset.shape != (self.rows[file], *shape):  # another program has written it anew
                        raise DataError(f"dataset {name!r} has another shape than when the net was built")
                    arrays.append(np.empty(dataset.shape, self.dtype))
                    dataset.read_direct(arrays[-1])
            self._loaded = (file, arrays)
        return self._loaded[1]

    def _inspect(self, path: str) -> list[tuple[int, ...]]:
        """The shapes of the datasets of a file, after checking that they hold rows of numbers."""
        if not os.path.exists(path):
            raise DataError(
                f"{path}: no such file", hint="paths in the list are relative to the working directory"
            )
        with opened(path, DataError) as h5:
            shapes = [dataset.shape for dataset in self._datasets(h5)]
            if len({shape[0] for shape in shapes}) > 1:
                counts = ", ".join(f"{name} {shape[0]}" for name, shape in zip(self.names, shapes))
                raise DataError(f"all datasets must have equally many rows; got {counts}")
        return shapes

    def _datasets(self, h5: Any) -> list[Any]:
        """The datasets of an open file, after checking that they hold rows of numbers and fit into memory."""
        from h5py import Dataset, h5t

        found = []
        for name in self.names:
            item = find(h5, name)
            if not isinstance(item, Dataset):
                raise DataError(
                    f"no dataset {name!r}; it has {', '.join(map(str, h5)) or 'none'}",
                    hint="the tops of the layer are the names of datasets",
                )
            if item.id.get_type().get_class() not in (h5t.INTEGER, h5t.FLOAT):
                raise DataError(f"dataset {name!r} must hold integers or floats; got {item.dtype}")
            if not item.shape or not item.shape[0]:
                raise DataError(f"dataset {name!r} must have rows (axis 0); got shape {item.shape}")
            found.append(item)
        check_datasets(found, self.largest_bytes, self.dtype)
        return found


def _listed(source: str) -> list[str]:
    text = read_text(source)
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise DataError(
            f"{source}: expected a text file of paths to HDF5 files; got binary data",
            hint="write the path of the HDF5 file into a text file, and give that",
        )
    if not (paths := text.split()):
        raise DataError(f"{source}: expected paths to HDF5 files; the file is empty")
    return paths
