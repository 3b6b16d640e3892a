"""Settings that change while a solver trains: all count, or are refused."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.errors import MiniCaffeError
from minicaffe.proto import text
from minicaffe.proto.schema import SolverParameter
from minicaffe.solvers.callbacks import Callback

from ..support.solving import params, tiny_solver

TEST = "test_iter: 1 test_interval: 50"
PLATEAU = f'{TEST} lr_policy: "plateau" gamma: 0.5 plateau {{ output: "loss" patience: 2 }}'


def set_in(param: SolverParameter, settings: str) -> None:
    for field, value in text.parse(settings, SolverParameter).ListFields():
        if field.is_repeated:
            del getattr(param, field.name)[:]
            getattr(param, field.name).extend(value)
        elif field.message_type:
            getattr(param, field.name).CopyFrom(value)
        else:
            setattr(param, field.name, value)


def outcome(solver) -> list[np.ndarray]:
    losses = np.array([*solver.losses, solver.shown.loss if solver.shown else 0])
    return [losses, np.array(solver.rate), *params(solver).values(), *map(np.array, solver.history)]


@pytest.mark.parametrize(
    "settings",
    [
        "base_lr: 0.02 momentum: 0.5 weight_decay: 0.1",
        "clip_gradients: 0.01",
        'regularization_type: "L1" weight_decay: 0.1',
        'lr_policy: "multistep" gamma: 0.5 stepvalue: [1, 2]',
        'lr_policy: "step" gamma: 0.5 stepsize: 1 warm_up { iterations: 2 }',
        "average_loss: 2 display: 1",
        "iter_size: 2",
        "snapshot_diff: true",
    ],
)
@pytest.mark.parametrize("when", ["between steps", "on_begin"])
def test_what_is_set_later_counts(settings, when):
    """As in a solver that was made with it."""

    class Setting(Callback):
        def on_begin(self, solver) -> None:
            set_in(solver.param, settings)

    wanted = tiny_solver(settings)
    found = tiny_solver(callbacks=[Setting()] if when == "on_begin" else [])
    if when == "between steps":
        set_in(found.param, settings)
    for solver in (wanted, found):
        solver.step(3)
    for one, other in zip(outcome(found), outcome(wanted), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_run_that_is_under_way_follows(caplog):
    """The policy's step and the rate that was set by hand stay; max_iter ends solve where it says now."""

    class Shorten(Callback):
        def on_iteration(self, solver) -> None:
            solver.param.max_iter = 5

    solver = tiny_solver('lr_policy: "multistep" gamma: 0.5 stepvalue: 1 snapshot_after_train: false')
    solver.step(2)
    solver.policy.set_rate(2, 0.5)
    solver.param.stepvalue.append(3)
    solver.step(1)
    assert solver.rate == 0.5
    solver.callbacks.append(Shorten())
    solver.solve()
    assert solver.iteration == 5 and solver.rate == 0.25
    assert [solver.param.clip_gradients, caplog.text.count("clipping")] == [-1, 0]
    solver.param.clip_gradients = 1e-3
    with caplog.at_level("INFO", "minicaffe"):
        solver.step(1)
    assert "scaling down gradients" in caplog.text


@pytest.mark.parametrize(
    "made, settings, message",
    [
        (
            "",
            "random_seed: 4",
            "random_seed cannot be changed once a solver is made from it; hint: make another",
        ),
        ("", 'type: "Adam"', "type cannot be changed"),
        ("", "net_param { }", "net_param cannot be changed"),
        ("", "train_state { stage: 'x' }", "train_state cannot be changed"),
        ("", "ema { decay: 0.9 }", "ema cannot be changed"),
        (TEST, 'early_stop { output: "loss" }', "early_stop cannot be changed"),
        (PLATEAU, 'lr_policy: "fixed"', "lr_policy cannot be changed"),
        ('keep_last: 2 snapshot_prefix: "p"', 'snapshot_prefix: "q"', "snapshot_prefix cannot be changed"),
        (TEST, "test_iter: [1, 2]", "test_iter has 2 entries for 1 test nets"),
        (TEST, "test_iter: -1", "test_iter must not be below 0"),
        ("", "iter_size: 0", "iter_size must be at least 1"),
        ("", 'lr_policy: "stp"', "no learning-rate policy 'stp'"),
        ("", "snapshot: 2", "snapshot is set but snapshot_prefix is not"),
    ],
)
def test_what_cannot_count_is_refused_until_it_is_taken_back(made, settings, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    solver = tiny_solver(made)
    before = SolverParameter()
    before.CopyFrom(solver.param)
    set_in(solver.param, settings)
    for run in (lambda: solver.step(1), solver.solve, solver.apply_update):
        with pytest.raises(MiniCaffeError, match=message):
            run()
    assert solver.iteration == 0
    solver.param.CopyFrom(before)
    solver.step(1)
    assert solver.iteration == 1


def test_a_stop_holds_for_one_call():
    """An early stop under pycaffe: later steps train and test as before."""
    solver = tiny_solver("test_iter: 1 test_interval: 2")
    solver.requests.append("stop")
    solver.step(5)
    assert solver.iteration == 0 and solver.stopped
    solver.step(5)
    assert solver.iteration == 5 and not solver.stopped and solver.tested == 4
