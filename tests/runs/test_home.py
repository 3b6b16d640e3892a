"""A run's folder: what is in it, who holds it, commands, and what the list says of it."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from minicaffe.errors import ConfigError, DataError
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter, SolverParameter
from minicaffe.runs import control, listing
from minicaffe.runs.control import Control, Events, send
from minicaffe.runs.home import Home
from minicaffe.runs.jsonlines import Writer, read
from minicaffe.runs.metrics import Metrics
from minicaffe.solvers.callbacks import Callback
from minicaffe.solvers.solver import Solver

from ..support.solving import TINY_NET, tiny_solver

SETTINGS = 'base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 max_iter: 6 snapshot: 2 random_seed: 1'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def begun(settings: str = SETTINGS, name: str = "home", callbacks=()) -> tuple[Home, Solver, Events]:
    """A run in its folder, ready to train."""
    home = Home(name)
    param = text.parse(TINY_NET + settings, SolverParameter)
    home.hold()
    param = home.found(param, "some/solver.prototxt")
    return home, *with_callbacks(home, param, callbacks)


def with_callbacks(home: Home, param, callbacks=()) -> tuple[Solver, Events]:
    events = Events(home)
    more = [events, Control(home, events), Metrics(home.metrics)]
    solver = Solver.create(param, source=str(home.solver), callbacks=[*callbacks, *more])
    if not home.exists:
        home.write_job(["minicaffe", "train"], "some/solver.prototxt", solver)
    return solver, events


def test_the_folder_stands_for_itself():
    home, solver, _ = begun(
        SETTINGS + ' weights: "a" test_iter: 1 test_interval: 3'.replace('weights: "a"', "")
    )
    solver.solve()
    home.release()
    assert text.read(home.folder / "net.prototxt", NetParameter).name == "tiny"
    assert sorted(path.name for path in home.snapshots.glob("*.solverstate")) == [
        f"solver_iter_{n}.solverstate" for n in (2, 4, 6)
    ]
    again = Solver.create(home.read_solver(), source=str(home.solver))
    again.restore(home.newest_snapshot())
    np.testing.assert_array_equal(again.net.parameters.data, solver.net.parameters.data)
    job = home.read_job()
    assert job["seed"] == 1 and job["type"] == "SGD" and job["max_iter"] == 6 and "numpy" in job["versions"]
    os.rename("home", "moved")
    again = Solver.create(Home("moved").read_solver())
    again.restore(Home("moved").newest_snapshot())
    assert again.iteration == 6


def test_nets_of_their_own_for_tests_move_too():
    Path("a").mkdir()
    net = text.parse(TINY_NET, SolverParameter).net_param
    Path("a/test.prototxt").write_text(text.spell(net))
    settings = SETTINGS + ' test_net: "test.prototxt" test_iter: 1 test_iter: 2 test_interval: 2'
    param = text.parse(TINY_NET + settings, SolverParameter)
    home = Home("home")
    home.found(param, "a/solver.prototxt")
    Path("a/test.prototxt").unlink()
    solver = Solver.create(home.read_solver(), source=str(home.solver))
    assert len(solver.test_nets) == 2
    assert {"net.prototxt", "test_net_0.prototxt"} <= set(os.listdir("home"))


def test_a_folder_takes_one_run():
    home, _, _ = begun()
    home.release()
    with pytest.raises(ConfigError, match=r"home holds a run; hint: --resume auto goes on with it"):
        home.found(text.parse(TINY_NET + SETTINGS, SolverParameter), "x")
    with pytest.raises(DataError, match="empty holds no run"):
        Home("empty").read_solver()


def test_one_process_at_a_time():
    home, _, _ = begun()
    assert Home("home").running
    with pytest.raises(
        ConfigError, match=rf"home: process {os.getpid()} runs here; hint: minicaffe run home stop"
    ):
        Home("home").hold()
    home.release()
    assert not Home("home").running
    other = Home("home")
    other.hold()  # the file that was left behind locks nothing
    other.release()


class At(Callback):
    """Does something after an iteration."""

    def __init__(self, iteration: int, action) -> None:
        self.iteration, self.action = iteration, action

    def on_iteration(self, solver):
        if solver.iteration == self.iteration:
            self.action()


def command(word: str, value=None, id: str = "x"):
    entry = {"id": id, "command": word}
    return lambda: Writer("home/control.jsonl").append(entry if value is None else {**entry, "value": value})


def acknowledged(home: Home) -> list[tuple]:
    return [(e["command"], e["iteration"], e["ok"]) for e in read(home.events) if e["event"] == "control"]


def test_stop_and_snapshot():
    first, second = At(3, command("snapshot")), At(5, command("stop", id="y"))
    home, solver, _ = begun(callbacks=[first, second])
    solver.solve()
    home.release()
    assert solver.iteration == 5 and solver.stopped
    assert (home.snapshots / "solver_iter_3.solverstate").exists()
    assert acknowledged(home) == [("snapshot", 3, True), ("stop", 5, True)]


def test_a_rate_that_was_set_is_set_again_by_a_resume():
    """The run with the command, and the run resumed from before it, are the same."""
    home, whole, _ = begun(callbacks=[At(3, command("set_lr", 0.02))])
    whole.solve()
    assert whole.rate == pytest.approx(0.02)
    for state, repeated in (("solver_iter_2", [("set_lr", 3, True)]), ("solver_iter_4", [])):
        before = len(acknowledged(home))
        second, _ = with_callbacks(home, home.read_solver())
        second.solve(home.snapshots / f"{state}.solverstate")
        np.testing.assert_array_equal(second.net.parameters.data, whole.net.parameters.data)
        assert acknowledged(home)[before:] == repeated
    home.release()


def test_pause_holds_the_solver_until_resume():
    home, solver, _ = begun(callbacks=[At(2, command("pause"))])
    thread = threading.Thread(target=solver.solve)
    thread.start()
    deadline = time.monotonic() + 20
    while not acknowledged(home) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    assert solver.iteration == 2 and listing.describe(home).state == "paused"
    assert send(home, "resume")["iteration"] == 2
    thread.join(20)
    assert solver.iteration == 6
    home.release()


def test_mistaken_commands_are_refused_and_change_nothing():
    said = [
        command("explode"),
        command("set_lr", "fast", "y"),
        command("set_lr", -1, "z"),
        command(None, id="w"),
    ]
    home, solver, _ = begun(callbacks=[At(1, action) for action in said])
    solver.solve()
    home.release()
    answers = [entry for entry in read(home.events) if entry["event"] == "control"]
    assert [entry["ok"] for entry in answers] == [False] * 4
    assert "no command 'explode'; hint: known:" in answers[0]["error"]
    assert "must be a number above 0; got 'fast'" in answers[1]["error"]
    assert solver.iteration == 6 and solver.rate == pytest.approx(0.1)


def test_commands_from_before_the_start_are_not_carried_out():
    Path("home").mkdir()
    command("stop")()
    home, solver, _ = begun()
    solver.solve()
    home.release()
    assert solver.iteration == 6 and not acknowledged(home)


def test_nothing_to_command():
    home, _, _ = begun()
    home.release()
    with pytest.raises(
        ConfigError, match="home: nothing runs here; hint: minicaffe train --run home --resume"
    ):
        send(home, "pause")


def test_no_answer_in_time():
    home, _, _ = begun()
    assert send(home, "pause", timeout_s=0.1) is None
    home.release()


def test_looking_for_commands_costs_microseconds():
    home, solver, events = begun()
    callback = Control(home, events)
    begun_s = time.perf_counter()
    for _ in range(1000):
        callback.on_iteration(solver)
    assert (time.perf_counter() - begun_s) / 1000 < 200e-6  # 5 measured; this only catches a file being read
    home.release()


def test_the_list_knows_what_became_of_runs():
    home, solver, events = begun(SETTINGS + " display: 1 test_iter: 1 test_interval: 2", "finished")
    solver.solve()
    events.record("end", solver.iteration, state="finished")
    home.release()
    home, solver, _ = begun(name="died")
    for callback in solver.callbacks:
        callback.on_start(solver)
    solver.step(3)
    home.release()
    alive = begun(name="running")[0]
    found = {Path(run.folder).name: run for run in listing.runs(Path())}
    assert {name: run.state for name, run in found.items()} == {
        "finished": "finished",
        "died": "died",
        "running": "running",
    }
    assert (found["finished"].iteration, found["died"].iteration, found["running"].iteration) == (6, 2, 0)
    assert found["finished"].best[0] == "accuracy" and found["died"].best is None
    alive.release()
    with pytest.raises(DataError, match="there is no folder nowhere"):
        list(listing.runs(Path("nowhere")))


def test_a_damaged_job(tmp_path):
    home, _, _ = begun()
    home.release()
    home.job.write_text(json.dumps({"format": 99}))
    with pytest.raises(DataError, match="not the record of a run that this version reads"):
        home.read_job()


def test_rates_of_events_are_read_once_each(tmp_path):
    path = tmp_path / "events"
    for entry in [
        {"event": "control", "id": 1, "command": "set_lr", "value": 2, "iteration": 9, "ok": True},
        {"event": "control", "id": 2, "command": "set_lr", "value": 3, "iteration": 4, "ok": True},
        {"event": "control", "id": 3, "command": "set_lr", "value": 3, "iteration": 5, "ok": False},
        {"event": "control", "id": 1, "command": "set_lr", "value": 2, "iteration": 9, "ok": True},
    ]:
        Writer(path).append(entry)
    assert [entry["id"] for entry in control._recorded_rates(path)] == [2, 1]


def test_a_run_without_snapshot_prefix_is_named_after_its_solver():
    home, solver, _ = begun()
    assert solver.param.snapshot_prefix == os.path.join("home", "snapshots/solver")
    assert tiny_solver().param.snapshot_prefix == ""
    home.release()
