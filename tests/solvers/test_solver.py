"""The solver's life cycle: when it tests, displays and snapshots, and what the log says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from minicaffe.errors import ConfigError, DataError, UnknownTypeError, WeightsError
from minicaffe.proto import binary, text
from minicaffe.proto.schema import NetParameter, SolverParameter
from minicaffe.solvers.callbacks import Callback
from minicaffe.solvers.solver import Solver

from ..support.solving import TINY_NET, params, tiny_solver


class Recorder(Callback):
    def __init__(self) -> None:
        self.events: list[str] = []

    def on_start(self, solver):
        self.events.append(f"start {solver.iteration}")

    def on_iteration(self, solver):
        self.events.append(f"{solver.iteration}")

    def on_test(self, solver, results):
        self.events.append(f"test at {solver.iteration}")

    def on_snapshot(self, solver, path):
        self.events.append(f"snapshot {path.name}")

    def on_stop(self, solver):
        self.events.append(f"stop {solver.iteration}")


def events(settings: str, tmp_path, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    recorder = Recorder()
    tiny_solver(settings + ' snapshot_prefix: "p"', callbacks=[recorder]).solve()
    return ", ".join(recorder.events)


@pytest.mark.parametrize(
    "settings, wanted",
    [
        ("max_iter: 2", "start 0, 1, 2, snapshot p_iter_2.solverstate, stop 2"),
        ("max_iter: 2 snapshot_after_train: false", "start 0, 1, 2, stop 2"),
        (
            "max_iter: 3 snapshot: 2",
            "start 0, 1, 2, snapshot p_iter_2.solverstate, 3, snapshot p_iter_3.solverstate, stop 3",
        ),
        ("max_iter: 2 snapshot: 2", "start 0, 1, 2, snapshot p_iter_2.solverstate, stop 2"),
        (
            "max_iter: 3 test_iter: 1 test_interval: 2 snapshot_after_train: false",
            "start 0, test at 0, 1, 2, test at 2, 3, stop 3",
        ),
        (
            "max_iter: 2 test_iter: 1 test_interval: 2 test_initialization: false "
            "snapshot_after_train: false",
            "start 0, 1, 2, test at 2, stop 2",
        ),
        ("max_iter: 0 snapshot_after_train: false", "start 0, stop 0"),
    ],
)
def test_schedule(settings, wanted, tmp_path, monkeypatch):
    assert events(settings, tmp_path, monkeypatch) == wanted


def test_log_lines(tmp_path, monkeypatch, caplog):
    """What Caffe's parsers look for, in its order."""
    monkeypatch.chdir(tmp_path)
    settings = (
        'max_iter: 2 display: 1 test_iter: 2 test_interval: 2 test_compute_loss: true snapshot_prefix: "p"'
    )
    with caplog.at_level("INFO", "minicaffe"):
        tiny_solver(settings).solve()
    n = r"[\d.e+-]+"
    patterns = [
        "Solving tiny",
        "Learning Rate Policy: fixed",
        r"Iteration 0, Testing net \(#0\)",
        f"Test loss: {n}",
        f"    Test net output #0: accuracy = {n}",
        rf"    Test net output #1: loss = ({n}) \(\* 1 = \1 loss\)",
        rf"Iteration 0 \({n} iter/s, {n}s/1 iters\), loss = {n}",
        rf"    Train net output #0: loss = ({n}) \(\* 1 = \1 loss\)",
        "Iteration 0, lr = 0.1",
        rf"Iteration 1 \({n} iter/s, {n}s/1 iters\), loss = {n}",
        "    Train net output #0: loss = .*",
        "Iteration 1, lr = 0.1",
        "Snapshotting to binary proto file p_iter_2.caffemodel",
        "Snapshotting solver state to binary proto file p_iter_2.solverstate",
        f"Iteration 2, loss = {n}",
        r"Iteration 2, Testing net \(#0\)",
        f"Test loss: {n}",
        f"    Test net output #0: accuracy = {n}",
        "    Test net output #1: loss = .*",
        "Optimization Done.",
    ]
    messages = [r.getMessage() for r in caplog.records]
    messages = messages[messages.index("Solving tiny") :]
    assert len(messages) == len(patterns)
    for message, pattern in zip(messages, patterns):
        assert re.fullmatch(pattern, message), (message, pattern)


def test_gradients_of_passes_add_up():
    """iter_size 2 on half the data is one pass on all of it: weights agree to rounding."""
    net = """net_param { layer { name: "in" type: "Input" top: "x" top: "y"
        input_param { shape { dim: N dim: 3 } shape { dim: N dim: 2 } } }
      layer { name: "ip" type: "InnerProduct" bottom: "x" top: "p" inner_product_param {
        num_output: 2 weight_filler { type: "gaussian" } } }
      layer { name: "loss" type: "EuclideanLoss" bottom: "p" bottom: "y" top: "loss" } }
      base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 weight_decay: 0.1 random_seed: 4"""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((4, 3)), rng.standard_normal((4, 2))

    def train(size: int, passes: int) -> np.ndarray:
        source = net.replace("N", str(size)) + f" iter_size: {passes}"
        solver = Solver.create(text.parse(source, SolverParameter))
        staged = solver.net.stage

        def stage() -> None:
            first = solver.net.passes * size % 4
            solver.device.put(x[first : first + size], solver.net.blobs["x"].data)
            solver.device.put(y[first : first + size], solver.net.blobs["y"].data)
            staged()

        solver.net.stage = stage
        solver.step(3)
        return params(solver)["ip/0"]

    np.testing.assert_allclose(train(2, 2), train(4, 1), rtol=1e-5)


def test_stop_request_ends_after_the_iteration_and_snapshots(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    class Stopper(Callback):
        def on_iteration(self, solver):
            if solver.iteration == 3:
                solver.requests.append("stop")

    solver = tiny_solver('max_iter: 100 snapshot_prefix: "p"', callbacks=[Stopper()])
    solver.solve()
    assert solver.iteration == 3 and Path("p_iter_3.solverstate").exists()


def test_stop_request_interrupts_a_test(caplog):
    solver = tiny_solver("test_iter: 5 test_interval: 2")
    solver.requests.append("stop")
    with caplog.at_level("INFO", "minicaffe"):
        assert solver.test() is None
    assert "Test interrupted." in caplog.text


def test_snapshot_request(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    solver = tiny_solver('max_iter: 100 snapshot_prefix: "p"')
    solver.requests.append("snapshot")
    solver.step(1)
    assert Path("p_iter_1.solverstate").exists()


@pytest.mark.parametrize(
    "settings, said",
    [
        ("test_iter: 0 test_interval: 1 test_compute_loss: true", "Test loss: nan"),
        ("test_interval: -1", "Optimization Done."),
        ('regularization_type: "None"', "Optimization Done."),
        ('max_iter: 0 lr_policy: "poly" power: 1', "Optimization Done."),
    ],
)
def test_values_that_caffe_takes(settings, said, caplog):
    with caplog.at_level("INFO", "minicaffe"):
        settings += "" if "max_iter" in settings else " max_iter: 2"
        tiny_solver(settings + " snapshot_after_train: false").solve()
    assert said in caplog.text


def test_a_loss_that_says_that_training_has_diverged_is_told_once(caplog):
    solver = tiny_solver("display: 1 max_iter: 3")
    bias = solver.net.params["ip"][1]
    solver.device.put(np.array([1e9, 0, 0], "f"), bias.data)
    solver.step(3)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1 and said[0].startswith("Iteration 0: loss = 87.3365, the largest there is")
    assert said[0].endswith("lower base_lr (now 0.1)")


def test_smoothed_loss_is_the_mean_of_the_last_ones(caplog):
    with caplog.at_level("INFO", "minicaffe"):
        tiny_solver("display: 1 average_loss: 3").step(6)
    raw, smooth = [], []
    for record in caplog.records:
        if found := re.search(r"iters\), loss = (.*)", record.getMessage()):
            smooth.append(float(found[1]))
        elif found := re.search(r"Train net output #0: loss = (\S+)", record.getMessage()):
            raw.append(float(found[1]))
    wanted = [np.mean(raw[max(0, i - 2) : i + 1]) for i in range(6)]
    np.testing.assert_allclose(smooth, wanted, rtol=1e-4)


def test_states_select_layers_and_one_net_serves_several_tests():
    source = (
        TINY_NET.replace("include { phase: TEST }", 'include { phase: TEST stage: "score" }')
        + 'test_iter: 1 test_iter: 1 test_interval: 1 test_state { } test_state { stage: "score" } '
        + 'base_lr: 1 lr_policy: "fixed"'
    )
    solver = Solver.create(text.parse(source, SolverParameter))
    assert [net.outputs for net in solver.test_nets] == [["loss"], ["accuracy", "loss"]]
    assert all(net.params["ip"][0].data is solver.net.params["ip"][0].data for net in solver.test_nets)


def test_weights_are_loaded_from_lists(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = tiny_solver('snapshot_prefix: "a"')
    first.step(1)
    first.snapshot()
    second = tiny_solver('weights: "a_iter_1.caffemodel , a_iter_1.caffemodel" random_seed: 9')
    for key, value in params(second).items():
        np.testing.assert_array_equal(value, params(first)[key])
    other = text.parse('layer { name: "of another net" }', NetParameter)
    (tmp_path / "b.caffemodel").write_bytes(other.SerializeToString())
    with pytest.raises(WeightsError, match=r"b\.caffemodel: no layer of the net takes weights from it"):
        tiny_solver('weights: "b.caffemodel"')


@pytest.mark.parametrize(
    "source, error, message",
    [
        ('lr_policy: "fixed"', ConfigError, "none of net, net_param, train_net, train_net_param is set"),
        ('net: "a" train_net: "b" lr_policy: "fixed"', ConfigError, r"\['net', 'train_net'\] are all set"),
        (
            'net: "gone.prototxt" lr_policy: "fixed"',
            DataError,
            r"net 'gone\.prototxt' does not exist; hint: looked from",
        ),
        ('type: "Sgd"', UnknownTypeError, "no solver type 'Sgd'; hint: did you mean 'SGD'"),
        ("average_loss: 0", ConfigError, "average_loss must be at least 1"),
        ("iter_size: 0", ConfigError, "iter_size must be at least 1"),
        ('regularization_type: "L3" weight_decay: 1', ConfigError, "must be L1 or L2; got 'L3'"),
        ("snapshot: 5", ConfigError, "snapshot is set but snapshot_prefix is not"),
        (TINY_NET + 'lr_policy: "fixed" test_iter: 1', ConfigError, "test_interval must be above 0"),
        (
            TINY_NET + 'lr_policy: "fixed" test_interval: 1 test_iter: 1 test_state { } test_state { }',
            ConfigError,
            "2 test_state entries for 1 test nets",
        ),
        (
            'train_net: "a" test_net: "b" test_net: "c" test_iter: 1 lr_policy: "fixed"',
            DataError,
            "net 'a' does not exist",
        ),
    ],
)
def test_errors(source, error, message):
    with pytest.raises(error, match=message):
        Solver.create(text.parse(source, SolverParameter))


def test_unwritable_snapshot_folder(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(
        WeightsError, match=r"cannot write snapshots as .*file/p_iter_N: .*; hint: choose another"
    ):
        tiny_solver(f'snapshot: 1 snapshot_prefix: "{blocker}/p"')


@pytest.mark.parametrize("form", ["BINARYPROTO", "HDF5"])
def test_snapshot_diff_stores_the_last_update(form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    solver = tiny_solver(f'snapshot_prefix: "p" snapshot_diff: true snapshot_format: {form} iter_size: 2')
    solver.step(1)
    before = params(solver)
    solver.step(1)
    solver.snapshot()
    after = params(solver)
    if form == "HDF5":
        import h5py

        with h5py.File("p_iter_2.caffemodel.h5") as file:
            stored = {
                f"{layer}/{i}": file["diff"][layer][str(i)][...] for layer in ("conv", "ip") for i in (0, 1)
            }
    else:
        net = binary.read("p_iter_2.caffemodel", NetParameter)
        stored = {
            f"{layer.name}/{i}": binary.to_array(blob, diff=True)
            for layer in net.layer
            for i, blob in enumerate(layer.blobs)
        }
    for key, update in stored.items():
        np.testing.assert_allclose(update, before[key] - after[key], atol=1e-7)
        assert np.abs(update).max() > 1e-4


def test_layers_of_a_test_net_alone_get_their_weights_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    extra = TINY_NET.replace(
        'layer { name: "accuracy"',
        'layer { name: "extra" type: "Bias" bottom: "ip" top: "extra" include { phase: TEST } }\n'
        'layer { name: "accuracy"',
    )
    source = extra + 'base_lr: 1 lr_policy: "fixed" test_iter: 1 test_interval: 1 '
    first = Solver.create(text.parse(source, SolverParameter))
    bias = first.test_nets[0].params["extra"][0]
    first.device.put(np.arange(3.0), bias.data)
    Path("test.caffemodel").write_bytes(first.test_nets[0].to_message().SerializeToString())
    second = Solver.create(text.parse(source + 'weights: "test.caffemodel"', SolverParameter))
    np.testing.assert_array_equal(second.test_nets[0].params["extra"][0].data, np.arange(3.0))
