"""Killed at any moment, the newest snapshot on disk is whole and resumes."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from minicaffe.errors import MiniCaffeError
from minicaffe.solvers import snapshot
from minicaffe.solvers.solver import Solver

from ..support.running import PROTOTXT, start

SOLVER = f"""
net: "{PROTOTXT}/digits/train_test.prototxt"
base_lr: 0.01 lr_policy: "fixed" momentum: 0.9 max_iter: 100000 random_seed: 1
snapshot: 2 snapshot_prefix: "run/d"
"""


def newest(folder: Path) -> Path | None:
    states = folder.glob("run/*.solverstate")
    return max(states, key=lambda path: int(path.stem.rsplit("_", 1)[1]), default=None)


def kill_and_check(folder: Path, moments: random.Random, runs: int) -> int:
    """Train, kill, and look, so many times, resuming each time; returns the iteration reached."""
    (folder / "solver.prototxt").write_text(SOLVER)
    (folder / "run").mkdir()
    reached = 0
    for _ in range(runs):
        state = newest(folder)
        resume = ["--snapshot", state] if state else []
        process = start("train", "solver.prototxt", *resume, cwd=folder)
        for line in process.stderr:
            if "Snapshotting solver state" in line:
                break
        time.sleep(moments.uniform(0, 0.3))
        process.kill()
        process.communicate()
        state = newest(folder)
        stored = snapshot.read_state(state)
        assert stored.run, "the run state belongs to the snapshot"
        assert snapshot.find_weights(snapshot.read_state(state), state)
        assert stored.iteration >= reached  # the same, if killed before the first new one had its name
        reached = stored.iteration
    return reached


def resumes_exactly(folder: Path, state: Path, monkeypatch) -> None:
    """An uninterrupted run to the same iteration has the same weights, bit for bit."""
    monkeypatch.chdir(folder)
    whole = Solver.create("solver.prototxt")
    whole.param.snapshot = 0
    stored = snapshot.read_state(state)
    whole.step(stored.iteration)
    resumed = Solver.create("solver.prototxt")
    resumed.restore(state)
    assert (whole.net.parameters.data == resumed.net.parameters.data).all()
    assert (whole.history[0] == resumed.history[0]).all()


def test_killed_a_few_times(tmp_path, monkeypatch):
    assert kill_and_check(tmp_path, random.Random(5), runs=3) >= 2
    resumes_exactly(tmp_path, newest(tmp_path), monkeypatch)


@pytest.mark.slow
def test_killed_many_times(tmp_path, monkeypatch):
    assert kill_and_check(tmp_path, random.Random(6), runs=40) >= 80
    resumes_exactly(tmp_path, newest(tmp_path), monkeypatch)


@pytest.mark.parametrize("cut", range(0, 100, 9))
def test_a_file_cut_short_is_told_from_a_whole_one(cut, tmp_path, monkeypatch):
    """The check above can fail: a snapshot written in place and cut by a kill would be noticed."""
    monkeypatch.chdir(tmp_path)
    Path("solver.prototxt").write_text(SOLVER)
    Path("run").mkdir()
    solver = Solver.create("solver.prototxt")
    solver.step(1)
    state = solver.snapshot()
    for path in (state, Path("run/d_iter_1.caffemodel"), Path("run/d_iter_1.runstate")):
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) * cut // 100])
        with pytest.raises((MiniCaffeError, AssertionError)):
            stored = snapshot.read_state(state)
            snapshot.find_weights(stored, state)
            assert len(stored.history) == 8
        path.write_bytes(whole)
