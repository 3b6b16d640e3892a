"""The first bad value is found, dumped, and found again by a replay."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from minicaffe.device.cpu import CpuDevice
from minicaffe.errors import NonFiniteError, WeightsError
from minicaffe.proto import text
from minicaffe.proto.schema import SolverParameter
from minicaffe.solvers import nonfinite
from minicaffe.solvers.nonfinite import NonFiniteBlob
from minicaffe.solvers.replay import recorded, replay
from minicaffe.solvers.solver import Solver

from ..support.solving import TINY_NET, change_run_state, params, tiny_solver


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def poison(solver: Solver, layer: str, index: int, place: int, value: float) -> None:
    blob = solver.net.params[layer][index]
    host = solver.device.get(blob.data)
    host.ravel()[place] = value
    solver.device.put(host, blob.data)


@pytest.mark.parametrize(
    "value, what", [(math.nan, "6 NaN and 0 infinite"), (math.inf, "0 NaN and 6 infinite")]
)
def test_a_bad_weight_shows_in_the_first_top_it_reaches(value, what):
    solver = tiny_solver('snapshot_prefix: "p" iter_size: 2')
    solver.step(3)
    poison(solver, "ip", 1, 1, value)
    with pytest.raises(NonFiniteError) as error:
        solver.step(1)
    message = str(error.value)
    assert message.startswith("iteration 3, forward of layer 'ip' (InnerProduct): top 'ip' has " + what)
    assert "of 18, the first at [0, 1]; hint: lower base_lr (now 0.1); to see it again: " in message
    assert message.endswith(": minicaffe replay p_nonfinite_iter_3")
    again = replay("p_nonfinite_iter_3")
    assert again.exact and again.finding.place == (3, 0, "ip", "forward", "top 'ip'", [0, 1])
    near = {r.blob: r for r in again.finding.around}
    assert set(near) == {"bottom 'conv'", "parameter 0", "parameter 1", "top 'ip'"}
    assert near["parameter 1"].nan + near["parameter 1"].infinite == 1 and near["parameter 0"].nan == 0


def test_a_bad_gradient_is_found_where_it_arises(monkeypatch):
    """With a finite loss: the fault is planted in the backward pass of iteration 3."""
    solver = tiny_solver('snapshot_prefix: "p"')
    layer = next(layer for layer in solver.net.layers if layer.name == "ip")
    right = type(layer).backward

    def wrong(self, top, propagate_down, bottom):
        right(self, top, propagate_down, bottom)
        if self.name == "ip":
            self.params[0].diff[2, 5] = np.nan

    solver.step(3)
    monkeypatch.setattr(type(layer), "backward", wrong)
    solver.net.executor.moved()  # what was recorded would go on without the fault
    with pytest.raises(
        NonFiniteError, match=r"iteration 3, backward of layer 'ip'.*: the gradient by parameter 0 has 1"
    ):
        solver.step(1)
    found = recorded("p_nonfinite_iter_3")["finding"]
    assert found["first"] == [2, 5] and found["direction"] == "backward"
    assert replay("p_nonfinite_iter_3").exact


def test_a_replay_without_the_fault_says_so(tmp_path, monkeypatch):
    solver = tiny_solver('snapshot_prefix: "p"')
    solver.step(1)
    poison(solver, "conv", 0, 0, math.nan)
    with pytest.raises(NonFiniteError):
        solver.step(1)
    report = Path("p_nonfinite_iter_1/report.json")
    content = json.loads(report.read_text())
    content["finding"]["sha256"] = "0"
    report.write_text(json.dumps(content))
    assert not replay("p_nonfinite_iter_1").exact


def test_report_says_it_once_and_goes_on_as_caffe(caplog):
    quiet = tiny_solver('snapshot_prefix: "p"', nonfinite_effect="none")
    loud = tiny_solver('snapshot_prefix: "p"', nonfinite_effect="report")
    for solver in (quiet, loud):
        solver.step(1)
        poison(solver, "ip", 1, 1, math.nan)
    caplog.clear()
    with caplog.at_level("ERROR", "minicaffe"):
        quiet.step(2)
        assert not caplog.records and not list(Path().glob("*nonfinite*"))
        loud.step(2)
    assert len(caplog.records) == 1 and "training goes on" in caplog.text
    assert Path("p_nonfinite_iter_1/report.json").exists()
    for key, value in params(quiet).items():
        np.testing.assert_array_equal(value, params(loud)[key])


def test_large_gradients_whose_squares_overflow_are_no_fault():
    solver = tiny_solver("base_lr: 1e-30", nonfinite_effect="stop")
    backward = solver.net.run_backward

    def large(*steps):
        backward(*steps)
        solver.net.parameters.diff[0] = 1e30

    solver.net.run_backward = large
    solver.step(2)
    assert solver.iteration == 2


def test_looking_leaves_no_trace_in_running_statistics():
    """BatchNorm's move with a forward, and the search is one more."""
    net = """
    train_net_param {
      layer { name: "in" type: "DummyData" top: "x" dummy_data_param {
        shape { dim: 4 dim: 2 } data_filler { type: "gaussian" } } }
      layer { name: "bn" type: "BatchNorm" bottom: "x" top: "y" }
      layer { name: "ip" type: "InnerProduct" bottom: "y" top: "z" inner_product_param { num_output: 1
        weight_filler { type: "xavier" } } }
      layer { name: "loss" type: "Reduction" bottom: "z" top: "loss" loss_weight: 1e30 }
    }
    base_lr: 1e-36 lr_policy: "fixed" random_seed: 1
    """
    solvers = [Solver.create(text.parse(net, SolverParameter), nonfinite_effect=e) for e in ("stop", "none")]
    for solver in solvers:
        solver.step(3)
    np.testing.assert_array_equal(*(solver.net.parameters.data for solver in solvers))


def test_parameters_that_the_last_update_spoilt(tmp_path):
    solver = tiny_solver('snapshot_prefix: "p" max_iter: 1 base_lr: 3e38 momentum: 0 weight_decay: 1e3')
    with pytest.raises(
        NonFiniteError, match=r"after iteration 1, layer 'conv' .*: parameter 0 has .*lower base_lr"
    ):
        solver.solve()
    assert not list(Path().glob("*.caffemodel"))


def test_a_dump_in_double_precision_replays_in_it():
    solver = tiny_solver('snapshot_prefix: "p"', device=CpuDevice(np.float64))
    poison(solver, "ip", 1, 1, math.nan)
    with pytest.raises(NonFiniteError):
        solver.step(1)
    assert replay("p_nonfinite_iter_0").exact


def test_a_dump_that_cannot_be_written_hides_nothing(monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    solver = tiny_solver('snapshot_prefix: "p"')
    poison(solver, "ip", 1, 1, math.nan)
    monkeypatch.setattr(nonfinite, "write_atomic", full)
    with pytest.raises(
        NonFiniteError, match=r"top 'ip' has 6 NaN.*; hint: no dump could be written: .*No space"
    ):
        solver.step(1)
    assert not list(Path().iterdir())


RECURRENT = """
train_net_param {
  layer { name: "in" type: "DummyData" top: "x" top: "cont" top: "label" dummy_data_param {
    shape { dim: 2 dim: 3 dim: 4 } shape { dim: 2 dim: 3 } shape { dim: 2 dim: 3 dim: 2 }
    data_filler { type: "gaussian" } data_filler { type: "constant" value: 1 } data_filler { } } }
  layer { name: "lstm" type: "LSTM" bottom: "x" bottom: "cont" top: "h"
    recurrent_param { num_output: 2 weight_filler { type: "uniform" min: -1 } } }
  layer { name: "loss" type: "EuclideanLoss" bottom: "h" bottom: "label" top: "loss" }
}
base_lr: 0.1 lr_policy: "fixed" snapshot_prefix: "p" random_seed: 1
"""


def recurrent() -> Solver:
    return Solver.create(text.parse(RECURRENT, SolverParameter))


def test_the_replay_begins_with_what_a_recurrent_layer_carried():
    solver = recurrent()
    solver.step(4)
    poison(solver, "lstm", 0, 0, math.nan)
    with pytest.raises(NonFiniteError, match="forward of layer 'lstm'"):
        solver.step(1)
    assert replay("p_nonfinite_iter_4").exact


def test_a_resumed_recurrent_net_carries_on():
    whole, first = recurrent(), recurrent()
    whole.step(5)
    first.step(3)
    state = first.snapshot()
    second = recurrent()
    second.restore(state)
    second.step(2)
    np.testing.assert_array_equal(whole.net.parameters.data, second.net.parameters.data)
    # The planted fault: without its state the layer goes another way.
    change_run_state("p_iter_3.runstate", lambda run: run["train"].update(carried={}))
    third = recurrent()
    third.restore(state)
    third.step(2)
    assert (whole.net.parameters.data != third.net.parameters.data).any()


def test_folders_that_are_no_dumps(tmp_path):
    with pytest.raises(WeightsError, match=r"is no dump: it has no report\.json"):
        replay(tmp_path)
    place = dict.fromkeys(NonFiniteBlob.PLACE)
    whole = {"loss": "nan", "folder": "/", "finding": {**place, "sha256": ""}}
    for report in (
        [],
        {**whole, "finding": place},
        {**whole, "finding": [*NonFiniteBlob.PLACE, "sha256"]},
        {**whole, "dtype": "x" * 500},
        {**whole, "dtype": 2**70},
        {**whole, "net_folder": "a\0b"},
        {**whole, "folder": ""},
    ):
        (tmp_path / "report.json").write_text(json.dumps(report))
        with pytest.raises(WeightsError, match=r"report\.json is damaged"):
            recorded(tmp_path)


def test_a_dump_holds_the_net_that_runs(tmp_path):
    """Its file was edited meanwhile, and then removed."""
    message = text.parse(TINY_NET, SolverParameter).net_param
    Path("net.prototxt").write_text(text.spell(message))
    settings = 'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" random_seed: 3 snapshot_prefix: "p" '
    Path("solver.prototxt").write_text(settings)
    for then in (lambda path: path.write_text(path.read_text().replace("conv", "other")), Path.unlink):
        solver = Solver.create("solver.prototxt")
        then(Path("net.prototxt"))
        poison(solver, "conv", 0, 0, math.nan)
        with pytest.raises(NonFiniteError, match="replay p_nonfinite_iter_0"):
            solver.step(1)
        assert replay("p_nonfinite_iter_0").exact
        Path("net.prototxt").write_text(text.spell(message))


def test_what_has_the_name_of_a_dump_and_is_none_stays():
    Path("p_nonfinite_iter_1").mkdir()
    notes = Path("p_nonfinite_iter_1/notes.txt")
    notes.write_text("mine")
    solver = tiny_solver('snapshot_prefix: "p"')
    solver.step(1)
    poison(solver, "conv", 0, 0, math.nan)
    with pytest.raises(NonFiniteError, match=r"no dump could be written: .*notes\.txt is of no dump"):
        solver.step(1)
    assert notes.read_text() == "mine" and len(list(Path().iterdir())) == 1
