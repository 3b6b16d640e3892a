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

from minicaffe import Net
from minicaffe.cli.main import main as minicaffe
from minicaffe.convert.deploy import Deployment
from minicaffe.proto.schema import NetParameter
from minicaffe.reports import Evaluation, evaluate
from minicaffe.runs import curve_files
from minicaffe.runs.curves import Curves
from minicaffe.runs.home import Home
from minicaffe.solvers import nets, snapshot

from .rows import Row

ROOT = Path(__file__).resolve().parent.parent.parent
SINGLE, BATCH = 200, 100  # forward passes of one image; images of a batch


class Run(NamedTuple):
    """A training that has ended, and what its net predicted."""

    curves: Curves
    evaluation: Evaluation
    job: dict[str, Any]
    param: NetParameter
    weights: Path


def prepare(row: Row) -> None:
    """Make, in the working folder, what the net reads."""
    for words in row.first:
        _minicaffe(words, own_process=True)


def train(row: Row, folder: Path, *, seed: int | None = None) -> None:
    """Train a row in the home `folder`, or go on with what was begun there; in a process of its own."""
    home, words = Home(folder), ["train", "--run", str(folder), "--resume", "auto", "--log", "quiet"]
    if home.exists:
        newest = home.newest_snapshot()
        if newest is not None and snapshot.iteration_of(newest) >= home.read_solver().max_iter:
            return
    else:
        words += [*row.train, *(["--seed", str(seed)] if seed is not None else [])]
    _minicaffe(words, own_process=True)


def shortened(row: Row, folder: Path) -> Run:
    """A run of seconds, in this process."""
    assert row.short is not None
    _briefly(row, folder, row.short.iterations, own_process=False)
    # The average of the weights still is where it began.
    return judged(row, folder, batches=row.short.batches, averaged=False)


def compile_first(row: Row) -> None:
    """Run every kernel once, so that no run that is measured compiles any."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "run")
        _briefly(row, home, 1, own_process=True)
        judged(row, home, batches=1)


def _briefly(row: Row, folder: Path, iterations: int, *, own_process: bool) -> None:
    words = ("train", *row.train, "--run", str(folder), "--iterations", str(iterations), "--log", "quiet")
    _minicaffe(words, own_process)


def _minicaffe(words: Sequence[str], own_process: bool) -> None:
    if own_process:
        command = [sys.executable, "-m", "minicaffe", *words]
        status = subprocess.run(command, env=_environment()).returncode
    else:
        status = minicaffe(list(words))
    if status:
        raise SystemExit(f"minicaffe {' '.join(words)} failed")


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}  # this checkout's, installed or not


def judged(row: Row, folder: Path, *, batches: int | None = None, averaged: bool = True) -> Run:
    """What came of a run: its curves, and its newest weights, or their average where the solver keeps one, on
    every image of the test net, or on some batches of it."""
    home = Home(folder)
    ((param, source),) = nets.testing(home.read_solver(), str(home.solver))
    net = Net(param, source=source, keep="all", forward_only=True)
    weights = home.newest_weights(averaged=averaged)
    if weights is None:
        raise SystemExit(f"{folder} holds no snapshot")
    net.load(str(weights), must_match=True)
    return Run(
        curve_files.read(folder, f"seed {home.read_job()['seed']}"),
        evaluate(net, batches=batches),
        home.read_job(),
        param,
        weights,
    )


def numbers(row: Row, run: Run) -> dict[str, Any]:
    """What is kept of a run."""
    evaluation, tests = run.evaluation, run.curves.tests.get(0, [])
    reached = (test.seconds for test in tests if test.outputs[row.output][0] >= row.published.accuracy)
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


def inference_ms(run: Run) -> dict[str, float]:
    """Milliseconds per image of the net for use: one image at a time, and in batches."""
    net = Net(Deployment(run.param, written=True).param, forward_only=True)
    net.load(str(run.weights))
    (name,) = net.inputs
    image = np.random.default_rng(0).random((BATCH, *net.blobs[name].shape[1:]), np.float32)
    return {
        "alone": _median_ms(lambda: net.forward(**{name: image[:1]}), SINGLE),
        f"in batches of {BATCH}": _median_ms(lambda: net.forward(**{name: image}), SINGLE // 10) / BATCH,
    }


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
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.json")
        others = ("--beside", "torch,torch_channels_last", "--python", python)
        minicaffe(["bench", "net", *row.contest, *others, "--passes", "0", "--json", str(path)])
        told = json.loads(path.read_text())
    found = {one["name"].replace("_", " ", 1): one for one in told["contenders"] if one["ms"]}
    times = {name: {"median_ms": one["ms"]["median"], "ratio": one["of_ours"]} for name, one in found.items()}
    version = found["torch"]["version"].removeprefix("PyTorch ")
    return {"version": version, "batch": told["net"]["batch"], "contenders": times}


def machine(job: dict[str, Any]) -> dict[str, str]:
    """What a run ran on."""
    return {
        "processor": job["machine"]["Processor"],
        "threads": job["machine"]["Threads used"],
        **{name: job["versions"][name] for name in ("minicaffe", "python", "numpy", "numba")},
    }
