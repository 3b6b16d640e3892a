"""The LSTM of prototxt/lstm learns, from state to state."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minicaffe import Net, Solver

LSTM = Path(__file__).parent.parent / "prototxt" / "lstm"


pytestmark = pytest.mark.usefixtures("one_thread")


def test_it_learns_and_its_weights_load(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    solver = Solver.create(LSTM / "solver.prototxt")
    before = solver.test()["accuracy"][0]
    solver.step(200)
    after = solver.test()["accuracy"][0]
    assert before < 0.3 and after > 0.9

    solver.snapshot()
    net = Net(LSTM / "train_test.prototxt", phase="TEST", seed=9)
    net.load("lstm_iter_200.caffemodel")
    shapes = [blob.shape for blob in net.params["lstm"]]
    assert shapes == [(256, 8), (256,), (256, 64)]
    for ours, theirs in zip(net.params["lstm"], solver.net.params["lstm"]):
        np.testing.assert_array_equal(ours.data, theirs.data)
    accuracy = np.mean([net.forward()["accuracy"] for _ in range(4)])
    np.testing.assert_allclose(accuracy, after)


def test_the_order_of_rows_is_read():
    """x[t, n] is row t of image n."""
    net = Net(LSTM / "train_test.prototxt", phase="TEST", seed=1)
    net.forward()
    data, x = net.blobs["data"].data, net.blobs["x"].data
    np.testing.assert_array_equal(x, data[:, 0].transpose(1, 0, 2))
    np.testing.assert_array_equal(net.blobs["cont"].data, np.repeat([[0], [1]], [1, 7], axis=0) * np.ones(90))
