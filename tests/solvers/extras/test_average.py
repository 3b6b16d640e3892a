"""ema: the average of the weights, in tests and snapshots, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minicaffe.errors import ConfigError, WeightsError
from minicaffe.net import Net
from minicaffe.solvers.callbacks import Callback

from ...support.solving import params, tiny_solver

SETTINGS = 'snapshot_prefix: "p" test_iter: 1 test_interval: 2 ema { decay: 0.75 } '


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


class Watcher(Callback):
    def __init__(self) -> None:
        self.weights: list[np.ndarray] = []

    def on_iteration(self, solver):
        self.weights.append(params(solver)["ip/0"])


def test_it_is_the_average_and_training_does_not_notice():
    watcher = Watcher()
    plain = tiny_solver(callbacks=[watcher])
    mean = params(plain)["ip/0"].astype(np.float64)
    averaged = tiny_solver(SETTINGS + "max_iter: 6")
    averaged.solve()
    plain.step(6)
    for weights in watcher.weights:
        mean = 0.75 * mean + 0.25 * weights
    for key, value in params(plain).items():
        np.testing.assert_array_equal(value, params(averaged)[key])
    net = Net(averaged.net.param, seed=1)
    net.load("p_iter_6_ema.caffemodel")
    np.testing.assert_allclose(net.params["ip"][0].data, mean, rtol=1e-5, atol=1e-7)


def test_tests_see_the_average(monkeypatch):
    solver = tiny_solver(SETTINGS)
    seen = []
    monkeypatch.setattr(solver, "test", lambda index: seen.append(params(solver)["ip/0"]) or {})
    solver.callbacks[0].on_start(solver)
    solver.step(3)
    np.testing.assert_array_equal(seen[0], params(tiny_solver())["ip/0"])
    assert (seen[1] != params(solver)["ip/0"]).any() and len(seen) == 2


@pytest.mark.parametrize("form", ["BINARYPROTO", "HDF5"])
def test_a_resumed_run_has_the_same_average(form):
    settings = SETTINGS + f"snapshot_format: {form} max_iter: 6 snapshot: 3"
    whole = tiny_solver(settings)
    whole.solve()
    second = tiny_solver(settings)
    second.solve("p_iter_3.solverstate" + (".h5" if form == "HDF5" else ""))
    np.testing.assert_array_equal(whole.callbacks[0].values, second.callbacks[0].values)
    np.testing.assert_array_equal(whole.net.parameters.data, second.net.parameters.data)


def test_a_snapshot_in_the_middle_of_a_test_holds_the_weights_in_training():
    class Request(Callback):
        def testing(self, solver):
            if solver.iteration == 2:
                solver.requests.append("snapshot")
            return super().testing(solver)

    solver = tiny_solver(SETTINGS, callbacks=[Request()])
    solver.callbacks[0].on_start(solver)
    solver.step(2)
    wanted, average = params(solver)["ip/0"], solver.callbacks[0].values.copy()
    solver.step(1)
    net = Net(solver.net.param, seed=1)
    net.load("p_iter_2.caffemodel")
    np.testing.assert_array_equal(net.params["ip"][0].data, wanted)
    second = tiny_solver(SETTINGS)
    second.restore("p_iter_2.solverstate")
    np.testing.assert_array_equal(second.callbacks[0].values, average)


def test_it_begins_with_a_step_too():
    solver = tiny_solver(SETTINGS)
    start = params(solver)["ip/0"].astype(np.float64)
    solver.step(1)
    k = solver.net.parameters.owned[2].offset
    mean = solver.callbacks[0].values[k : k + start.size].reshape(start.shape)
    np.testing.assert_allclose(mean, 0.75 * start + 0.25 * params(solver)["ip/0"], rtol=1e-5, atol=1e-7)


def test_errors():
    with pytest.raises(ConfigError, match=r"ema\.decay must be from 0 to below 1; got 1"):
        tiny_solver("ema { decay: 1 }")
    solver = tiny_solver(SETTINGS + "max_iter: 1")
    solver.solve()
    Path("p_iter_1_ema.caffemodel").unlink()
    with pytest.raises(WeightsError, match=r"its weights p_iter_1_ema\.caffemodel are gone"):
        tiny_solver(SETTINGS).restore("p_iter_1.solverstate")
