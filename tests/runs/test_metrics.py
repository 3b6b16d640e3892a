"""Metrics: what is displayed and tested, row by row; merged when it comes too fast."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from minicaffe.runs import curve_files
from minicaffe.runs.jsonlines import Reader, Writer, finite, read
from minicaffe.runs.metrics import Merged, Metrics
from minicaffe.solvers.callbacks import Callback

from ..support.solving import tiny_solver


def test_a_row_for_every_display_and_test(tmp_path):
    path = tmp_path / "metrics.jsonl"
    ticks = iter(range(1000))
    metrics = Metrics(path, clock=lambda: float(next(ticks)))
    settings = "max_iter: 5 display: 2 test_iter: 1 test_interval: 4 snapshot_after_train: false"
    solver = tiny_solver(settings, callbacks=[metrics])
    solver.solve()
    start, *rows = read(path)
    assert start == {"phase": "start", "iteration": 0, "seconds": 0.0, "count": 0}
    assert [(row["phase"], row["iteration"]) for row in rows] == [
        ("test", 0),
        ("train", 0),
        ("train", 2),
        ("test", 4),
        ("train", 4),
    ]
    assert set(rows[1]) == {"phase", "iteration", "seconds", "lr", "count", "loss", "outputs"}
    assert rows[1]["outputs"] == {"loss": rows[1]["loss"]} and rows[1]["lr"] == pytest.approx(0.1)
    assert rows[0]["net"] == 0 and set(rows[0]["outputs"]) == {"accuracy", "loss"}
    assert rows[4]["loss"] == pytest.approx(solver.shown.loss)


def test_the_loss_after_the_last_update_is_there(tmp_path):
    path = tmp_path / "metrics.jsonl"
    settings = "max_iter: 4 display: 2 snapshot_after_train: false"
    tiny_solver(settings, callbacks=[Metrics(path)]).solve()
    assert read(path)[-1]["iteration"] == 4


def test_rows_that_come_too_fast_are_merged():
    now, rows = [0.0], []
    merged = Merged(rows.append, lambda: now[0])
    merged.add({"iteration": 0}, {"loss": np.array([1.0])})
    for i in range(1, 4):
        now[0] += 0.01
        merged.add({"iteration": i}, {"loss": np.array([float(i)]), "outputs.a": np.array([i, -i])})
    now[0] = 0.06
    merged.add({"iteration": 4}, {"loss": np.array([6.0]), "outputs.a": np.array([0, 0])})
    assert rows[0] == {"iteration": 0, "count": 1, "loss": 1.0}
    assert rows[1] == {
        "iteration": 4,
        "count": 4,
        "loss": 3.0,
        "outputs": {"a": [1.5, -1.5]},
        "min": {"loss": 1.0, "outputs": {"a": [0.0, -3.0]}},
        "max": {"loss": 6.0, "outputs": {"a": [3.0, 0.0]}},
    }


def test_at_most_twenty_rows_a_second(tmp_path):
    now = [0.0]
    path = tmp_path / "metrics.jsonl"
    metrics = Metrics(path, clock=lambda: now[0])
    solver = tiny_solver("max_iter: 200 display: 1 snapshot_after_train: false", callbacks=[metrics])
    apply = solver.apply_update

    def slowly(**how):
        apply(**how)
        now[0] += 0.01

    solver.apply_update = slowly
    solver.solve()
    rows = read(path)
    assert 35 <= len(rows) <= 2.0 * 20 + 2
    assert sum(row["count"] for row in rows) == 201


def test_nan_is_null(tmp_path):
    path = tmp_path / "x"
    Writer(path).append({"a": [math.nan, 1.0], "b": {"c": math.inf}})
    assert json.loads(path.read_text()) == {"a": [None, 1.0], "b": {"c": None}}
    assert finite((1, math.nan)) == [1, None]


def test_a_reader_sees_whole_lines_once(tmp_path):
    path = tmp_path / "x"
    reader = Reader(path)
    assert list(reader.new()) == []
    path.write_text('{"a": 1}\n{"a"')
    assert list(reader.new()) == [{"a": 1}]
    with path.open("a") as file:
        file.write(': 2}\nnot json\n[3]\n{"a": 4}\n')
    assert list(reader.new()) == [{"a": 2}, {"a": 4}]
    assert list(reader.new()) == []


def test_a_torn_line_does_not_spoil_the_next(tmp_path):
    path = tmp_path / "x"
    path.write_text('{"a": 1}\n{"torn')
    Writer(path).append({"a": 2})
    assert read(path) == [{"a": 1}, {"a": 2}]


def test_a_full_disk_is_said_once_and_survived(tmp_path, caplog):
    writer = Writer(tmp_path / "gone" / "x")
    for i in range(3):
        writer.append({"a": i})
    assert len(caplog.records) == 1 and "cannot write" in caplog.text and "training goes on" in caplog.text


class Interrupted(Callback):
    """Asks for a snapshot at an iteration, before or behind its test, and is killed some iterations later."""

    may_lag = True

    def __init__(self, at: int, behind_test: bool) -> None:
        self.at, self.behind_test = at, behind_test

    def on_test(self, solver, results) -> None:
        if self.behind_test and solver.iteration == self.at:
            solver.requests.append("snapshot")

    def on_iteration(self, solver) -> None:
        if not self.behind_test and solver.iteration == self.at:
            solver.requests.append("snapshot")
        if solver.iteration == self.at + 3:
            raise KeyboardInterrupt


@pytest.mark.parametrize("at, behind_test", [(4, False), (4, True), (5, False), (6, False)])
def test_the_curves_of_a_resumed_run_are_those_of_one_that_was_not(tmp_path, monkeypatch, at, behind_test):
    """A run that was killed three iterations after its snapshot, which may be of before the test of its
    iteration or of behind it."""
    monkeypatch.chdir(tmp_path)
    settings = "max_iter: 10 display: 1 test_iter: 1 test_interval: 4 snapshot_after_train: false"
    settings += " snapshot_prefix: 's' random_seed: 1"
    clock = iter(range(10**6)).__next__

    def solver(name: str, *more: Callback):
        return tiny_solver(
            settings, callbacks=[Metrics(tmp_path / name, clock=lambda: float(clock())), *more]
        )

    solver("whole").solve()
    with pytest.raises(KeyboardInterrupt):
        solver("resumed", Interrupted(at, behind_test)).solve()
    solver("resumed").solve(f"s_iter_{at}.solverstate")
    whole, resumed = (curve_files.read(tmp_path / name) for name in ("whole", "resumed"))
    for rows, others in ((whole.train, resumed.train), (whole.tests[0], resumed.tests[0])):
        assert [row.iteration for row in rows] == [row.iteration for row in others]
        assert [row.outputs for row in rows] == [row.outputs for row in others]
