"""A solver that cannot work fails before the first iteration, with field, file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from minicaffe.cli.main import main
from minicaffe.errors import MiniCaffeError
from minicaffe.solvers.solver import Solver

from ..support.solving import TINY_NET, tiny_solver

NET = TINY_NET.removeprefix("\nnet_param {").rpartition("}")[0]
GOOD = {
    "net": '"net.prototxt"',
    "base_lr": "0.1",
    "lr_policy": '"fixed"',
    "momentum": "0.9",
    "max_iter": "4",
    "test_iter": "1",
    "test_interval": "2",
    "snapshot": "2",
    "snapshot_prefix": '"p"',
}

# what is set or taken away (None); the field whose line is named; the message
MISTAKES = [
    ({"type": '"Adamm"'}, "type", "no solver type 'Adamm'; hint: did you mean 'Adam'"),
    ({"type": '"ADAM"', "solver_type": "ADAM"}, "solver_type", "both solver_type and type are set"),
    ({"lr_policy": '"stepp"'}, "lr_policy", "no learning-rate policy 'stepp'; hint: did you mean 'step'"),
    ({"lr_policy": None}, None, "lr_policy is not set"),
    ({"lr_policy": '"step"', "gamma": "0.1"}, None, "lr_policy 'step' needs stepsize above 0"),
    ({"lr_policy": '"exp"', "gamma": "-1"}, "gamma", "needs gamma of at least 0; got -1"),
    ({"type": '"AdaGrad"'}, "momentum", "AdaGrad has no momentum; got momentum: 0.9"),
    ({"type": '"RMSProp"'}, "momentum", "RMSProp has no momentum; got momentum: 0.9"),
    (
        {"type": '"RMSProp"', "momentum": None, "rms_decay": "1"},
        "rms_decay",
        "rms_decay must be from 0 to below",
    ),
    ({"type": '"Adam"', "momentum2": "1"}, "momentum2", "momentum2 must be from 0 to below 1; got 1"),
    ({"test_interval": None}, "test_iter", "test_interval must be above 0 when there is a test net; got 0"),
    (
        {"test_interval": "-5"},
        "test_interval",
        "test_interval must be above 0 when there is a test net; got -5",
    ),
    ({"test_iter": None, "test_net": '"net.prototxt"'}, "test_net", "0 test_iter entries for 1 test nets"),
    ({"test_iter": "-1"}, "test_iter", "test_iter must not be below 0; got -1"),
    ({"test_iter": "0", "keep_best": '{ output: "loss" }'}, "test_iter", "test net #0, whose test_iter is 0"),
    ({"test_state": "{ } test_state { }"}, "test_state", "2 test_state entries for 1 test nets"),
    ({"snapshot_prefix": '"gone/p"'}, "snapshot_prefix", "there is no folder gone; hint: mkdir -p gone"),
    ({"net": '"gone.prototxt"'}, "net", "net 'gone.prototxt' does not exist"),
    ({"net": None}, None, "none of net, net_param, train_net, train_net_param is set"),
    ({"train_net": '"net.prototxt"'}, "train_net", "['net', 'train_net'] are all set"),
    ({"average_loss": "0"}, "average_loss", "average_loss must be at least 1; got 0"),
    ({"iter_size": "-1"}, "iter_size", "iter_size must be at least 1; got -1"),
    ({"max_iter": "-1"}, "max_iter", "max_iter must not be below 0; got -1"),
    (
        {"regularization_type": '"L3"', "weight_decay": "1"},
        "regularization_type",
        "must be L1 or L2; got 'L3'",
    ),
    ({"keep_best": '{ output: "accurcy" }'}, "keep_best", "has no output 'accurcy'; hint: did you mean"),
    ({"early_stop": "{ }"}, "early_stop", "early_stop needs an output"),
    ({"ema": "{ decay: 2 }"}, "ema", "ema.decay must be from 0 to below 1; got 2"),
    ({"base_lr": "inf"}, "base_lr", "base_lr must be finite; got inf"),
    ({"clip_gradients": "nan"}, "clip_gradients", "clip_gradients must be finite; got nan"),
    ({"weights": '"gone.caffemodel"'}, "weights", "gone.caffemodel"),
    ({"warm_up": "{ }"}, "warm_up", "warm_up needs iterations above 0"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(NET)


def write(changes: dict[str, str | None]) -> dict[str, int]:
    """Write the solver, a field a line; returns the line of each field."""
    fields = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    lines = ["# a comment", *(f"{name}{':' * (value[0] != '{')} {value}" for name, value in fields.items())]
    Path("solver.prototxt").write_text("\n".join(lines))
    return {name: i + 2 for i, name in enumerate(fields)}


def test_the_good_one_trains():
    write({})
    Solver.create("solver.prototxt").solve()
    assert Path("p_iter_4.solverstate").exists()


@pytest.mark.parametrize("changes, field, message", MISTAKES)
def test_mistakes(changes, field, message):
    lines = write(changes)
    with pytest.raises(MiniCaffeError) as error:
        Solver.create("solver.prototxt")
    place = f"solver.prototxt:{lines[field]}: " if field else "solver.prototxt: "
    assert str(error.value).startswith(place), str(error.value)
    assert message in str(error.value)
    assert sorted(path.name for path in Path().iterdir()) == ["net.prototxt", "solver.prototxt"]


def test_the_command_says_it_in_one_line(capsys):
    write({"type": '"AdaGrad"'})
    assert main(["train", "solver.prototxt"]) == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    place = "minicaffe train: error: solver.prototxt:5: "
    assert last == place + "AdaGrad has no momentum; got momentum: 0.9; hint: remove it"


def test_a_final_snapshot_without_a_folder_fails_at_the_start():
    lines = write({"snapshot": None, "snapshot_prefix": '"gone/p"'})
    solver = Solver.create("solver.prototxt")
    with pytest.raises(MiniCaffeError, match="there is no folder gone") as error:
        solver.solve()
    assert solver.iteration == 0
    assert str(error.value).startswith(f"solver.prototxt:{lines['snapshot_prefix']}: ")


def test_states_that_belong_to_another_net_or_solver():
    tiny = tiny_solver('snapshot_prefix: "tiny"')
    tiny.step(1)
    state = tiny.snapshot()
    Path("net.prototxt").write_text(NET.replace("num_output: 3", "num_output: 4", 1))
    write({})
    with pytest.raises(MiniCaffeError, match=r"history 0 has shape \(3, 2, 3, 3\); the parameter has"):
        Solver.create("solver.prototxt").solve(state)
    Path("net.prototxt").write_text(NET)
    write({"type": '"Adam"'})
    with pytest.raises(MiniCaffeError, match="the state of a solver of type SGD; this one is of type Adam"):
        Solver.create("solver.prototxt").solve(state)
    Path("tiny_iter_1.runstate").unlink()  # as Caffe leaves it: only the number of arrays can tell
    with pytest.raises(MiniCaffeError, match="4 history arrays; this solver keeps 8"):
        Solver.create("solver.prototxt").solve(state)
