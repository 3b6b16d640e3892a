"""minicaffe train, and test of what it saved, on the embedded digits."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from minicaffe.cli import train

from ..support.running import PROTOTXT, finish, run, start

DIGITS = PROTOTXT / "digits"


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def accuracies(log: str) -> list[float]:
    return [float(a) for a in re.findall(r"accuracy = (\S+)", log)]


def test_train_test_and_resume(capsys):
    trained = run(capsys, "train", DIGITS / "solver.prototxt", "--iterations", 60)
    assert trained.status == 0 and trained.out == ""
    assert "Use CPU." in trained.err and trained.err.count("Optimization Done.") == 2
    assert all(
        re.match(r"[IWE]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ \w+\.py:\d+\] ", l) for l in trained.err.splitlines()
    )
    assert Path("digits_iter_60.caffemodel").exists()

    tested = run(
        capsys, "test", "--model", DIGITS / "train_test.prototxt", "--weights", "digits_iter_60.caffemodel",
        "--iterations", 4,
    )  # fmt: skip
    assert tested.status == 0 and "Running for 4 iterations." in tested.err
    assert len(re.findall(r"Batch \d, accuracy = ", tested.err)) == 4
    assert re.search(r"\] Loss: \S+\n", tested.err)
    assert accuracies(tested.err)[-1] > 0.5

    resumed = run(
        capsys,
        "train",
        DIGITS / "solver.prototxt",
        "--snapshot",
        "digits_iter_60.solverstate",
        "--iterations",
        250,
    )
    assert resumed.status == 0 and "Resuming from digits_iter_60.solverstate" in resumed.err
    assert accuracies(resumed.err)[-1] > 0.9


def test_finetune(capsys):
    run(capsys, "train", DIGITS / "solver.prototxt", "--iterations", 20)
    result = run(
        capsys,
        "train",
        DIGITS / "solver.prototxt",
        "--weights",
        "digits_iter_20.caffemodel",
        "--iterations",
        1,
    )
    assert "Finetuning from digits_iter_20.caffemodel" in result.err


def test_interrupt_stops_after_the_iteration_and_snapshots(tmp_path):
    process = start("train", DIGITS / "solver.prototxt", "--iterations", 1000000, cwd=tmp_path)
    seen = ""
    for line in process.stderr:
        seen += line
        if "Iteration 100," in line or "Iteration 100 (" in line:
            break
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert result.status == 0 and "Optimization stopped early." in result.err
    assert "Interrupted: stopping behind this iteration; Ctrl-C again ends it at once" in result.err
    states = sorted(tmp_path.glob("*.solverstate"))
    assert len(states) == 2  # one for the hangup, one for the interrupt
    log = run_to(tmp_path, states[-1])
    assert "Optimization Done." in log


def test_an_interrupt_while_a_line_is_being_written_counts(monkeypatch):
    def reentered(line):
        raise RuntimeError("reentrant call inside <_io.BufferedWriter name='<stderr>'>")

    monkeypatch.setattr(train.log, "info", reentered)
    solver, begun = SimpleNamespace(iteration=5, requests=[]), train.FirstIteration()
    begun.on_start(SimpleNamespace(iteration=0))
    with train._signals(solver, {signal.SIGINT: "stop"}, begun):
        signal.raise_signal(signal.SIGINT)
    assert solver.requests == ["stop"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_before_the_first_update_ends_at_once(number, capsys, monkeypatch):
    """Kernels may be compiling then, for a while."""

    def compiling(solver):
        os.kill(os.getpid(), number)
        time.sleep(2)

    monkeypatch.setattr("minicaffe.solvers.solver.Solver.test_all", compiling)
    result = run(capsys, "train", DIGITS / "solver.prototxt", "--run", "home")
    assert result.status == 130
    said = "minicaffe train: interrupted before the first update: there is nothing to keep"
    assert result.err.splitlines()[-1] == said
    assert not list(Path("home/snapshots").iterdir())


def run_to(folder: Path, state: Path) -> str:
    done = int(state.stem.rsplit("_", 1)[1])
    arguments = "train", DIGITS / "solver.prototxt", "--snapshot", state, "--iterations", done + 1
    result = finish(start(*arguments, cwd=folder))
    assert result.status == 0
    return result.err


def test_strict_refuses_our_extensions(capsys):
    result = run(capsys, "train", DIGITS / "solver.prototxt", "--strict")
    assert result.status == 1
    assert "--strict: layer[0].data_param.backend: IDX, layer[0].data_param.shuffle" in result.err


def test_a_terminal_has_a_progress_bar_and_a_compact_log(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    result = run(capsys, "train", DIGITS / "solver.prototxt", "--iterations", 120, "--run", "home")
    assert result.status == 0
    assert re.search(r"\d+/120 .*it/s.*loss ", result.err)
    assert re.search(r"\d\d:\d\d:\d\d \x1b\[0m\x1b\[1mIteration 100 .*, loss = ", result.err)
    assert "random_seed" not in result.err and "] Iteration 100 (" not in result.err
    log = Path("home/log.txt").read_text()
    assert "random_seed: 1701" in log and "] Iteration 100 (" in log and "\x1b" not in log


@pytest.mark.parametrize("form", ["caffe", "compact", "quiet"])
def test_forms_of_the_log(form, capsys):
    """Elsewhere than on a terminal colours and wrapping are left out of any."""
    result = run(capsys, "train", DIGITS / "solver.prototxt", "--iterations", 1, "--log", form)
    assert result.status == 0 and "\x1b" not in result.err
    assert ("] Iteration 0, lr = 0.01\n" in result.err) == (form == "caffe")
    assert bool(re.search(r"^\d\d:\d\d:\d\d Iteration 0, lr", result.err, re.M)) == (form == "compact")
    assert (result.err == "") == (form == "quiet")
