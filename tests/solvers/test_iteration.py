"""An update on a GPU: launched as graphs, not waited for, and judged on the device."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from minicaffe.errors import NonFiniteError
from minicaffe.proto import text
from minicaffe.proto.schema import SolverParameter
from minicaffe.solvers.callbacks import Callback
from minicaffe.solvers.iteration import UNCHECKED
from minicaffe.solvers.solver import Solver

from ..support import emulator
from ..support.emulator import EmulatedCuda
from ..support.solving import params, tiny_solver

pytestmark = pytest.mark.skipif(not emulator.available(), reason="the CUDA emulator needs Linux and g++")

# The weights grow without bound, by a factor of about a million with every update.
DIVERGING = """
net_param {
  layer { name: "in" type: "DummyData" top: "x" top: "t" dummy_data_param {
    shape { dim: 2 dim: 3 }
    data_filler { type: "gaussian" std: 1 } data_filler { type: "gaussian" std: 1 } } }
  layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y"
    inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
  layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }
}
lr_policy: "step" stepsize: 2 gamma: 1.01 base_lr: 1e6 random_seed: 3 max_iter: 30 snapshot_prefix: "d"
snapshot_after_train: false
"""


def diverging(settings: str = "", **options) -> Solver:
    return Solver.create(text.parse(DIVERGING + settings, SolverParameter), **options)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=[False, True], ids=["prompt", "lazy"])
def device(request):
    return EmulatedCuda(np.float32, lazy=request.param)


def counting(object_, name: str, monkeypatch) -> list:
    """The arguments of every call of a method from now on."""
    calls, original = [], getattr(object_, name)
    monkeypatch.setattr(
        object_, name, lambda *args, **options: calls.append(args) or original(*args, **options)
    )
    return calls


@pytest.mark.parametrize(
    "settings",
    ["", "iter_size: 3", "clip_gradients: 0.05", 'type: "Adam" momentum2: 0.99', "snapshot_diff: true"],
)
def test_the_same_as_on_the_cpu(device, settings):
    here, there = tiny_solver(settings), tiny_solver(settings, device=device)
    for solver in (here, there):
        solver.step(6)
    for key, wanted in params(here).items():
        np.testing.assert_allclose(params(there)[key], wanted, rtol=1e-4, atol=1e-6, err_msg=key)


@pytest.mark.parametrize("settings", ["", "iter_size: 3"])
def test_graphs_are_captured_once_and_nobody_waits(device, settings, monkeypatch):
    """Layers run in Python in the first two iterations, the one that warms up and the one that is captured;
    behind the first, where DummyData looks at what is there, nothing is read back."""
    solver = tiny_solver(settings, device=device)
    passes = counting(solver.net, "run_forward", monkeypatch)
    captured = counting(device, "capture", monkeypatch)
    solver._iterate()
    read = counting(device, "get", monkeypatch)
    for _ in range(UNCHECKED - 2):
        solver._iterate()
    assert len(passes) == (2 if not settings else 4)  # the first pass of an iteration clears the gradients
    assert len(captured) == (2 if not settings else 4) and not read
    solver.step(0)
    assert len(read) == 1


def test_arrays_that_moved_are_captured_anew(device, monkeypatch):
    solver = tiny_solver(device=device)
    solver.step(3)
    captured = counting(device, "capture", monkeypatch)
    solver.net.reshape()
    solver.step(1)
    assert not captured
    solver.step(1)
    assert len(captured) == 2


def test_debug_info_runs_layer_by_layer(device, monkeypatch):
    solver = tiny_solver("debug_info: true display: 2", device=device)
    solver.step(4)
    passes = counting(solver.net, "run_forward", monkeypatch)
    solver.step(4)
    assert len(passes) == 2  # those that are displayed; the others are replayed


@pytest.mark.parametrize("settings", ["", "display: 3", "snapshot: 4", "iter_size: 2"])
def test_the_iteration_that_went_wrong_is_found_later(device, settings):
    """The dump is the one that the CPU makes, which looks after every iteration."""
    reports = []
    for solver in (diverging(settings), diverging(settings, device=device)):
        with pytest.raises(NonFiniteError, match="minicaffe replay"):
            solver.solve()
        (path,) = Path().glob("d_nonfinite_iter_*")
        report = json.loads((path / "report.json").read_text())
        reports.append(
            (path.name, report["finding"]["layer"], report["finding"]["direction"], solver.iteration)
        )
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    assert reports[0] == reports[1] and 3 < reports[0][-1] < 30


def test_what_follows_a_bad_iteration_changes_nothing(device):
    good, bad = diverging(device=device), diverging(device=device)
    with pytest.raises(NonFiniteError):
        bad.step(30)
    for _ in range(bad.iteration):
        good._iterate()
    for key, wanted in params(good).items():
        np.testing.assert_array_equal(params(bad)[key], wanted)
    assert bad.policy.current_step == good.policy.current_step


def test_report_goes_on(device):
    here, there = (diverging(nonfinite_effect="report", **how) for how in ({}, {"device": device}))
    for solver in (here, there):
        solver.step(30)
        assert solver.iteration == 30 and solver.nonfinite_effect == "none"
    for key, wanted in params(here).items():
        np.testing.assert_array_equal(np.isfinite(params(there)[key]), np.isfinite(wanted))


def test_the_last_iteration_is_looked_at_too(device):
    solver = diverging(device=device)
    with pytest.raises(NonFiniteError):
        solver.step(30)
    at = solver.iteration
    again = diverging(device=device, nonfinite_effect="report")
    again.step(at + 1)
    assert again.iteration == at + 1 and again.nonfinite_effect == "none"


def test_who_must_not_be_told_of_updates_that_are_not_made(device):
    told = []

    class Strict(Callback):
        def on_iteration(self, solver) -> None:
            told.append(solver.iteration)

    solver = diverging(device=device, callbacks=[Strict()])
    with pytest.raises(NonFiniteError):
        solver.step(30)
    assert told == list(range(1, solver.iteration + 1))


def test_a_net_that_carries_something_is_looked_at_every_time(device, monkeypatch):
    solver = tiny_solver(device=device)
    monkeypatch.setattr(type(solver.net.layers[1]), "carries", True)
    read = counting(device, "get", monkeypatch)
    solver.step(5)
    assert len(read) >= 5
