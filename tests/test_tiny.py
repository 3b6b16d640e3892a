"""The five-minute proof, in seconds: a small net learns, snapshots, resumes, and agrees with itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from minicaffe import Net, Solver

DIGITS = Path(__file__).parent.parent / "prototxt" / "digits"


def test_a_small_net_learns_snapshots_and_resumes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    solver = Solver.create(DIGITS / "solver.prototxt")
    before = solver.test()["accuracy"][0]
    solver.step(150)
    state = solver.snapshot()
    after = solver.test()["accuracy"][0]
    assert before < 0.3 and after > 0.9

    solver.step(20)
    resumed = Solver.create(DIGITS / "solver.prototxt")
    resumed.restore(state)
    resumed.step(20)
    np.testing.assert_array_equal(resumed.net.parameters.data, solver.net.parameters.data)

    net = Net(DIGITS / "deploy.prototxt", phase="TEST")
    net.load("digits_iter_150.caffemodel")
    images = np.zeros(net.blobs["data"].shape, np.float32)
    net.blobs["data"].data[...] = images
    prob = net.forward()["prob"]
    np.testing.assert_allclose(prob.sum(1), 1, rtol=1e-5)
    assert (prob == prob[0]).all()
