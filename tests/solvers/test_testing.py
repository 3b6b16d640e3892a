"""Tests of a net in training: the means of its outputs, which a GPU is asked for once."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.errors import DataError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter, SolverParameter
from minicaffe.solvers.testing import mean_outputs

from ..support.devices import each_device
from ..support.emulator import EmulatedCuda, available

NET = """
layer { name: "in" type: "MemoryData" top: "x" top: "label" memory_data_param {
  batch_size: 2 channels: 3 height: 1 width: 1 } }
layer { name: "p" type: "Softmax" bottom: "x" top: "p" }
layer { name: "accuracy" type: "Accuracy" bottom: "x" bottom: "label" top: "accuracy" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "x" bottom: "label" top: "loss" loss_weight: 3 }
"""
BATCHES = 5
SCORES = np.random.default_rng(4).standard_normal((2 * BATCHES, 3, 1, 1))
LABELS = np.arange(2.0 * BATCHES) % 3


def net_of(device, labels: np.ndarray = LABELS) -> Net:
    net = Net(text.parse(NET, NetParameter), phase="TEST", device=device, keep="needed", forward_only=True)
    net.layers[0].reset(SCORES, labels)
    return net


def means(net: Net, batches: int = BATCHES, log_loss: bool = False, stop_before: int = -1):
    numbers = iter(range(batches))
    param = SolverParameter(test_compute_loss=log_loss)
    return mean_outputs(net, batches, param, interrupted=lambda: next(numbers) == stop_before)


@each_device
def test_means(device, caplog):
    with caplog.at_level("INFO", "minicaffe"):
        got = means(net_of(device), log_loss=True)
    p = np.exp(SCORES.reshape(-1, 3))
    p /= p.sum(1, keepdims=True)
    loss = -np.log(p[np.arange(len(p)), LABELS.astype(int)])
    np.testing.assert_allclose(got["p"], p.reshape(BATCHES, 6).mean(0), rtol=1e-12)
    np.testing.assert_allclose(got["loss"], [loss.mean()], rtol=1e-12)
    assert got["accuracy"] == [np.mean(p.argmax(1) == LABELS)] and list(got) == ["accuracy", "loss", "p"]
    assert f"Test loss: {3 * loss.mean():g}" in caplog.text
    assert means(net_of(device), 0) == {}


@each_device
def test_a_label_that_is_none_is_told_and_forgotten(device):
    """Of whichever batch, though a GPU tells at the end; also of a test that ends before."""
    labels = LABELS.copy()
    labels[3] = 7
    for stop_before in (-1, 2):
        net = net_of(device, labels)
        with pytest.raises(DataError, match=r"label 7 at \[1\]"):
            means(net, stop_before=stop_before)
        net.layers[0].reset(SCORES, LABELS)
        try:
            net.verify()
        except DataError:  # the other layer's, for which it is the first time
            net.verify()
        assert means(net, stop_before=0) is None


def test_the_number_of_elements_may_not_change():
    """As where a layer of the host gives its top another shape."""
    net = net_of(None)
    (layer,) = (layer for layer in net.layers if layer.name == "p")
    forward = layer.forward

    def grow(bottom, top) -> None:
        if net.passes == 2:
            top[0].reshape(2, 3, 1, 2)
        else:
            forward(bottom, top)

    layer.forward = grow
    with pytest.raises(DataError, match="test output 'p' has 12 elements; before it had 6"):
        means(net)


@pytest.mark.skipif(not available(), reason="the CUDA emulator needs Linux and g++")
@pytest.mark.parametrize("lazy", [False, True])
def test_a_gpu_is_read_once_a_test(lazy, monkeypatch):
    """The means together, and what each of two layers may have noted: as often for more batches."""
    device = EmulatedCuda(np.float32, lazy=lazy)
    net, read, get = net_of(device), [], device.get
    monkeypatch.setattr(device, "get", lambda array: read.append(array.size) or get(array))
    wanted = means(net_of(None))
    for batches in (BATCHES, 2 * BATCHES):
        read.clear()
        got = means(net, batches)
        assert sorted(read) == [2, 2, 8]
        for name, values in wanted.items():  # the same batches, once and twice
            np.testing.assert_allclose(got[name], values, rtol=1e-6)
