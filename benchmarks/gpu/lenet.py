"""Section lenet: the whole training of prototxt/lenet, by the clock on the wall."""

from __future__ import annotations

import time
from typing import Any

from minicaffe.device.cpu import CpuDevice
from minicaffe.proto import upgrade
from minicaffe.solvers.callbacks import Callback
from minicaffe.solvers.solver import Solver

from .contests import PROTOTXT
from .setting import Setting
from .tables import Result, Results, digits, table

FULL, SHORT = 10_000, 1_000  # iterations


class Accuracies(Callback):
    """What the tests say."""

    may_lag = True

    def __init__(self) -> None:
        self.found: list[tuple[int, float]] = []

    def on_test(self, solver, results) -> None:
        self.found.append((solver.iteration, results[0]["accuracy"][0]))


def units(setting: Setting) -> list[str]:
    whole = [f"GPU, {math}, {FULL} iterations" for math in setting.maths]
    return [*whole, f"GPU, FP32, {SHORT} iterations", f"CPU, FP32, {SHORT} iterations"]


def run(unit: str, setting: Setting) -> Result:
    where, math, length = unit.split(", ")
    iterations = int(length.split()[0])
    path = PROTOTXT / ("digits" if setting.quick else "lenet") / "solver.prototxt"
    param = upgrade.read_solver(str(path))
    param.snapshot, param.snapshot_after_train = 0, False
    param.max_iter = iterations
    if setting.quick:
        param.max_iter, param.test_interval, param.test_iter[0] = 1, 1, 1
        param.test_initialization = False
    repeats = 1 if iterations == SHORT or setting.quick else 3
    return {"runs": [_solve(param, path, where, math, setting) for _ in range(repeats)]}


def _solve(param: Any, path: Any, where: str, math: str, setting: Setting) -> dict[str, Any]:
    begun = time.perf_counter()
    device = setting.new_device(math) if where == "GPU" else CpuDevice()
    accuracies = Accuracies()
    solver = Solver.create(param, source=str(path), device=device, callbacks=[accuracies])
    built = time.perf_counter()
    solver.solve()
    device.synchronize()
    return {
        "building s": built - begun,
        "solving s": time.perf_counter() - built,
        "accuracies": accuracies.found,
        "accuracy": accuracies.found[-1][1],
    }


def markdown(results: Results) -> list[str]:
    rows = []
    for unit, result in results.items():
        for number, found in enumerate(result.get("runs", []), 1):
            seconds = [digits(found[what]) for what in ("building s", "solving s")]
            rows.append([f"{unit}, run {number}", *seconds, f"{found['accuracy']:.4f}"])
    return table(["LeNet", "building, s", "solving, s", "accuracy"], rows) if rows else []
