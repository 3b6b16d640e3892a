"""Training that is killed with SIGKILL at random moments, and what must hold then."""

from __future__ import annotations

import hashlib
import random
import time
from pathlib import Path
from subprocess import Popen

from minicaffe.solvers import snapshot
from minicaffe.solvers.solver import Solver

from .running import PROTOTXT, start

SOLVER = f"""
net: "{PROTOTXT}/digits/train_test.prototxt"
base_lr: 0.01 lr_policy: "fixed" momentum: 0.9 max_iter: 1000000 random_seed: 1
snapshot: 3 snapshot_prefix: "run/d" keep_last: 4 test_iter: 1 test_interval: 7
"""


class Reference:
    """The uninterrupted run, as far as it is asked for: a checksum of all parameters and history per
    iteration."""

    def __init__(self) -> None:
        self.solver = Solver.create("solver.prototxt")
        self.solver.param.snapshot = 0
        self.sums = {0: _sum(self.solver)}

    def __getitem__(self, iteration: int) -> str:
        while self.solver.iteration < iteration:
            self.solver.step(1)
            self.sums[self.solver.iteration] = _sum(self.solver)
        return self.sums[iteration]


def _sum(solver: Solver) -> str:
    digest = hashlib.sha256(solver.net.parameters.data)
    for block in solver.history:
        digest.update(block)
    return digest.hexdigest()


def kill_runs(runs: int, moments: random.Random, report=lambda text: None) -> tuple[int, int]:
    """In the working folder: train, kill, look, `runs` times, each from the newest snapshot so far.

    After every kill all snapshots on the disk are read, and what they hold must be what the uninterrupted run
    holds at that iteration; the newest whole one must be the newest there is.  Returns how many snapshots
    were read, and the iteration reached.
    """
    Path("solver.prototxt").write_text(SOLVER)
    Path("run").mkdir(exist_ok=True)
    reference, resumed = Reference(), Solver.create("solver.prototxt")
    read = reached = 0
    for number in range(runs):
        process = start("train", "solver.prototxt", "--resume", "auto", cwd=Path.cwd())
        _wait(process, moments)
        process.kill()
        process.communicate()
        states = sorted(Path("run").glob("d_iter_*.solverstate"), key=snapshot.iteration_of)
        for state in states:
            resumed.restore(state)
            assert resumed.iteration == snapshot.iteration_of(state)
            assert _sum(resumed) == reference[resumed.iteration], f"{state} is not where the whole run is"
            read += 1
        newest = snapshot.newest("run/d")
        assert newest == (states[-1] if states else None)
        now = snapshot.iteration_of(newest) if newest else 0
        assert now >= reached
        reached = now
        report(f"run {number + 1}: killed; {len(states)} snapshots read, iteration {reached}")
    return read, reached


def _wait(process: Popen, moments: random.Random) -> None:
    """Until some moment, half of the times one in which a snapshot is being written."""
    snapshots = moments.choice([0, moments.randint(1, 6)])
    for line in process.stderr:
        snapshots -= "Snapshotting to" in line
        if snapshots <= 0 and ("Starting" in line or "Resuming" in line or "Snapshotting to" in line):
            break
    time.sleep(moments.uniform(0, 0.02 if "Snapshotting to" in line else 2))
