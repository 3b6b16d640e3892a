"""A run that is stopped and resumed equals an uninterrupted one, bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from minicaffe.errors import WeightsError
from minicaffe.proto import text
from minicaffe.proto.schema import SolverParameter
from minicaffe.solvers.solver import Solver

from ..support.solving import params, tiny_solver

SETTINGS = """
snapshot_prefix: "run/tiny" test_iter: 2 test_interval: 3 average_loss: 4 display: 1 iter_size: 2
weight_decay: 0.01 lr_policy: "multistep" gamma: 0.5 stepvalue: 3 stepvalue: 8 max_iter: 10
"""


@pytest.fixture(autouse=True)
def folder(tmp_path):
    (tmp_path / "run").mkdir()


def lines(caplog) -> list[str]:
    """The log without what differs from run to run: speeds, and names of files."""
    kept = []
    for record in caplog.records:
        message = record.getMessage()
        if message.startswith(("Iteration", "    T", "Multi")):
            kept.append(message.split(" (")[0] + message.split(")")[-1] if "iter/s" in message else message)
    return kept


def same(one, other) -> None:
    for (key, a), b in zip(params(one).items(), params(other).values()):
        np.testing.assert_array_equal(a, b, err_msg=key)
    for a, b in zip(one.history, other.history):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("at", [1, 3, 4, 8])
@pytest.mark.parametrize("form", ["BINARYPROTO", "HDF5"])
def test_bit_for_bit(at, form, tmp_path, monkeypatch, caplog):
    """Parameters, history, data, dropout, test results and averaged losses, wherever the run is cut."""
    monkeypatch.chdir(tmp_path)
    settings = f"{SETTINGS} snapshot_format: {form}"
    with caplog.at_level("INFO", "minicaffe"):
        whole = tiny_solver(settings)
        whole.step(10)
        wanted = lines(caplog)
        caplog.clear()
        first = tiny_solver(settings)
        first.step(at)
        state = first.snapshot()
        second = tiny_solver(settings.replace("random_seed: 3", ""))
        second.restore(state)
        second.step(10 - at)
        assert lines(caplog) == wanted
    same(whole, second)


def test_a_seed_drawn_by_chance_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = SETTINGS + "random_seed: -1"
    whole = tiny_solver(settings)
    whole.step(4)
    state = whole.snapshot()
    whole.step(6)
    resumed = tiny_solver(settings)
    assert resumed.seed != whole.seed
    resumed.restore(state)
    resumed.step(6)
    same(whole, resumed)


def test_without_run_state_the_iteration_says_where_the_data_is(tmp_path, monkeypatch):
    """As for a snapshot that Caffe wrote: here the result is the same, since nothing else was lost."""
    monkeypatch.chdir(tmp_path)
    whole = tiny_solver(SETTINGS)
    whole.step(4)
    state = whole.snapshot()
    whole.step(6)
    Path("run/tiny_iter_4.runstate").unlink()
    resumed = tiny_solver(SETTINGS)
    resumed.restore(state)
    resumed.step(6)
    same(whole, resumed)


def test_snapshots_move_together(tmp_path, monkeypatch):
    """The weights are looked for where the state says, and then beside it."""
    monkeypatch.chdir(tmp_path)
    solver = tiny_solver(SETTINGS)
    solver.step(2)
    solver.snapshot()
    moved = (tmp_path / "run").rename(tmp_path / "elsewhere")
    resumed = tiny_solver(SETTINGS)
    resumed.restore(moved / "tiny_iter_2.solverstate")
    same(solver, resumed)


@pytest.fixture
def snapshot(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    solver = tiny_solver(SETTINGS)
    solver.step(2)
    return solver.snapshot()


def test_weights_gone(snapshot):
    Path("run/tiny_iter_2.caffemodel").unlink()
    with pytest.raises(
        WeightsError, match=r"its weights run/tiny_iter_2\.caffemodel are neither beside it nor there"
    ):
        tiny_solver(SETTINGS).restore(snapshot)


def test_weights_of_another_run(snapshot):
    weights = Path("run/tiny_iter_2.caffemodel")
    other = tiny_solver(SETTINGS)
    other.step(1)
    weights.write_bytes(other.net.to_message().SerializeToString())
    with pytest.raises(WeightsError, match="not the file that was written with"):
        tiny_solver(SETTINGS).restore(snapshot)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1'])
def test_damaged_run_state(snapshot, content):
    Path("run/tiny_iter_2.runstate").write_text(content)
    with pytest.raises(WeightsError, match="not a run state; hint: delete it"):
        tiny_solver(SETTINGS).restore(snapshot)


def test_run_state_of_another_version(snapshot):
    Path("run/tiny_iter_2.runstate").write_text(json.dumps({"format": 99}))
    with pytest.raises(WeightsError, match="format 99; this version reads 1"):
        tiny_solver(SETTINGS).restore(snapshot)


def test_state_of_another_net(snapshot):
    other = tiny_solver(SETTINGS)
    other.net.parameters.owned.pop()
    with pytest.raises(WeightsError, match="4 history arrays; this solver keeps 3"):
        other.restore(snapshot)


def test_truncated_state_changes_nothing(snapshot):
    whole = snapshot.read_bytes()
    snapshot.write_bytes(whole[: len(whole) // 2])
    solver = tiny_solver(SETTINGS)
    before = params(solver)
    with pytest.raises(ValueError, match="not a whole binary SolverState"):
        solver.restore(snapshot)
    for key, value in params(solver).items():
        np.testing.assert_array_equal(value, before[key])


def test_a_snapshot_in_the_closing_test_is_as_one_before_it(tmp_path, monkeypatch):
    """The loss after the last update takes a batch, and leaves no trace."""
    monkeypatch.chdir(tmp_path)
    settings = SETTINGS.replace("max_iter: 10", "max_iter: {}").replace(
        "test_interval: 3", "test_interval: 2"
    )
    whole = tiny_solver(settings.format(10))
    whole.solve()
    first = tiny_solver(settings.format(4))
    right = first.test

    def asked(index):
        if first.iteration == 4:
            first.requests.append("snapshot")
        return right(index)

    first.test = asked
    first.solve()
    second = tiny_solver(settings.format(10))
    second.solve("run/tiny_iter_4.solverstate")
    same(whole, second)
    assert second.net.passes == whole.net.passes


TEST_ONLY = """
net_param {
  layer { name: "in" type: "DummyData" top: "data" dummy_data_param {
    shape { dim: 4 dim: 3 } data_filler { type: "gaussian" } } }
  layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
    inner_product_param { num_output: 2 weight_filler { type: "gaussian" } } }
  layer { name: "own" type: "InnerProduct" bottom: "ip" top: "own" include { phase: TEST }
    inner_product_param { num_output: 1 weight_filler { type: "gaussian" } } }
  layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "ip" top: "loss" include { phase: TRAIN } }
}
base_lr: 0.1 lr_policy: "fixed" test_iter: 1 test_interval: 2 snapshot_prefix: "p"
"""


@pytest.mark.parametrize("form", ["BINARYPROTO", "HDF5"])
def test_parameters_of_a_test_net_alone_are_kept(form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    param = text.parse(TEST_ONLY + f"snapshot_format: {form}", SolverParameter)
    first, second = Solver.create(param), Solver.create(param)
    first.step(1)
    wanted = first.test_nets[0].params["own"][0].data
    second.restore(first.snapshot())
    np.testing.assert_array_equal(second.test_nets[0].params["own"][0].data, wanted)
    np.testing.assert_array_equal(first.test(), second.test())


def test_restoring_in_the_middle_of_a_run_brings_multistep_back(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    solver = tiny_solver(SETTINGS)
    solver.step(3)
    state = solver.snapshot()
    rates = []
    for _ in range(2):
        solver.restore(state)
        solver.step(1)
        rates.append(solver.rate)
    assert rates[0] == rates[1] == pytest.approx(0.05)


@pytest.mark.parametrize(("first", "then"), [(None, ()), ((), None)])
def test_passes_are_no_part_of_a_snapshot(first, then, tmp_path, monkeypatch):
    """What began with passes goes on without, and the other way round."""
    monkeypatch.chdir(tmp_path)
    whole = tiny_solver(SETTINGS, passes=())
    whole.step(10)
    begun = tiny_solver(SETTINGS, passes=first)
    begun.step(4)
    resumed = tiny_solver(SETTINGS, passes=then)
    assert len(begun.net.program.steps) != len(resumed.net.program.steps)
    resumed.restore(begun.snapshot())
    resumed.step(6)
    for key, array in params(whole).items():
        np.testing.assert_allclose(params(resumed)[key], array, rtol=1e-4, atol=1e-6, err_msg=key)
