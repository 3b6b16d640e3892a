"""pascal-multilabel-with-datalayer: several labels for an image, out of a data layer in Python."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import minicaffe.pycaffe as caffe
from minicaffe.pycaffe import layers as L

from . import digits

MODULE = "tests.notebooks.multilabel_layers"


def multilabel(split: str, batch_size: int):
    n = caffe.NetSpec()
    n.data, n.label = L.Python(
        module=MODULE,
        layer="MultilabelDataLayer",
        ntop=2,
        param_str=json.dumps({"batch_size": batch_size, "split": split}),
    )
    n.conv1 = L.Convolution(n.data, kernel_size=3, num_output=16, weight_filler={"type": "xavier"})
    n.relu1 = L.ReLU(n.conv1, in_place=True)
    n.fc7 = L.InnerProduct(n.relu1, num_output=64, weight_filler={"type": "xavier"})
    n.relu7 = L.ReLU(n.fc7, in_place=True)
    n.score = L.InnerProduct(n.relu7, num_output=4, weight_filler={"type": "xavier"})
    n.loss = L.SigmoidCrossEntropyLoss(n.score, n.label)
    return n.to_proto()


@pytest.fixture
def solver(folder):
    for split, batch_size in (("train", 32), ("test", 60)):
        Path(f"{split}.prototxt").write_text(str(multilabel(split, batch_size)))
    path = digits.write_solver("solver", "train.prototxt", "test.prototxt", test_iter=6)
    solver = caffe.SGDSolver(path)
    solver.test_nets[0].share_with(solver.net)
    return solver


def check_accuracy(net, num_batches: int) -> float:
    """The part of all labels that the signs of the scores get right."""
    right = []
    for _ in range(num_batches):
        net.forward()
        ests = net.blobs["score"].data > 0
        right.append(np.mean(ests == (net.blobs["label"].data > 0)))
    return float(np.mean(right))


def test_the_layer_gives_images_and_labels(solver):
    solver.step(1)
    images, labels = digits.load("train")
    np.testing.assert_array_equal(solver.net.blobs["data"].data, images[:32])
    even = solver.net.blobs["label"].data[:, 0]
    np.testing.assert_array_equal(even, labels[:32] % 2 == 0)
    assert solver.net.layers[0].type == "Python"


def test_labels_are_learnt(solver):
    net = solver.test_nets[0]
    before = check_accuracy(net, 6)
    for _ in range(6):
        solver.step(50)
    assert check_accuracy(net, 6) > max(0.9, before + 0.2)
    # What one gets by answering the same for every image
    labels = np.concatenate([net.forward() and net.blobs["label"].data.copy() for _ in range(6)])
    assert np.maximum(labels.mean(axis=0), 1 - labels.mean(axis=0)).mean() < 0.65


def test_a_mistake_in_the_layer_surfaces(folder):
    n = caffe.NetSpec()
    n.data, n.label = L.Python(module=MODULE, layer="MultilabelDataLayer", ntop=2, param_str="{}")
    Path("net.prototxt").write_text(str(n.to_proto()))
    with pytest.raises(Exception, match="param_str must name batch_size and split"):
        caffe.Net("net.prototxt", caffe.TRAIN)
