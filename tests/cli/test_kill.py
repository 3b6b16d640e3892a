"""Killed at any moment, every snapshot on disk is whole, and a run that goes on from it is exact."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from minicaffe.errors import MiniCaffeError
from minicaffe.solvers import snapshot
from minicaffe.solvers.solver import Solver

from ..support.killing import SOLVER, kill_runs


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_killed_a_few_times():
    read, reached = kill_runs(3, random.Random(5))
    assert read >= 2 and reached >= 3


@pytest.mark.slow
def test_killed_many_times():
    """tests/kill_runs.py does it 200 times."""
    read, reached = kill_runs(40, random.Random(6))
    assert read >= 100 and reached >= 200


def test_a_snapshot_of_another_way_is_seen(monkeypatch):
    """The check can fail: momentum that a resume forgets is noticed."""
    right = Solver.restore

    def forgetful(solver, path):
        right(solver, path)
        solver.history[0][...] = 0

    monkeypatch.setattr(Solver, "restore", forgetful)
    with pytest.raises(AssertionError, match="is not where the whole run is"):
        kill_runs(2, random.Random(5))


@pytest.mark.parametrize("cut", range(0, 100, 9))
def test_a_file_cut_short_is_told_from_a_whole_one(cut):
    """The check above can fail: a snapshot written in place and cut by a kill would be noticed."""
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
