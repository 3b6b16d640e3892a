"""HDF5Output: writes blobs into a file."""

from __future__ import annotations

import io
import os

import numpy as np

from ...core.layer import Layer
from ...errors import DataError, ShapeError
from ...files import write_atomic


class HDF5Output(Layer):
    """Every pass appends the rows of two blobs to the datasets `data` and `label`, which HDF5Data reads.

    Param     hdf5_output_param.file_name: the file, made anew in setup; whole and closed between passes.
    Shapes    bottom[0], bottom[1] (N, ...), written as rows of four axes, as Caffe does: a label (N) becomes
              (N, 1, 1, 1); more axes than four stay.  No tops.
    Backward  dx_i = 0; reads nothing.
    Source    Caffe's HDF5Output layer.
    Differs   Caffe's file holds one pass; a second aborts.  A resumed run begins a new file.
    """

    type = "HDF5Output"
    bottoms = 2
    tops = 0
    backward_reads = frozenset()
    capturable = False

    def setup(self, bottom, top):
        self.path = self.param.hdf5_output_param.file_name
        self.require(bool(self.path), "hdf5_output_param.file_name must be set")
        try:
            write_atomic(self.path, _empty())
        except OSError as error:
            raise DataError(
                f"{self.path}: cannot be written: {error.strerror or error}", hint="check the folder"
            ) from None

    def reshape(self, bottom, top):
        rows = [blob.shape[:1] for blob in bottom]
        if rows[0] != rows[1] or rows[0] == ():
            shapes = " and ".join(str(blob.shape) for blob in bottom)
            raise ShapeError(f"both bottoms must have equally many rows (axis 0); got {shapes}")

    def forward(self, bottom, top):
        import h5py

        try:
            with h5py.File(self.path, "r+") as file:
                for name, blob in zip(("data", "label"), bottom):
                    values = self.device.get(blob.data)
                    _append(file, name, values.reshape(*values.shape, *(1,) * (4 - values.ndim)))
        except OSError as error:
            raise DataError(f"{self.path}: cannot be written: {error}") from None

    def backward(self, top, propagate_down, bottom):
        for blob, wanted in zip(bottom, propagate_down):
            if wanted:
                self.device.fill(blob.diff, 0)


def _empty() -> bytes:
    """A file without datasets."""
    import h5py

    content = io.BytesIO()
    h5py.File(content, "w").close()
    return content.getvalue()


def _append(file, name: str, rows: np.ndarray) -> None:
    """Add rows to a dataset, made by the first of them."""
    if name not in file:
        file.create_dataset(name, data=rows, maxshape=(None, *rows.shape[1:]), chunks=True)
        return
    dataset = file[name]
    if dataset.shape[1:] != rows.shape[1:]:
        raise ShapeError(
            f"{os.fspath(file.filename)}: rows of {name!r} have the shape {dataset.shape[1:]}; got"
            f" {rows.shape[1:]}"
        )
    before = dataset.shape[0]
    dataset.resize(before + len(rows), axis=0)
    dataset[before:] = rows
