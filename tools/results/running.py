"""Running a row: training, judging what came of it, measuring how long it takes."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minicaffe import Net, zoo
from minicaffe.cli.main import main as minicaffe
from minicaffe.proto import upgrade
from minicaffe.reports import Evaluation, evaluate
from minicaffe.runs import curve_files
from minicaffe.runs.curves import Curves
from minicaffe.runs.home import Home
from minicaffe.solvers import nets

from .rows import Row

ROOT = Path(__file__).resolve().parent.parent.parent
SINGLE, BATCH = 200, 100  # forward passes of one image; images of a batch


class Run(NamedTuple):
    """A training that has ended, and what its net predicted."""

    curves: Curves
    evaluation: Evaluation
    job: dict[str, Any]
    weights: Path


def train(row: Row, folder: Path, *, seed: int | None = None, own_process: bool = True) -> None:
    """Train a row in the home `folder`, or go on with what was begun there."""
    words = ["--run", str(folder), "--resume", "auto"]
    if not Home(folder).exists:
        words = [*row.train, *words, *(["--seed", str(seed)] if seed is not None else [])]
    _minicaffe([*words, "--log", "quiet"], own_process)


def shortened(row: Row, folder: Path) -> Run:
    """A run of seconds, in this process."""
    words = [*row.train, "--run", str(folder), "--iterations", str(row.short.iterations)]
    _minicaffe([*words, "--log", "quiet"], own_process=False)
    return judged(row, folder, batches=row.short.batches)


def _minicaffe(words: Sequence[str], own_process: bool) -> None:
    if not own_process:
        status = minicaffe(["train", *words])
    else:
        command = [sys.executable, "-m", "minicaffe", "train", *words]
        status = subprocess.run(command, env=_environment()).returncode
    if status:
        raise SystemExit(f"minicaffe train {' '.join(words)} failed")


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}  # this checkout's, installed or not


def compile_first(row: Row) -> None:
    """Run every kernel once, so that no run that is measured compiles any."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "run")
        _minicaffe([*row.train, "--run", str(home), "--iterations", "1", "--log", "quiet"], own_process=True)
        judged(row, home, batches=1)


def judged(row: Row, folder: Path, *, batches: int | None = None) -> Run:
    """What came of a run: its curves, and its newest weights on every image of the test net, or on some
    batches of it."""
    home = Home(folder)
    solver = home.read_solver()
    param, source = nets.testing(solver, str(home.solver))[row.test_net]
    net = Net(param, source=source, keep="all", forward_only=True)
    newest = home.newest_snapshot()
    if newest is None:
        raise SystemExit(f"{folder} holds no snapshot")
    stem = newest.name.partition(".solverstate")[0]
    averaged = newest.with_name(f"{stem}_ema.caffemodel")
    weights = averaged if averaged.exists() else newest.with_name(f"{stem}.caffemodel")
    net.load(str(weights), must_match=True)
    return Run(curve_files.read(folder), evaluate(net, batches=batches), home.read_job(), weights)


def numbers(row: Row, run: Run) -> dict[str, Any]:
    """What is kept of a run."""
    evaluation, tests = run.evaluation, run.curves.tests.get(row.test_net, [])
    needed = row.published.accuracy if row.published else 1.0
    reached = (test.seconds for test in tests if test.outputs[row.output][0] >= needed)
    return {
        "seed": run.job["seed"],
        "iterations": run.job["max_iter"],
        "seconds": max(shown.seconds or 0 for shown in (*tests, *run.curves.train[-1:])),
        "seconds_to_published": next(reached, None),
        "right": evaluation.accuracy.hits,
        "samples": evaluation.accuracy.total,
        "interval": [round(evaluation.accuracy.low, 5), round(evaluation.accuracy.high, 5)],
        "top5": evaluation.top5 and evaluation.top5.value,
    }


def inference_ms(row: Row, weights: Path) -> dict[str, float]:
    """Milliseconds per image of the net for use: one image at a time, and in batches."""
    return {
        "alone": _median_ms(_forward(row, weights, 1), SINGLE),
        f"in batches of {BATCH}": _median_ms(_forward(row, weights, BATCH), SINGLE // 10) / BATCH,
    }


def _forward(row: Row, weights: Path, batch: int) -> Callable[[], object]:
    param = upgrade.read_net(zoo.find(row.deploy, "net"))
    for layer in param.layer:
        for shape in layer.input_param.shape:
            shape.dim[0] = batch
    net = Net(param, phase="TEST", forward_only=True)
    net.load(str(weights))
    rng = np.random.default_rng(0)
    (name,) = net.inputs
    net.blobs[name].data[...] = rng.random(net.blobs[name].shape, np.float32)
    return net.forward


def _median_ms(step: Callable[[], object], count: int) -> float:
    times_s = []
    for _ in range(count + count // 10):
        begun = time.perf_counter()
        step()
        times_s.append(time.perf_counter() - begun)
    return 1e3 * statistics.median(times_s[count // 10 :])


def beside_pytorch(row: Row, python: str) -> dict[str, Any] | None:
    """The time of a training step here and in PyTorch, of blocks that took turns; None without a contest."""
    if not row.contest:
        return None
    script = ROOT / "benchmarks" / "nets.py"
    command = [sys.executable, str(script), row.contest, "--torch", python, "--json"]
    result = subprocess.run(command, env=_environment(), stdout=subprocess.PIPE, text=True, check=True)
    version = [python, "-c", "import torch; print(torch.__version__)"]
    told = subprocess.run(version, stdout=subprocess.PIPE, text=True, check=True)
    return {"version": told.stdout.strip(), **json.loads(result.stdout)}


def machine(job: dict[str, Any]) -> dict[str, str]:
    """What a run ran on."""
    return {
        "processor": job["machine"]["Processor"],
        "threads": job["machine"]["Threads used"],
        **{name: job["versions"][name] for name in ("minicaffe", "python", "numpy", "numba")},
    }
