"""brewing-logreg: logistic regression on vectors out of HDF5 files, and a net with one hidden layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import minicaffe.pycaffe as caffe
from minicaffe.pycaffe import layers as L

from . import digits


def logreg(hdf5: str, batch_size: int):
    n = caffe.NetSpec()
    n.data, n.label = L.HDF5Data(batch_size=batch_size, source=hdf5, ntop=2)
    n.ip1 = L.InnerProduct(n.data, num_output=2, weight_filler={"type": "xavier"})
    n.accuracy = L.Accuracy(n.ip1, n.label)
    n.loss = L.SoftmaxWithLoss(n.ip1, n.label)
    return n.to_proto()


def nonlinear(hdf5: str, batch_size: int):
    n = caffe.NetSpec()
    n.data, n.label = L.HDF5Data(batch_size=batch_size, source=hdf5, ntop=2)
    n.ip1 = L.InnerProduct(n.data, num_output=40, weight_filler={"type": "xavier"})
    n.relu1 = L.ReLU(n.ip1, in_place=True)
    n.ip2 = L.InnerProduct(n.ip1, num_output=2, weight_filler={"type": "xavier"})
    n.accuracy = L.Accuracy(n.ip2, n.label)
    n.loss = L.SoftmaxWithLoss(n.ip2, n.label)
    return n.to_proto()


@pytest.fixture
def data(folder):
    """4 features; class 1 lies outside a ball, which no plane can tell but far from its centre."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(1000, 4)) + 0.7
    classes = (np.linalg.norm(vectors, axis=1) > 2.2).astype(float)
    digits.write_hdf5("train", data=vectors[:750], label=classes[:750])
    digits.write_hdf5("test", data=vectors[750:], label=classes[750:])
    Path("train.txt").write_text("train.h5\ntrain.h5\n")  # a list may name several files


def accuracy_of(net) -> float:
    Path("train.prototxt").write_text(str(net("train.txt", 10)))
    Path("test.prototxt").write_text(str(net("test.txt", 10)))
    path = digits.write_solver(
        "solver.prototxt",
        "train.prototxt",
        "test.prototxt",
        test_iter=25,
        max_iter=1500,
        test_interval=1000,
        lr_policy="step",
        gamma=0.1,
        stepsize=1000,
    )
    solver = caffe.get_solver(path)
    solver.solve()
    assert solver.iter == 1500 and Path("snapshot_iter_1500.caffemodel").exists()
    return float(np.mean([solver.test_nets[0].forward()["accuracy"] for _ in range(25)]))


def test_one_layer_and_two(data):
    linear, deep = accuracy_of(logreg), accuracy_of(nonlinear)
    assert 0.65 < linear < deep - 0.05 and deep > 0.85
