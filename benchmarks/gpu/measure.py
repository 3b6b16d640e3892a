"""Times of what a GPU does, and of what asking for it takes the host."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from minicaffe.checking.timing import Spread

from .setting import Effort

Body = Callable[[], object]


def gpu_seconds(device: Any, body: Body, effort: Effort) -> np.ndarray:
    """Seconds of the GPU per run of `body`, so many times measured: of graphs that hold it repeatedly.

    `device` is one of minicaffe's, or what has its capture, clock and seconds.
    """
    body()
    mark = device.clock()
    once = _replays(device, device.capture(body), mark, 3).min()
    copies = min(effort.copies, max(1, math.ceil(effort.graph_s / max(once, 1e-7))))

    def several() -> None:
        for _ in range(copies):
            body()

    return _replays(device, device.capture(several), mark, effort.repeats) / copies


def _replays(device: Any, graph: Body, mark: Callable[[], Any], repeats: int) -> np.ndarray:
    """Seconds of each of so many launches of a graph."""
    graph()  # the first one uploads it
    marks = [mark()]
    for _ in range(repeats):
        graph()
        marks.append(mark())
    return np.array([device.seconds(*pair) for pair in itertools.pairwise(marks)])


def host_seconds(wait: Body, body: Body, effort: Effort) -> tuple[np.ndarray, np.ndarray]:
    """Seconds per call of `body` by the wall clock: until the calls returned, and until `wait` did behind
    them."""
    body()
    queued, done = np.zeros(effort.repeats), np.zeros(effort.repeats)
    for i in range(effort.repeats):
        wait()
        begun = time.perf_counter()
        for _ in range(effort.calls):
            body()
        queued[i] = time.perf_counter() - begun
        wait()
        done[i] = time.perf_counter() - begun
    return queued / effort.calls, done / effort.calls


def spread(seconds: np.ndarray) -> dict[str, Any]:
    """Median and quartiles in milliseconds, and of how many measurements."""
    found = Spread.of(seconds)
    return {"median": found.median, "p25": found.p25, "p75": found.p75, "repeats": len(seconds)}


def rates(amount: float, seconds: np.ndarray) -> dict[str, Any]:
    """The same of an amount per second."""
    p25, median, p75 = np.percentile(amount / np.maximum(seconds, 1e-12), (25, 50, 75))
    return {"median": float(median), "p25": float(p25), "p75": float(p75), "repeats": len(seconds)}
