"""A list of HDF5 files as numbered batches; h5py is imported on first use."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import DataError
from .order import permutation, positions


class HDF5Batches:
    """Batch number b of the rows of some HDF5 files; a function of b and a seed.

    source       a text file of paths, separated by white space
    names        the datasets to read; in one file all have equally many rows (axis 0), and a name has rows of
                 one shape in all files
    shuffle      every epoch takes the files in another order, and the rows of a file in another; rows of
                 different files are not mixed
    rank, size   of this process among those that share the data

    One file is in memory at a time, whole.  Raises DataError, on construction, for a file that does not have
    this form.
    """

    def __init__(
        self,
        source: str,
        names: Sequence[str],
        batch: int,
        *,
        dtype=np.float32,
        shuffle: bool = False,
        rank: int = 0,
        size: int = 1,
    ) -> None:
        self.names, self.batch, self.dtype, self.shuffle = list(names), batch, np.dtype(dtype), shuffle
        self.rank, self.size = rank, size
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
        epoch, index = np.divmod(positions(number, self.batch, self.rank, self.size), self.count)
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

    def _file_at(self, epoch: int, index: int, seed: int) -> tuple[int, int]:
        """The file that holds sample `index` of an epoch, and the index of its first row."""
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
            arrays = []
            with _open(self.paths[file]) as h5:
                for name in self.names:
                    arrays.append(np.empty(h5[name].shape, self.dtype))
                    h5[name].read_direct(arrays[-1])
            self._loaded = (file, arrays)
        return self._loaded[1]

    def _inspect(self, path: str) -> list[tuple[int, ...]]:
        """The shape of every dataset, after checking that it can be read as rows of numbers."""
        import h5py

        shapes = []
        with _open(path) as h5:
            for name in self.names:
                item = h5.get(name)
                if not isinstance(item, h5py.Dataset):
                    raise DataError(
                        f"{path}: no dataset {name!r}; it has {', '.join(h5) or 'none'}",
                        hint="the tops of the layer are the names of datasets",
                    )
                if item.id.get_type().get_class() not in (h5py.h5t.INTEGER, h5py.h5t.FLOAT):
                    raise DataError(
                        f"{path}: dataset {name!r} must hold integers or floats; got {item.dtype}"
                    )
                if not item.shape or not item.shape[0]:
                    raise DataError(
                        f"{path}: dataset {name!r} must have rows (axis 0); got shape {item.shape}"
                    )
                shapes.append(item.shape)
        if len({shape[0] for shape in shapes}) > 1:
            counts = ", ".join(f"{name} {shape[0]}" for name, shape in zip(self.names, shapes))
            raise DataError(f"{path}: all datasets must have equally many rows; got {counts}")
        return shapes


def _listed(source: str) -> list[str]:
    try:
        paths = Path(source).read_text("utf-8").split()
    except UnicodeDecodeError:
        raise DataError(
            f"{source}: expected a text file of paths to HDF5 files; got binary data",
            hint="write the path of the HDF5 file into a text file, and give that",
        ) from None
    except OSError as error:
        raise DataError(
            f"{source}: cannot be read: {error.strerror or error}", hint="check the path"
        ) from None
    if not paths:
        raise DataError(f"{source}: expected paths to HDF5 files; the file is empty")
    return paths


def _open(path: str):
    import h5py

    try:
        return h5py.File(path, "r")
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file", hint="paths in the list are relative to the working directory"
        ) from None
    except OSError as error:
        raise DataError(f"{path}: not a whole HDF5 file ({error})") from None
