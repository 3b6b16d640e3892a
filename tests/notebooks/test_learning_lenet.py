"""01-learning-lenet: a LeNet through NetSpec, a solver through SolverParameter, a training loop by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import minicaffe.pycaffe as caffe
from minicaffe.pycaffe import layers as L
from minicaffe.pycaffe import params as P

from . import digits

pytest.importorskip("lmdb")


def lenet(lmdb: str, batch_size: int):
    n = caffe.NetSpec()
    n.data, n.label = L.Data(
        batch_size=batch_size,
        backend=P.Data.LMDB,
        source=lmdb,
        transform_param={"scale": 1.0 / 16},
        ntop=2,
    )
    n.conv1 = L.Convolution(n.data, kernel_size=5, pad=2, num_output=20, weight_filler={"type": "xavier"})
    n.pool1 = L.Pooling(n.conv1, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.conv2 = L.Convolution(n.pool1, kernel_size=5, pad=2, num_output=50, weight_filler={"type": "xavier"})
    n.pool2 = L.Pooling(n.conv2, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.fc1 = L.InnerProduct(n.pool2, num_output=100, weight_filler={"type": "xavier"})
    n.relu1 = L.ReLU(n.fc1, in_place=True)
    n.score = L.InnerProduct(n.relu1, num_output=10, weight_filler={"type": "xavier"})
    n.loss = L.SoftmaxWithLoss(n.score, n.label)
    return n.to_proto()


@pytest.fixture
def solver(folder):
    for split, batch_size in (("train", 64), ("test", 90)):
        digits.write_lmdb(f"{split}_lmdb", split)
        Path(f"{split}.prototxt").write_text(str(lenet(f"{split}_lmdb", batch_size)))
    path = digits.write_solver("solver.prototxt", "train.prototxt", "test.prototxt", test_iter=4)
    return caffe.get_solver(path)


def test_what_the_solver_holds(solver):
    shapes = {name: blob.data.shape for name, blob in solver.net.blobs.items()}
    assert shapes == {
        "data": (64, 1, 8, 8),
        "label": (64,),
        "conv1": (64, 20, 8, 8),
        "pool1": (64, 20, 4, 4),
        "conv2": (64, 50, 4, 4),
        "pool2": (64, 50, 2, 2),
        "fc1": (64, 100),
        "score": (64, 10),
        "loss": (),
    }
    assert [(name, p[0].data.shape) for name, p in solver.net.params.items()] == [
        ("conv1", (20, 1, 5, 5)),
        ("conv2", (50, 20, 5, 5)),
        ("fc1", (100, 200)),
        ("score", (10, 100)),
    ]


def test_the_first_passes(solver):
    loss = solver.net.forward()
    assert list(loss) == ["loss"] and 1.5 < loss["loss"] < 4
    solver.test_nets[0].forward()
    images, labels = digits.load("train")
    np.testing.assert_allclose(solver.net.blobs["data"].data[:8], images[:8])
    assert solver.net.blobs["label"].data[:8].tolist() == labels[:8].tolist()
    assert solver.test_nets[0].blobs["label"].data[:8].tolist() == digits.load("test")[1][:8].tolist()
    solver.step(1)
    filters = solver.net.params["conv1"][0].diff[:, 0]
    assert filters.shape == (20, 5, 5) and np.abs(filters).max() > 0
    assert solver.iter == 1


def test_the_training_loop(solver):
    niter, test_interval = 100, 25
    train_loss = np.zeros(niter)
    test_acc = np.zeros(-(-niter // test_interval))
    output = np.zeros((niter, 8, 10))
    for it in range(niter):
        solver.step(1)
        train_loss[it] = solver.net.blobs["loss"].data
        solver.test_nets[0].forward(start="conv1")  # the batch stays
        output[it] = solver.test_nets[0].blobs["score"].data[:8]
        if it % test_interval == 0:
            correct = 0
            for _ in range(4):
                solver.test_nets[0].forward()
                scores, labels = (solver.test_nets[0].blobs[b].data for b in ("score", "label"))
                correct += sum(scores.argmax(1) == labels)
            test_acc[it // test_interval] = correct / 360
    assert train_loss[-10:].mean() < 0.3 * train_loss[:3].mean()
    assert test_acc[0] < 0.5 < 0.75 < test_acc[-1]
    first = solver.test_nets[0].blobs["label"].data[:8].astype(int)
    assert (output[-1].argmax(1) == first).mean() >= 0.75
    assert solver.iter == niter


def test_another_net_and_rule(folder):
    """The exercise at its end: a linear net, and Adam."""
    n = caffe.NetSpec()
    n.data, n.label = L.Data(batch_size=64, backend=P.Data.LMDB, source="train_lmdb", ntop=2)
    n.score = L.InnerProduct(n.data, num_output=10, weight_filler={"type": "xavier"})
    n.loss = L.SoftmaxWithLoss(n.score, n.label)
    digits.write_lmdb("train_lmdb", "train")
    Path("linear.prototxt").write_text(str(n.to_proto()))
    path = digits.write_solver("solver.prototxt", "linear.prototxt", type="Adam", base_lr=0.001)
    solver = caffe.get_solver(path)
    assert isinstance(solver, caffe.AdamSolver)
    solver.step(1)
    before = float(solver.net.blobs["loss"].data)
    solver.step(100)
    assert solver.net.blobs["loss"].data < before
