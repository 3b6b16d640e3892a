"""The embedded digits in the forms that the notebooks read: arrays, LMDB, HDF5; and solver files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from minicaffe.data import datasets, datum
from minicaffe.data.database import DatabaseWriter
from minicaffe.pycaffe.proto import caffe_pb2


def load(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 1, 8, 8) in [0, 1], float32, and labels (N,), int."""
    samples = datasets.load(f"digits/{split}")
    return samples.images.astype(np.float32) / 16, samples.labels.astype(int)


def write_lmdb(path: str | Path, split: str) -> None:
    samples = datasets.load(f"digits/{split}")
    with DatabaseWriter(path) as database:
        for image, label in zip(samples.images, samples.labels):
            database.add(datum.from_array(image, int(label)))


def write_hdf5(name: str, **arrays: np.ndarray) -> None:
    """Write name.h5, a dataset for each array, and name.txt, its list for HDF5Data layers."""
    import h5py

    with h5py.File(f"{name}.h5", "w") as file:
        for key, values in arrays.items():
            file[key] = values.astype(np.float32)
    Path(f"{name}.txt").write_text(f"{name}.h5\n")


def write_solver(path: str, train_net: str, test_net: str = "", *, test_iter: int = 1, **fields) -> str:
    """A solver prototxt as the notebooks write it, through SolverParameter; returns its path."""
    s = caffe_pb2.SolverParameter()
    s.random_seed = 0xCAFFE
    s.train_net = train_net
    if test_net:
        s.test_net.append(test_net)
        s.test_iter.append(test_iter)
        s.test_interval = 500
    s.max_iter = 10000
    s.type = "SGD"
    s.base_lr = 0.01
    s.momentum = 0.9
    s.weight_decay = 5e-4
    s.lr_policy = "fixed"
    s.display = 0
    s.snapshot_prefix = "snapshot"
    s.solver_mode = caffe_pb2.SolverParameter.CPU
    for name, value in fields.items():
        setattr(s, name, value)
    Path(path).write_text(str(s))
    return path
