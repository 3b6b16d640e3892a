"""Metrics of a run for tools: one JSON object per start, per display and per test.

    {"phase": "start", "iteration": 0, "seconds": 0.0, "count": 0}
    {"phase": "train", "iteration": 100, "seconds": 12.3, "count": 1, "lr": 0.01, "loss": 0.5,
     "outputs": {"loss": 0.5, "accuracy": [0.9, 0.8]}}
    {"phase": "test", "net": 0, "iteration": 500, "seconds": 20.1, "count": 1, "outputs": {"accuracy": 0.97}}

seconds counts from the last start, without pauses; NaN and infinities are null.  What comes faster than
ROWS_PER_SECOND is merged: count says how many rows are one, the values are their means, and there are "min"
and "max" of loss and outputs.  When a run is resumed there is another start, and iterations may step back:
later rows count.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..solvers.callbacks import Callback
from .jsonlines import Writer

if TYPE_CHECKING:
    from ..solvers.callbacks import Training

ROWS_PER_SECOND = 20


class Merged:
    """Rows of one kind on their way to the file."""

    def __init__(self, write: Callable[[dict[str, Any]], None], clock: Callable[[], float]) -> None:
        self.write = write
        self.clock = clock
        self.rows: list[tuple[dict[str, Any], dict[str, np.ndarray]]] = []
        self.written = -1.0  # when

    def add(self, head: dict[str, Any], values: Mapping[str, np.ndarray]) -> None:
        """A row: `head` is taken from the last of those that are merged, `values` are averaged."""
        if self.rows and {k: v.shape for k, v in values.items()} != {
            k: v.shape for k, v in self.rows[-1][1].items()
        }:
            self.flush()
        self.rows.append((head, dict(values)))
        if self.clock() - self.written >= 1 / ROWS_PER_SECOND:
            self.flush()

    def flush(self) -> None:
        if not self.rows:
            return
        head = self.rows[-1][0]
        stacks = {name: np.stack([values[name] for _, values in self.rows]) for name in self.rows[-1][1]}
        entry = {**head, "count": len(self.rows), **_nested({n: s.mean(0) for n, s in stacks.items()})}
        if len(self.rows) > 1:
            entry["min"] = _nested({name: stack.min(0) for name, stack in stacks.items()})
            entry["max"] = _nested({name: stack.max(0) for name, stack in stacks.items()})
        self.rows.clear()
        self.written = self.clock()
        self.write(entry)


class Metrics(Callback):
    """Writes the metrics of a run to a file, behind what is there."""

    may_lag = True

    def __init__(self, path: str | os.PathLike, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.writer = Writer(path)
        self.begun = clock()
        self.kinds: dict[Any, Merged] = {}
        self.shown: Any = None

    def on_start(self, solver: Training) -> None:
        self.begun = self.clock()
        self.writer.append({"phase": "start", "iteration": solver.iteration, "seconds": 0.0, "count": 0})

    def on_iteration(self, solver: Training) -> None:
        if solver.shown is not self.shown:
            self.shown = solver.shown
            head = {"phase": "train", "iteration": self.shown.iteration, "seconds": self._seconds()}
            if solver.rate is not None:  # it is where a finished run was resumed
                head["lr"] = solver.rate
            values = {"loss": np.array([self.shown.loss])}
            values |= {f"outputs.{name}": array for name, array in self.shown.outputs.items()}
            self._kind("train").add(head, values)

    def on_test(self, solver: Training, results: Sequence[Mapping[str, list[float]]]) -> None:
        for net, result in enumerate(results):
            head = {"phase": "test", "net": net, "iteration": solver.iteration, "seconds": self._seconds()}
            self._kind(net).add(head, {f"outputs.{name}": np.array(v) for name, v in result.items()})

    def on_snapshot(self, solver: Training, path: Path | None) -> None:
        self._flush()

    def on_stop(self, solver: Training) -> None:
        self.on_iteration(solver)  # the loss after the last update
        self._flush()

    def _kind(self, name: str | int) -> Merged:
        return self.kinds.setdefault(name, Merged(self.writer.append, self.clock))

    def _flush(self) -> None:
        for kind in self.kinds.values():
            kind.flush()

    def _seconds(self) -> float:
        return round(self.clock() - self.begun, 3)


def _nested(values: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Scalars as numbers, and what is of the outputs in an object of its own."""
    result: dict[str, Any] = {}
    for name, array in values.items():
        plain = [float(x) for x in array]
        where, _, output = name.partition(".")
        value = plain[0] if len(plain) == 1 else plain
        if output:
            result.setdefault(where, {})[output] = value
        else:
            result[name] = value
    return result
