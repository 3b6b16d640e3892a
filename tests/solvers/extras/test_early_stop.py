"""early_stop ends a run, plateau lowers its rate, when tests get no better; both survive a resume."""

from __future__ import annotations

import pytest

from minicaffe.errors import ConfigError

from ...support.solving import tiny_solver

SETTINGS = 'snapshot_prefix: "p" test_iter: 1 test_interval: 1 '
SCORES = [0.1, 0.5, 0.4, 0.6, 0.5, 0.6, 0.6, 0.1, 0.1, 0.1]
STOP = 'early_stop { output: "accuracy" patience: 2 }'
PLATEAU = 'lr_policy: "plateau" gamma: 0.5 base_lr: 0.1 plateau { output: "accuracy" patience: 2 }'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def make(settings: str, scores=SCORES):
    settings += "" if "max_iter" in settings else " max_iter: 9"
    solver = tiny_solver(SETTINGS + settings)
    solver.test = lambda index: {"accuracy": [scores[solver.iteration]], "loss": [0.0]}
    return solver


def test_stops_after_as_many_tests_as_patience_says(caplog):
    solver = make(STOP)
    with caplog.at_level("INFO", "minicaffe"):
        solver.solve()
    assert solver.iteration == 5 and solver.stopped
    assert "Early stop: for 2 tests accuracy is not better than 0.6, of iteration 3" in caplog.text
    assert "Optimization stopped early." in caplog.text


def test_min_delta():
    solver = make('early_stop { output: "accuracy" patience: 2 min_delta: 0.2 }')
    solver.solve()
    assert solver.iteration == 3  # 0.6 is not 0.2 above 0.5


def test_a_goal_may_be_given():
    solver = make('early_stop { output: "accuracy" patience: 2 goal: MIN }')
    solver.solve()
    assert solver.iteration == 2


def test_nan_is_never_better(caplog):
    solver = make(STOP, [float("nan")] * 10)
    with caplog.at_level("INFO", "minicaffe"):
        solver.solve()
    assert solver.iteration == 1
    assert "Early stop: for 2 tests accuracy has no value for 2 tests" in caplog.text


def test_counts_go_on_after_a_resume():
    first = make(STOP + " max_iter: 4")
    first.solve()
    second = make(STOP)
    second.solve("p_iter_4.solverstate")
    assert second.iteration == 5


def test_a_run_resumed_behind_the_deciding_test_ends_there():
    whole = make(STOP)
    whole.solve()
    again = make(STOP)
    again.solve("p_iter_5.solverstate")
    assert again.iteration == whole.iteration == 5 and again.stopped


def test_the_rate_falls_and_counting_begins_anew(caplog):
    solver, rates = make(PLATEAU, [0.1, 0.5, *[0.4] * 8]), []
    apply = solver.apply_update
    solver.apply_update = lambda **how: (apply(**how), rates.append(solver.rate))
    with caplog.at_level("INFO", "minicaffe"):
        solver.solve()
    assert rates == pytest.approx([0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125])
    assert "Plateau: for 2 tests accuracy is not better than 0.5, of iteration 1; lr = 0.05" in caplog.text


def test_the_rate_is_the_same_after_a_resume():
    make(PLATEAU + " max_iter: 4", [0.1, 0.5, *[0.4] * 8]).solve()
    second = make(PLATEAU, [0.1, 0.5, *[0.4] * 8])
    second.restore("p_iter_4.solverstate")
    assert second.policy.rate(4) == pytest.approx(0.05)
    second.step(2)
    assert second.policy.rate(6) == pytest.approx(0.025)


@pytest.mark.parametrize(
    "settings, message",
    [
        (STOP.replace("patience: 2", "patience: 0"), "early_stop.patience must be at least 1; got 0"),
        ('plateau { output: "loss" }', 'plateau is set, but lr_policy is not "plateau"'),
        ('lr_policy: "plateau" gamma: 0.1', 'lr_policy "plateau" needs plateau; hint: plateau { output:'),
    ],
)
def test_errors(settings, message):
    with pytest.raises(ConfigError) as error:
        tiny_solver(SETTINGS + settings)
    assert message in str(error.value)
