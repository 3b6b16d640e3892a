"""HDF5Output: writes blobs into a file."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from ...core.layer import Layer
from ...data.staged import staged
from ...errors import DataError, Place, ShapeError
from ...files import refuse_unwritable, write_atomic


class HDF5Output(Layer):
    """Every pass appends the rows of two blobs to the datasets `data` and `label`, which HDF5Data reads.

    Param     hdf5_output_param.file_name: the file, made by the first pass, in the place of an older one;
              whole and closed between passes.
    Shapes    bottom[0], bottom[1] (N, ...), written as rows of four axes, as Caffe does: a label (N) becomes
              (N, 1, 1, 1); more axes than four stay.  No tops.
    Backward  dx_i = 0; reads nothing.
    Errors    DataError if it cannot be written, or the disk is full: it keeps the rows of the passes before.
    Source    Caffe's HDF5Output layer.
    Differs   Caffe empties the file before the first pass, which is the only one it holds (a second aborts),
              and closes it with the net.  A resumed run begins a new file.
    """

    type = "HDF5Output"
    bottoms = 2
    tops = 0
    backward_reads = frozenset()
    capturable = False
    not_in_onnx = "it writes a file; ONNX only computes"
    writes = True
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        self.path = self.param.hdf5_output_param.file_name
        self.require(bool(self.path), "hdf5_output_param.file_name must be set")
        try:
            refuse_unwritable(self.path)
        except (OSError, ValueError) as error:
            raise self._unwritable(error) from None
        self.begun = False

    def reshape(self, bottom, top):
        rows = [blob.shape[:1] for blob in bottom]
        if rows[0] != rows[1] or rows[0] == ():
            shapes = " and ".join(str(blob.shape) for blob in bottom)
            raise ShapeError(f"both bottoms must have equally many rows (axis 0); got {shapes}")

    def forward(self, bottom, top):
        rows = {}
        for name, blob in zip(("data", "label"), bottom):
            values = self.device.get(blob.data)
            rows[name] = values.reshape(*values.shape, *(1,) * (4 - values.ndim))
        try:
            if self.begun:
                with staged(self.path) as file:
                    _append(file, "r+", rows)
            else:
                file = io.BytesIO()
                _append(file, "w", rows)
                write_atomic(self.path, file.getvalue())
        except ShapeError as error:
            error.within(Place(file=self.path))
            raise
        except (OSError, RuntimeError, KeyError) as error:  # what h5py raises for a file spoilt meanwhile
            raise self._unwritable(error) from None
        self.begun = True

    def _unwritable(self, error: Exception) -> DataError:
        reason = getattr(error, "strerror", None) or error
        return DataError(f"{self.path}: cannot be written: {reason}", hint="check the folder and the disk")

    def backward(self, top, propagate_down, bottom):
        for blob, wanted in zip(bottom, propagate_down):
            if wanted:
                self.device.fill(blob.diff, 0)


def _append(file: Any, mode: str, rows: dict[str, np.ndarray]) -> None:
    """Add rows to the datasets of an open file, made by the first of them."""
    import h5py

    with h5py.File(file, mode) as h5:
        for name, values in rows.items():
            if name not in h5:
                h5.create_dataset(name, data=values, maxshape=(None, *values.shape[1:]), chunks=True)
                continue
            dataset = h5[name]
            if dataset.shape[1:] != values.shape[1:]:
                raise ShapeError(
                    f"rows of {name!r} have the shape {dataset.shape[1:]}; got {values.shape[1:]}"
                )
            before = dataset.shape[0]
            dataset.resize(before + len(values), axis=0)
            dataset[before:] = values
