"""An update on a GPU: launched as graphs, not waited for, and judged on the device."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from minicaffe import log
from minicaffe.errors import NonFiniteError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter, SolverParameter
from minicaffe.runs.control import Control, Events
from minicaffe.runs.home import Home
from minicaffe.solvers.callbacks import Callback
from minicaffe.solvers.device_step import DeviceStep, StepSettings
from minicaffe.solvers.lag import UNCHECKED
from minicaffe.solvers.solver import Solver
from minicaffe.solvers.update_rules import RULES

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
    """Layers run in Python in the first three iterations, the one that warms up and those that are captured,
    one for each of the slabs; behind the first, where DummyData looks at what is there, nothing is read."""
    solver = tiny_solver(settings, device=device)
    passes = counting(solver.net, "run_forward", monkeypatch)
    captured = counting(device, "capture", monkeypatch)
    solver._iterate()
    read = counting(device, "get", monkeypatch)
    for _ in range(UNCHECKED - 2):
        solver._iterate()
    units = 3 if settings else 1  # the first pass, those between, the last with the update; or all in one
    assert len(passes) == 3 * units and len(captured) == 2 * units and not read
    solver.step(0)
    assert len(read) == 1


def test_a_step_needs_no_solver(device):
    """It makes the updates of a solver from a net, a rule and settings."""
    whole = tiny_solver('type: "Adam" iter_size: 2', device=device)
    net, rule = Net(whole.net.param, device=device, seed=whole.seed), whole.rule
    step = DeviceStep(net, rule, StepSettings.of(whole.param, guarded=True))
    for iteration in range(4):
        step.begin(iteration, 0)
        step.passes(read=False)
        step.update(rule.hyper(whole.param, 0.1, iteration), judged=True)
    assert len(step.begun) == 4 and step.verdict() is None and not step.begun
    whole.step(4)
    blocks = (device.get(found.parameters.data) for found in (net, whole.net))
    np.testing.assert_array_equal(*blocks)


def test_only_what_is_built_in_is_captured_anew(device, monkeypatch):
    solver = tiny_solver(device=device)
    solver.step(3)
    captured = counting(device, "capture", monkeypatch)
    solver.param.base_lr, solver.param.max_iter = 0.01, 20
    solver.step(2)
    assert not captured
    solver.param.clip_gradients = 1
    solver.step(3)
    assert len(captured) == 2


def test_arrays_that_moved_are_captured_anew(device, monkeypatch):
    solver = tiny_solver(device=device)
    solver.step(3)
    captured = counting(device, "capture", monkeypatch)
    solver.net.reshape()
    solver.step(1)
    assert not captured
    solver.step(2)
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


LABELLED = """
layer { name: "in" type: "MemoryData" top: "x" top: "label" memory_data_param {
  batch_size: 2 channels: 4 height: 1 width: 1 } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "sum" type: "Reduction" bottom: "y" top: "sum" loss_weight: 0.1 }
layer { name: "first" type: "EuclideanLoss" bottom: "y" bottom: "y" top: "first" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "label" top: "loss" loss_weight: WEIGHT }
"""


@pytest.mark.parametrize("passes", [1, 3])
@pytest.mark.parametrize("weight", [1, 0])
def test_a_bad_loss_is_seen_where_all_gradients_are_finite(device, passes, weight):
    """That of a label that is no class, in the first pass alone of an iteration whose passes are replayed.  A
    loss that is not trained on may be what it likes."""
    param = text.parse(LABELLED.replace("WEIGHT", str(weight)), NetParameter)
    net = Net(param, phase="TRAIN", device=device, seed=1, keep="needed")
    labels = np.zeros(2 * passes * 5, np.float32)
    net.layers[0].reset(np.ones((len(labels), 4, 1, 1), np.float32), labels)
    labels[2 * passes * 3] = 3
    step = DeviceStep(net, RULES["SGD"], StepSettings(passes, -1.0, False, False, True))
    for iteration in range(5):
        step.begin(iteration, 0)
        step.passes(read=False)
        assert np.isfinite(device.get(net.parameters.diff)).all()
    found = step.verdict()
    assert found is None if weight == 0 else found.iteration == 3
    assert step.verdict() is None


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


@pytest.mark.parametrize("at", [5, 6])
def test_snapshots_are_those_of_the_cpu(device, at):
    """Also of the very iteration that had to be made again."""
    found = []
    for where in (None, device):
        for path in Path().glob("d_iter_*"):
            path.unlink()
        solver = diverging(f"snapshot: {at}", nonfinite_effect="report", device=where)
        solver.param.max_iter = 2 * at
        solver.solve()
        found.append(sorted(path.name for path in Path().glob("*.solverstate")))
    assert found[0] == found[1] and f"d_iter_{at}.solverstate" in found[0]


def test_clipping_is_logged_only_of_updates_that_are_made(device, monkeypatch):
    lines: list[list[str]] = []
    for where in (None, device):
        lines.append([])
        monkeypatch.setattr(log, "info", lines[-1].append)
        with pytest.raises(NonFiniteError):
            diverging("clip_gradients: 1e15", device=where).step(30)
    cpu, gpu = ([line for line in said if "clipping" in line] for said in lines)
    assert len(cpu) == len(gpu) == 1


def test_commands_take_effect_at_iterations_that_stand(device):
    """A command looks first: the run goes back, and what it asks for is done there."""
    Path("run").mkdir()
    home = Home("run")
    commands = ["pause", "snapshot", "resume"]

    class Hand(Callback):
        may_lag = True

        def on_iteration(self, solver) -> None:
            if solver.iteration == 8 and not Path(home.control).exists():
                lines = [json.dumps({"id": command, "command": command}) for command in commands]
                Path(home.control).write_text("\n".join(lines) + "\n")

    control = Control(home, Events(home))
    solver = diverging(device=device, nonfinite_effect="report", callbacks=[Hand(), control])
    solver.step(12)
    events = [json.loads(line) for line in Path(home.events).read_text().splitlines()]
    (dump,) = Path().glob("d_nonfinite_iter_*")
    stands = int(dump.name.rsplit("_", 1)[1]) + 1
    assert [(e["id"], e["iteration"]) for e in events] == [(command, stands) for command in commands]
    assert [path.name for path in Path().glob("d_iter_*.solverstate")] == [f"d_iter_{stands}.solverstate"]


@pytest.mark.parametrize("iteration", [0, 1])
@pytest.mark.parametrize("what", ["clear_param_diffs", "run_backward"])
def test_an_interrupt_while_kernels_compile_or_are_captured(device, iteration, what, monkeypatch):
    """What did not run to its end is not captured, nor is half a capture kept."""
    solver, whole = (tiny_solver(device=device) for _ in range(2))
    solver.step(iteration)

    def interrupt(*more) -> None:
        raise KeyboardInterrupt

    position = solver.net.position
    with monkeypatch.context() as context:
        context.setattr(solver.net, what, interrupt)
        with pytest.raises(KeyboardInterrupt):
            solver.step(1)
    solver.net.seek(position)
    solver.step(5 - iteration)
    whole.step(5)
    for key, wanted in params(whole).items():
        np.testing.assert_array_equal(params(solver)[key], wanted)


@pytest.mark.parametrize("where", ["cpu", "gpu"])
@pytest.mark.parametrize("restored", [False, True], ids=["on", "restored"])
def test_an_iteration_that_was_cut_short_is_forgotten(where, restored, device, monkeypatch):
    """After an interrupt, the one that goes wrong is still found where it is."""
    whole = diverging()
    with pytest.raises(NonFiniteError) as wanted:
        whole.step(30)
    solver = diverging(**({"device": device} if where == "gpu" else {}))
    solver.step(1)
    state = solver.snapshot()
    solver.step(1)

    def interrupt(*more) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(solver.net, "prepare", interrupt)
        with pytest.raises(KeyboardInterrupt):
            solver.step(1)
    if restored:
        solver.restore(state)
    with pytest.raises(NonFiniteError) as found:
        solver.step(30)
    assert solver.iteration == whole.iteration
    assert str(found.value).split(";")[0] == str(wanted.value).split(";")[0]
