"""02-fine-tuning: the layers of a trained net under a classifier with another name, for other classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import minicaffe.pycaffe as caffe
from minicaffe.pycaffe import layers as L

from . import digits

WEIGHT, BIAS = {"lr_mult": 1, "decay_mult": 1}, {"lr_mult": 2, "decay_mult": 0}
LEARNED, FROZEN = [WEIGHT, BIAS], [{"lr_mult": 0}] * 2
XAVIER = {"type": "xavier"}
BATCH = 50


def net(path: str, source: str = "", *, classifier: str, train: bool = True, learn_all: bool = True) -> str:
    """A small CaffeNet with five classes, whose last layer is called `classifier`; writes it to `path`."""
    n = caffe.NetSpec()
    if source:
        n.data, n.label = L.HDF5Data(source=source, batch_size=BATCH, ntop=2)
    else:
        n.data = L.DummyData(shape={"dim": [1, 1, 8, 8]})
    param = LEARNED if learn_all else FROZEN
    n.conv1 = L.Convolution(n.data, kernel_size=3, num_output=16, param=param, weight_filler=XAVIER)
    n.relu1 = L.ReLU(n.conv1, in_place=True)
    n.pool1 = L.Pooling(n.relu1, pool=caffe.params.Pooling.MAX, kernel_size=2, stride=2)
    n.fc7 = L.InnerProduct(n.pool1, num_output=40, param=param, weight_filler=XAVIER)
    n.relu7 = L.ReLU(n.fc7, in_place=True)
    dropped = n.drop7 = L.Dropout(n.relu7, in_place=True) if train else n.relu7
    scores = L.InnerProduct(dropped, num_output=5, param=LEARNED, weight_filler=XAVIER)
    setattr(n, classifier, scores)
    if not train:
        n.probs = L.Softmax(scores)
    if source:
        n.loss = L.SoftmaxWithLoss(scores, n.label)
        n.acc = L.Accuracy(scores, n.label)
    Path(path).write_text(str(n.to_proto()))
    return path


@pytest.fixture
def data(folder):
    """Digits 0 to 4, what the net was trained for, and 5 to 9, the new task, as classes 0 to 4."""
    for split in ("train", "test"):
        images, labels = digits.load(split)
        for name, chosen in (("old", labels < 5), ("new", labels >= 5)):
            some = slice(0, 150 if (name, split) == ("new", "train") else None)  # the new task has few images
            digits.write_hdf5(f"{name}_{split}", data=images[chosen][some], label=(labels[chosen] % 5)[some])


@pytest.fixture
def weights(data):
    solver = caffe.get_solver(
        digits.write_solver("old_solver", net("old_train.prototxt", "old_train.txt", classifier="fc8"))
    )
    solver.step(150)
    solver.net.save("old.caffemodel")
    return "old.caffemodel"


def run_solvers(niter: int, solvers: dict) -> dict[str, np.ndarray]:
    """Losses of solvers that run side by side."""
    losses = {name: np.zeros(niter) for name in solvers}
    for it in range(niter):
        for name, s in solvers.items():
            s.step(1)
            losses[name][it] = s.net.blobs["loss"].data.copy()
    for name, s in solvers.items():
        s.net.save(f"{name}.caffemodel")
    return losses


def accuracy(weights: str) -> float:
    path = net("new_test.prototxt", "new_test.txt", classifier="fc8_new", train=False)
    test_net = caffe.Net(path, weights, caffe.TEST)
    return float(np.mean([test_net.forward()["acc"] for _ in range(10)]))


def test_the_pretrained_net_knows_its_classes(weights):
    deploy = caffe.Net(net("deploy.prototxt", classifier="fc8", train=False), weights, caffe.TEST)
    images, labels = digits.load("test")
    deploy.blobs["data"].data[0] = images[labels == 3][0]
    probs = deploy.forward(start="conv1")["probs"][0]
    assert probs.shape == (5,) and abs(probs.sum() - 1) < 1e-5
    assert probs.argsort()[-1:-6:-1][0] == 3


def test_what_is_copied_goes_by_the_name(weights):
    old = caffe.Net(net("old.prototxt", "old_train.txt", classifier="fc8"), weights, caffe.TRAIN)
    path = digits.write_solver("solver", net("new.prototxt", "new_train.txt", classifier="fc8_new"))
    solver = caffe.get_solver(path)
    before = solver.net.params["fc8_new"][0].data.copy()
    solver.net.copy_from(weights)
    for layer in ("conv1", "fc7"):
        for i in range(2):
            np.testing.assert_array_equal(solver.net.params[layer][i].data, old.params[layer][i].data)
    np.testing.assert_array_equal(solver.net.params["fc8_new"][0].data, before)


def test_fine_tuning_beats_a_fresh_start(weights):
    solvers = {}
    for name, learn_all in (("pretrained", True), ("scratch", True), ("last", False)):
        path = net(f"{name}.prototxt", "new_train.txt", classifier="fc8_new", learn_all=learn_all)
        solvers[name] = caffe.get_solver(digits.write_solver(f"{name}_solver", path))
        if name != "scratch":
            solvers[name].net.copy_from(weights)
    conv1 = solvers["last"].net.params["conv1"][0].data.copy()
    losses = run_solvers(40, solvers)
    assert losses["pretrained"][-10:].mean() < losses["scratch"][-10:].mean()
    np.testing.assert_array_equal(solvers["last"].net.params["conv1"][0].data, conv1)
    assert losses["last"][-10:].mean() < 0.8 * losses["last"][:3].mean()
    assert accuracy("pretrained.caffemodel") > 0.6


def test_from_the_last_layer_to_all(weights):
    """As the notebook ends: learn the classifier, then everything from there."""
    last = net("last.prototxt", "new_train.txt", classifier="fc8_new", learn_all=False)
    everything = net("all.prototxt", "new_train.txt", classifier="fc8_new")
    solver = caffe.get_solver(digits.write_solver("last_solver", last))
    solver.net.copy_from(weights)
    run_solvers(40, {"tuned": solver})
    before = accuracy("tuned.caffemodel")
    solver = caffe.get_solver(digits.write_solver("all_solver", everything))
    solver.net.copy_from("tuned.caffemodel")
    run_solvers(60, {"end_to_end": solver})
    assert accuracy("end_to_end.caffemodel") > max(before, 0.7)
