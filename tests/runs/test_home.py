"""A run's folder: what is in it, who holds it, commands, and what the list says of it."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
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
    held_s = time.monotonic() - next(c for c in solver.callbacks if isinstance(c, Control)).clock()
    assert held_s > 0.2
    home.release()


class Interrupted(deque):
    """Requests to which a signal handler adds a stop as soon as somebody has seen that there are any."""

    came = False

    def __bool__(self):
        found = len(self) > 0
        if found and not self.came:
            self.came = True
            self.append("stop")
        return found


def test_a_signal_in_a_pause_is_not_lost_behind_a_snapshot():
    home, solver, _ = begun(callbacks=[At(2, command("pause"))])
    solver.requests = Interrupted()
    thread = threading.Thread(target=solver.solve, daemon=True)
    thread.start()
    while not acknowledged(home):
        time.sleep(0.01)
    solver.requests.append("snapshot")
    thread.join(20)
    home.release()
    assert solver.stopped and solver.iteration == 2


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


def test_looking_for_commands_opens_nothing(monkeypatch):
    """Between iterations one system call says that nothing is new: 3 microseconds."""
    home, solver, events = begun()
    callback = Control(home, events)
    command("snapshot")()
    callback.on_iteration(solver)
    assert list(solver.requests) == ["snapshot"]
    monkeypatch.setattr("builtins.open", lambda *_: pytest.fail("a file is opened"))
    callback.on_iteration(solver)
    monkeypatch.undo()
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
    with pytest.raises(DataError, match="cannot look into nowhere: No such file"):
        list(listing.runs(Path("nowhere")))


def test_a_damaged_job(tmp_path):
    home, _, _ = begun()
    home.release()
    for damage in ({"format": 99}, {**home.read_job(), "folder": "a\0b"}):
        home.job.write_text(json.dumps(damage))
        with pytest.raises(DataError, match="not the record of a run that this version reads"):
            home.read_job()


def rate(iteration, id="x", **more) -> dict:
    return {
        "event": "control",
        "command": "set_lr",
        "value": 1,
        "iteration": iteration,
        "ok": True,
        "id": id,
        **more,
    }


def test_which_rates_a_resume_sets_again():
    """In the order of events; one that was set live replaces those ahead of it."""
    ids = [
        entry["id"]
        for entry in control._recorded_rates([rate(4, "a"), rate(9, "b"), rate(9, "b", repeated=True)])
    ]
    assert ids == ["a", "b"]
    undone = [rate(4, "a"), rate(9, "b"), rate(6, "c"), rate(6, "d"), rate(7, "e", ok=False)]
    assert [entry["id"] for entry in control._recorded_rates(undone)] == ["a", "c", "d"]
    damaged = [{"event": "control", "command": "set_lr", "ok": True}, rate(None), rate("1"), {"event": []}]
    assert control._recorded_rates(damaged) == []


def test_a_wrong_rate_can_be_undone():
    """Set at 4; resumed from 2 another is set at 3, and the first does not come back."""
    home, solver, _ = begun(callbacks=[At(4, command("set_lr", 5.0, "wrong"))])
    solver.solve()
    second, _ = with_callbacks(home, home.read_solver(), [At(3, command("set_lr", 0.01, "right"))])
    second.solve(home.snapshots / "solver_iter_2.solverstate")
    assert second.rate == pytest.approx(0.01)
    third, _ = with_callbacks(home, home.read_solver())
    third.solve(home.snapshots / "solver_iter_2.solverstate")
    np.testing.assert_array_equal(third.net.parameters.data, second.net.parameters.data)
    home.release()


def test_a_rate_set_behind_a_snapshot_of_its_iteration():
    """Both at 3, while paused: the snapshot first, then the rate."""
    actions = [
        command("pause", id="p"),
        command("snapshot", id="s"),
        command("set_lr", 0.02, "r"),
        command("resume"),
    ]

    class Paused(Callback):
        def on_iteration(self, solver):
            if solver.iteration == 3:
                actions[0]()
                actions[1]()

        def on_snapshot(self, solver, path):
            if solver.iteration == 3:
                actions[2]()
                actions[3]()

    home, whole, _ = begun(callbacks=[Paused()])
    whole.solve()
    assert acknowledged(home)[1:3] == [("snapshot", 3, True), ("set_lr", 3, True)]
    second, _ = with_callbacks(home, home.read_solver())
    second.solve(home.snapshots / "solver_iter_3.solverstate")
    np.testing.assert_array_equal(second.net.parameters.data, whole.net.parameters.data)
    third, _ = with_callbacks(home, home.read_solver())
    third.solve(home.snapshots / "solver_iter_4.solverstate")
    np.testing.assert_array_equal(third.net.parameters.data, whole.net.parameters.data)
    home.release()


@pytest.mark.parametrize(
    "line",
    [
        '{"id": "1", "command": "set_lr", "value": "0.001"}',
        '{"id": "1", "command": "set_lr", "value": true}',
        '{"id": "1", "command": "set_lr", "value": 1' + 400 * "0" + "}",
        '{"id": {}, "command": ["set_lr"]}',
        "[" * 100_000,
        "\x00\xff",
    ],
)
def test_garbage_ends_nothing(line):
    home, solver, _ = begun(callbacks=[At(2, lambda: Path("home/control.jsonl").write_text(line + "\n"))])
    solver.solve()
    assert solver.iteration == 6 and solver.rate == pytest.approx(0.1)
    assert not any(entry["ok"] for entry in read(home.events) if entry["event"] == "control")
    home.release()


def test_a_control_file_that_was_replaced_is_read_from_its_start():
    Path("home").mkdir()
    Path("home/control.jsonl").write_text("x" * 5000 + "\n")
    stop = '{"id": "1", "command": "stop"}\n'
    home, solver, _ = begun(callbacks=[At(2, lambda: Path("home/control.jsonl").write_text(stop))])
    solver.solve()
    assert solver.iteration == 2
    home.release()


def test_damaged_runs_hide_no_others(caplog):
    for name, job in (("a", "garbage"), ("b", '{"format": 1}'), ("c", "[" * 100_000)):
        Path(name).mkdir()
        Path(name, "job.json").write_text(job)
    home, solver, _ = begun()
    solver.solve()
    with open(home.events, "a") as file:
        file.write('{"event": "end"}\n{"event": "x", "iteration": null}\n')
        file.write('{"event": "control", "command": "set_lr", "ok": true}\n')
    with open(home.metrics, "a") as file:
        file.write('{"phase": "test"}\n{"phase": "test", "outputs": {"a": 1}}\n')
    home.release()
    states = {Path(run.folder).name: run.state for run in listing.runs(Path())}
    assert {name: states[name] for name in "abc"} == dict.fromkeys("abc", "damaged") and "home" in states
    second, _ = with_callbacks(home, home.read_solver())
    second.solve(home.snapshots / "solver_iter_4.solverstate")


@pytest.mark.parametrize("name", ["solver.prototxt", "net.prototxt"])
def test_files_of_somebody_else_are_not_overwritten(name):
    Path("home").mkdir()
    Path("home", name).write_text("mine")
    home = Home("home")
    home.hold()
    with pytest.raises(ConfigError, match=rf"home holds {name}, which is not of a run; hint: name a folder"):
        home.found(text.parse(TINY_NET + SETTINGS, SolverParameter), "x")
    home.abandon()
    home.release()
    assert os.listdir("home") == [name] and Path("home", name).read_text() == "mine"


def test_a_start_that_was_interrupted_can_be_made_again():
    home = Home("home")
    home.hold()
    home.found(text.parse(TINY_NET + SETTINGS, SolverParameter), "x")
    home.release()  # killed before job.json
    again, solver, _ = begun()
    solver.solve()
    again.release()


def test_a_run_that_did_not_come_to_be_leaves_nothing():
    home = Home("deep/home")
    home.hold()
    home.found(text.parse(TINY_NET + SETTINGS, SolverParameter), "x")
    home.abandon()
    home.release()
    assert not Path("deep/home").exists()


def test_two_nets_are_refused_before_anything_is_written():
    Path("net.prototxt").write_text(TINY_NET)
    param = text.parse(TINY_NET + SETTINGS + ' net: "net.prototxt"', SolverParameter)
    home = Home("home")
    home.hold()
    with pytest.raises(ConfigError, match=r"\['net', 'net_param'\] are all set"):
        home.found(param, "x")
    assert os.listdir("home") == ["lock"]
    home.release()


@pytest.mark.skipif(os.name == "nt", reason="POSIX errors")
@pytest.mark.parametrize("name", ["file", "file/x", "sub"])
def test_folders_that_cannot_be(name):
    Path("file").write_text("")
    Path("sub/lock").mkdir(parents=True)
    with pytest.raises(DataError, match=f"--run {name}: cannot write"):
        Home(name).hold()


def test_a_name_that_is_no_text():
    with pytest.raises(ConfigError, match="the name is not UTF-8"):
        Home("a\udcff").hold()


def test_who_only_looks_takes_no_lock():
    home, _, _ = begun()
    home.release()
    with open("home/lock") as first:
        from minicaffe.runs.home import lock_file

        assert lock_file(first, shared=True) and not Home("home").running


def test_a_run_can_be_extended():
    home, solver, _ = begun()
    solver.solve()
    home.extend(9)
    second, _ = with_callbacks(home, home.read_solver())
    second.solve(home.newest_snapshot())
    assert second.iteration == 9 and home.read_job()["max_iter"] == 9
    home.release()


def test_a_run_without_snapshot_prefix_is_named_after_its_solver():
    home, solver, _ = begun()
    assert solver.param.snapshot_prefix == os.path.join("home", "snapshots/solver")
    assert tiny_solver().param.snapshot_prefix == ""
    home.release()


@pytest.mark.parametrize("name", ["lock", "log.txt", "metrics.jsonl", "events.jsonl", "control.jsonl"])
def test_a_link_in_the_folder_does_not_lead_out_of_it(name):
    Path("home").mkdir()
    Path("mine").write_text("a user's")
    (Path("home") / name).symlink_to(Path("mine").absolute())
    with pytest.raises(DataError, match=f"{name} is no file of the run, but a link or a pipe"):
        Home("home").hold()
    assert Path("mine").read_text() == "a user's"


def test_looking_at_a_run_waits_for_no_pipe(caplog):
    home = begun()[0]
    home.release()
    for name in ("lock", "metrics.jsonl", "events.jsonl"):
        (home.folder / name).unlink(missing_ok=True)
        os.mkfifo(home.folder / name)
    assert not home.running
    assert [run.state for run in listing.runs(Path("."))] == ["died"]


def test_files_without_end_are_not_read(caplog):
    home = begun()[0]
    home.release()
    for name in (home.metrics, home.events):
        name.write_bytes(b"")
        os.truncate(name, 1 << 40)
    assert [run.state for run in listing.runs(Path("."))] == ["died"]
    assert caplog.text.count("has more than") == 2


def test_a_command_goes_to_no_file_elsewhere(monkeypatch):
    home = begun()[0]
    Path("mine").write_text("a user's")
    home.control.symlink_to(Path("mine").absolute())
    with pytest.raises(DataError, match=r"control\.jsonl is no file of the run"):
        send(home, "pause", timeout_s=0)
    assert Path("mine").read_text() == "a user's"
    home.release()
