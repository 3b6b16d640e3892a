"""Runs by the command line: folders, resumes, commands, dumps."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from minicaffe.runs.home import Home
from minicaffe.runs.jsonlines import read
from minicaffe.solvers.solver import Solver

from ..support.running import PROTOTXT, finish, run, start

SOLVER = f"""
net: "{PROTOTXT}/digits/train_test.prototxt"
base_lr: 0.01 lr_policy: "fixed" momentum: 0.9 max_iter: 6 random_seed: 1
snapshot: 4 snapshot_prefix: "p" display: 2 test_iter: 1 test_interval: 3
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("solver.prototxt").write_text(SOLVER)


def final(path: str) -> bytes:
    return Path(path).read_bytes()


def test_a_run_and_its_resume_are_one(capsys, monkeypatch):
    """The same command begins a run and goes on with it, from another folder too."""
    command = ("train", "solver.prototxt", "--run", "home", "--resume", "auto")
    assert run(capsys, *command).status == 0
    weights = final("home/snapshots/p_iter_6.caffemodel")
    for path in Path("home/snapshots").glob("p_iter_6*"):
        path.unlink()
    os.mkdir("elsewhere")
    monkeypatch.chdir("elsewhere")
    result = run(capsys, "train", "--run", "../home", "--resume", "auto")
    assert result.status == 0, result.err
    assert "Resuming from" in result.err and "p_iter_4.solverstate" in result.err
    assert Path.cwd().name != "elsewhere"  # it went where its data is
    assert final("home/snapshots/p_iter_6.caffemodel") == weights
    assert [e["event"] for e in read("home/events.jsonl")] == [
        *("start", "snapshot", "snapshot", "end"),
        *("resume", "snapshot", "end"),
    ]
    assert "Restoring previous solver status" in Path("home/log.txt").read_text()
    listed = run(capsys, "runs")
    assert "home  finished          6   6  accuracy" in listed.out
    assert json.loads(run(capsys, "runs", "--json").out)["iteration"] == 6
    assert run(capsys, "run", "home").out.splitlines()[1].startswith("home  finished")


def test_the_seed_drawn_for_a_run_is_recorded_and_kept(capsys):
    Path("solver.prototxt").write_text(SOLVER.replace("random_seed: 1", ""))
    assert run(capsys, "train", "solver.prototxt", "--run", "home").status == 0
    job = json.loads(Path("home/job.json").read_text())
    state = json.loads(Path("home/snapshots/p_iter_6.runstate").read_text())
    assert job["seed"] == state["seed"] and job["command"][:3] == ["minicaffe", "train", "solver.prototxt"]


@pytest.mark.parametrize(
    "words, message",
    [
        (("--run", "home"), "home holds a run; hint: --resume auto goes on with it"),
        (
            ("other.prototxt", "--run", "home", "--resume", "auto"),
            "home is a run of solver.prototxt, not of other",
        ),
    ],
)
def test_a_folder_is_not_used_twice(words, message, capsys):
    assert run(capsys, "train", "solver.prototxt", "--run", "home").status == 0
    words = words if "other.prototxt" in words else ("solver.prototxt", *words)
    result = run(capsys, "train", *words)
    assert result.status == 1 and message in result.err


@pytest.mark.parametrize(
    "words, message",
    [
        (("solver.prototxt", "--metrics", "gone/m"), "--metrics gone/m: there is no such folder"),
        (("--run", "home"), "name one solver prototxt"),
        (
            ("solver.prototxt", "--resume", "auto", "--snapshot", "x"),
            "--snapshot and --resume exclude each other",
        ),
        (("solver.prototxt", "--verify_resume", "--run", "x"), "--verify_resume trains from the start"),
        (
            ("solver.prototxt", "--snapshot", "a/p.caffemodel"),
            "these are weights, not the state of a solver; hint: --weights a/p.caffemodel begins with them",
        ),
        (
            ("solver.prototxt", "--weights", "w.caffemodel, p_iter_1.solverstate.h5"),
            "this is the state of a solver; hint: --snapshot p_iter_1.solverstate.h5 goes on from it",
        ),
    ],
)
def test_flags_that_do_not_go_together(words, message, capsys):
    result = run(capsys, "train", *words)
    assert result.status == 1 and message in result.err


def test_resume_auto_passes_over_a_damaged_snapshot(capsys):
    assert run(capsys, "train", "solver.prototxt").status == 0
    weights = final("p_iter_6.caffemodel")
    Path("p_iter_6.solverstate").write_bytes(b"damaged")
    result = run(capsys, "train", "solver.prototxt", "--resume", "auto")
    assert result.status == 0 and "Passing over p_iter_6.solverstate: " in result.err
    assert "Resuming from p_iter_4.solverstate" in result.err
    assert final("p_iter_6.caffemodel") == weights


def test_resume_auto_without_a_snapshot_starts(capsys):
    result = run(capsys, "train", "solver.prototxt", "--resume", "auto")
    assert result.status == 0 and "No snapshot p_iter_N yet: training starts at 0" in result.err


def test_verify_resume(capsys):
    result = run(capsys, "train", "solver.prototxt", "--verify-resume", "--iterations=4")
    assert result.status == 0
    assert "resume is exact: 4 iterations equal 2 + 2 bit for bit" in result.err
    assert sorted(os.listdir()) == ["solver.prototxt"]


def test_metrics_and_tensorboard(capsys):
    pytest.importorskip("tensorboardX")
    result = run(capsys, "train", "solver.prototxt", "--metrics", "m.jsonl", "--tensorboard", "events")
    assert result.status == 0
    assert {row["phase"] for row in read("m.jsonl")} == {"start", "train", "test"}
    assert len(list(Path("events").iterdir())) == 1


def test_commands_to_a_process(capsys):
    Path("solver.prototxt").write_text(SOLVER.replace("max_iter: 6", "max_iter: 1000000"))
    process = start("train", "solver.prototxt", "--run", "home", cwd=Path.cwd())
    try:
        for line in process.stderr:
            if "Iteration 0," in line:
                break
        assert "done at iteration" in run(capsys, "run", "home", "pause").out
        assert "home  paused" in run(capsys, "runs").out
        refused = run(capsys, "train", "solver.prototxt", "--run", "home", "--resume", "auto")
        assert f"process {process.pid} runs here; hint: minicaffe run home stop" in refused.err
        assert "lr=0.001: done at iteration" not in run(capsys, "run", "home", "resume").out
        assert "lr=0.001: done at iteration" in run(capsys, "run", "home", "lr=0.001").out
        assert "snapshot: done" in run(capsys, "run", "home", "snapshot").out
        assert "home  running" in run(capsys, "runs").out
        assert run(capsys, "run", "home", "lr=-1").status == 1
        wrong = run(capsys, "run", "home", "stopp")
        assert wrong.status == 1 and "no command 'stopp'; hint: did you mean 'stop'" in wrong.err
        assert "stop: done" in run(capsys, "run", "home", "stop").out
        assert finish(process).status == 0
    finally:
        process.kill()
    assert "home  stopped" in run(capsys, "runs").out
    stopped = run(capsys, "run", "home", "pause")
    assert stopped.status == 1 and "home: nothing runs here" in stopped.err
    events = read("home/events.jsonl")
    at = {event.get("command", event["event"]): event["time"] for event in events}
    trained_s = max(row["seconds"] for row in read("home/metrics.jsonl"))
    assert trained_s <= at["stop"] - at["start"] - (at["resume"] - at["pause"]) / 2  # a pause is no training


def test_a_killed_run_is_listed_as_died(capsys):
    Path("solver.prototxt").write_text(SOLVER.replace("max_iter: 6", "max_iter: 1000000"))
    process = start("train", "solver.prototxt", "--run", "home", cwd=Path.cwd())
    for line in process.stderr:
        if "Snapshotting solver state" in line:
            break
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 5
    while Home("home").running and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "home  died" in run(capsys, "runs").out


@pytest.mark.parametrize("error", [ValueError, SystemExit], ids=["an error", "an exit"])
def test_whatever_ends_a_run_is_recorded(error, capsys, monkeypatch):
    """A Python layer may raise anything."""

    def fail(*_):
        raise error("no such list")

    monkeypatch.setattr(Solver, "_iterate", fail)
    with pytest.raises(error):
        run(capsys, "train", "solver.prototxt", "--run", "home")
    last = read("home/events.jsonl")[-1]
    assert (last["event"], last["state"]) == ("end", "failed") and error.__name__ in last["error"]
    assert "home  failed" in run(capsys, "runs").out


@pytest.mark.parametrize("effect, ends_at", [("stop", 2), ("snapshot", 6), ("none", 6)])
def test_a_request_to_end_makes_a_snapshot_and_stops(effect, ends_at, capsys, monkeypatch):
    update = Solver.apply_update

    def asked(solver, **how):
        if solver.iteration == 1:
            signal.raise_signal(signal.SIGTERM)
        update(solver, **how)

    monkeypatch.setattr(Solver, "apply_update", asked)
    words = () if effect == "stop" else ("--sigterm_effect", effect)
    result = run(capsys, "train", "solver.prototxt", "--run", "home", *words)
    assert result.status == 0 and ("Optimization stopped early." in result.err) == (effect == "stop")
    assert Path("home/snapshots/p_iter_2.solverstate").exists() == (effect != "none")
    assert Path(f"home/snapshots/p_iter_{ends_at}.solverstate").exists()
    assert read("home/events.jsonl")[-1]["state"] == ("stopped" if effect == "stop" else "finished")


@pytest.mark.parametrize(
    "settings, snapshot, kept",
    [
        ("max_iter: 4000", 200, 2),
        ("max_iter: 1000 keep_last: 5", 100, 5),
        ("max_iter: 4000 snapshot: 0", 0, None),
        ("max_iter: 50", None, None),
    ],
)
def test_a_run_makes_snapshots_where_its_solver_sets_none(settings, snapshot, kept, capsys, monkeypatch):
    monkeypatch.setattr(Solver, "solve", lambda *_: None)
    Path("solver.prototxt").write_text(SOLVER.replace("snapshot: 4", "").replace("max_iter: 6", settings))
    result = run(capsys, "train", "solver.prototxt", "--run", "home")
    param = Home("home").read_solver()
    assert result.status == 0, result.err
    assert (param.snapshot if param.HasField("snapshot") else None) == snapshot
    assert (param.keep_last if param.HasField("keep_last") else None) == kept
    said = f"--run makes one every {snapshot} iterations" + ", of which the newest 2 are kept" * (kept == 2)
    assert (f"The solver sets no snapshot: {said}\n" in result.err) == bool(snapshot)


def test_no_runs(capsys):
    assert run(capsys, "runs").out == "no runs in .\n"
    result = run(capsys, "run", "home")
    assert result.status == 1 and "home holds no run" in result.err


def test_a_loss_that_is_not_finite_is_dumped_and_replayed(capsys):
    Path("solver.prototxt").write_text(SOLVER.replace("base_lr: 0.01", "base_lr: 1e25"))
    result = run(capsys, "train", "solver.prototxt", "--run", "home")
    assert result.status == 1 and result.err.strip().splitlines()[-1].startswith(
        "minicaffe train: error: iteration "
    )
    dump = result.err.rsplit("minicaffe replay ", 1)[1].strip()
    assert Path(dump).parent == Path("home/snapshots")
    again = run(capsys, "replay", dump)
    assert again.status == 0, again.err
    assert "the first bad blob: iteration " in again.out and "the same bits as recorded" in again.out
    assert "mean |x|" in again.out and "parameter 0" in again.out
    assert "home  failed" in run(capsys, "runs").out
    report = Path(dump) / "report.json"
    report.write_text(report.read_text().replace('"sha256": "', '"sha256": "0'))
    other = run(capsys, "replay", dump)
    assert other.status == 1 and "the replay differs from what was recorded" in other.err


PYTHON_NET = """
layer { name: "data" type: "DummyData" top: "x" dummy_data_param { shape { dim: 2 } } }
layer { name: "w" type: "Bias" bottom: "x" top: "y" bias_param { axis: 0 } }
layer { name: "user" type: "Python" bottom: "y" top: "z"
  python_param { module: "minicaffe_test_of_a_run" layer: "Doubles" } loss_weight: 1 }
"""
DOUBLES = """
import caffe
class Doubles(caffe.Layer):
    gain = 2
    def setup(self, bottom, top): pass
    def reshape(self, bottom, top): top[0].reshape(*bottom[0].shape)
    def forward(self, bottom, top): top[0].data[...] = self.gain * bottom[0].data
    def backward(self, top, propagate_down, bottom): bottom[0].diff[...] = self.gain * top[0].diff
"""


def test_a_run_finds_the_layers_beside_its_net(capsys):
    """A run's net is a copy in another folder; its resume and the replay of a dump find them too."""
    os.makedirs("project/net")
    Path("project/net/net.prototxt").write_text(PYTHON_NET)
    Path("project/net/minicaffe_test_of_a_run.py").write_text(DOUBLES)
    Path("project/solver.prototxt").write_text(
        'net: "net/net.prototxt" base_lr: 1 lr_policy: "fixed" max_iter: 2 snapshot: 1 snapshot_prefix: "p"'
    )

    def anew(*words: str) -> str:
        sys.modules.pop("minicaffe_test_of_a_run", None)
        return run(capsys, *words).err

    assert "error" not in anew("train", "project/solver.prototxt", "--run", "home")
    source = Path("project/net/minicaffe_test_of_a_run.py")
    source.write_text(DOUBLES.replace("gain = 2", "gain = float('inf')"))
    err = anew("train", "--run", "home", "--resume", "auto", "--iterations", "3")
    assert "error: iteration 2, forward of layer 'user'" in err
    assert "error" not in anew("replay", err.rsplit("minicaffe replay ", 1)[1].strip())
    sys.modules.pop("minicaffe_test_of_a_run", None)


def test_what_a_bad_loss_does_can_be_chosen(capsys):
    Path("solver.prototxt").write_text(SOLVER.replace("base_lr: 0.01", "base_lr: 1e25"))
    result = run(capsys, "train", "solver.prototxt", "--nonfinite_effect", "none")
    assert result.status == 0 and "Iteration 6, loss = nan" in result.err


def test_what_a_run_begins_from_is_not_forgotten(capsys):
    """Killed before its first snapshot, it begins again as it began: weights, solver state, seed."""
    assert run(capsys, "train", "solver.prototxt").status == 0
    unseeded = SOLVER.replace("random_seed: 1", "").replace('"p"', '"q"')
    Path("solver.prototxt").write_text(unseeded)
    for name, flags in {
        "w": ("--weights", "p_iter_6.caffemodel"),
        "s": ("--snapshot", "p_iter_4.solverstate"),
    }.items():
        result = run(capsys, "train", "solver.prototxt", "--run", name, *flags)
        assert result.status == 0, result.err
        weights = final(f"{name}/snapshots/q_iter_6.caffemodel")
        for path in Path(name, "snapshots").iterdir():
            path.unlink()
        again = run(capsys, "train", "--run", name, "--resume", "auto")
        assert again.status == 0, again.err
        assert final(f"{name}/snapshots/q_iter_6.caffemodel") == weights
    assert f"where the run began, from {Path.cwd()}/p_iter_4.solverstate" in again.err


def test_a_run_is_extended_and_named_as_one_likes(capsys):
    assert run(capsys, "train", "solver.prototxt", "--run", "home").status == 0
    longer = run(
        capsys, "train", "./solver.prototxt", "--run", "home", "--resume", "auto", "--iterations", "8"
    )
    assert longer.status == 0 and "Resuming from" in longer.err
    assert "home  finished          8   8  accuracy" in run(capsys, "runs").out
    refused = run(capsys, "train", "--run", "home", "--resume", "auto", "--stage", "x")
    assert (
        refused.status == 1 and "--stage is for the beginning of a run; hint: edit home/solver" in refused.err
    )


def test_paths_of_a_resume_are_meant_from_where_it_is_asked(capsys, monkeypatch):
    assert run(capsys, "train", "solver.prototxt", "--run", "home").status == 0
    os.mkdir("elsewhere")
    state = "../home/snapshots/p_iter_4.solverstate"
    monkeypatch.chdir("elsewhere")
    result = run(capsys, "train", "--run", "../home", "--resume", state, "--metrics", "m.jsonl")
    assert result.status == 0, result.err
    assert Path("elsewhere/m.jsonl").exists()


def test_a_project_that_moved_goes_on_where_it_is(capsys, monkeypatch):
    os.mkdir("old")
    monkeypatch.chdir("old")
    Path("solver.prototxt").write_text(SOLVER)
    assert run(capsys, "train", "solver.prototxt", "--run", "home").status == 0
    monkeypatch.chdir("..")
    os.rename("old", "new")
    monkeypatch.chdir("new")
    result = run(capsys, "train", "--run", "home", "--resume", "auto", "--iterations", "7")
    assert result.status == 0 and "which cannot be entered" in result.err


@pytest.mark.parametrize(
    "words, message",
    [
        (("--run", "none", "--resume", "auto"), "none holds no run; hint: minicaffe train SOLVER --run none"),
        (("solver.prototxt", "--run", "."), "holds solver.prototxt, which is not of a run"),
        (("solver.prototxt", "--run", "solver.prototxt"), "--run solver.prototxt: cannot write"),
        (("solver.prototxt", "--run", "new", "--resume", "gone"), "gone: there is no such solver state"),
        (
            ("solver.prototxt", "--run", "new", "--tensorboard", "solver.prototxt/x"),
            "cannot write event files",
        ),
        (("typo.prototxt", "--run", "new"), "cannot read typo.prototxt"),
    ],
)
def test_starts_that_fail_leave_nothing(words, message, capsys):
    pytest.importorskip("tensorboardX")
    result = run(capsys, "train", *words)
    assert result.status == 1 and message in result.err.strip().splitlines()[-1]
    assert os.listdir() == ["solver.prototxt"] and Path("solver.prototxt").read_text() == SOLVER


def test_the_net_for_deployment_belongs_to_the_run(capsys):
    net = PROTOTXT / "digits/all_in_one.prototxt"
    result = run(capsys, "train", net, "--source", "digits", "--epochs", "0.1", "--run", "home")
    assert result.status == 0, result.err
    assert Path("home/all_in_one_deploy.prototxt").exists() and sorted(os.listdir()) == [
        "home",
        "solver.prototxt",
    ]


def test_flags_may_stand_anywhere(capsys):
    result = run(capsys, "run", "home", "--timeout", "1", "stop")
    assert "home holds no run" in result.err
    assert "cannot read gone" in run(capsys, "--stage", "test", "train", "--solver", "gone").err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("name", ["log.txt", "metrics.jsonl", "events.jsonl"])
def test_files_of_a_run_on_a_full_disk(name, capsys):
    os.mkdir("home")
    os.symlink("/dev/full", f"home/{name}")
    result = run(capsys, "train", "solver.prototxt", "--run", "home")
    assert result.status == 0 and "Traceback" not in result.err
    assert Path("home/snapshots/p_iter_6.solverstate").exists()


def test_a_terminal_that_has_gone_ends_nothing():
    process = start("train", "solver.prototxt", cwd=Path.cwd())
    process.stderr.close()
    process.stdout.close()
    assert process.wait(120) == 0
    assert Path("p_iter_6.solverstate").exists()
