"""What became of the runs in a folder."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import log
from ..errors import DataError, MiniCaffeError
from . import metric_rows
from .curves import Curves
from .home import Home
from .jsonlines import read


@dataclass
class Run:
    """A run as the list shows it.

    state      running, paused, finished, stopped (asked to, or early), failed (with an error), died (killed),
               damaged (its job.json cannot be read)
    iteration  updates that are known to have been made
    best       the best test output so far, with its name and iteration; the lowest loss if no other is tested
    """

    folder: str
    net: str
    type: str
    state: str
    iteration: int
    max_iter: int
    started: str
    best: tuple[str, float, int] | None


def runs(folder: Path) -> Iterator[Run]:
    """The runs in a folder, itself included, by name.  DataError if it cannot be looked into."""
    try:
        inside = sorted(folder.iterdir())
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot look into {folder}: {reason}") from None
    for path in [folder, *inside]:
        home = Home(path)
        if home.exists:
            try:
                yield describe(home)
            except MiniCaffeError as error:
                log.warning(str(error))
                yield Run(str(path), "", "", "damaged", 0, 0, "", None)


def describe(home: Home) -> Run:
    """The state of one run."""
    job, events, curves = home.read_job(), read(home.events), _curves(home)
    state, known = state_of(events, running=home.running)
    if state in ("running", "paused", "died"):
        known = max([known, *(rows[-1].iteration for rows in (curves.train, *curves.tests.values()) if rows)])
    name, kind, last, started = job["net"], job["type"], job["max_iter"], job["started"]
    return Run(str(home.folder), name, kind, state, known, last, started, best(curves))


def state_of(events: Sequence[dict[str, Any]], *, running: bool) -> tuple[str, int]:
    """The state that a run is in by its events, and the latest iteration that those of its last process name;
    `running`: a process holds its lock."""
    begins = [i for i, entry in enumerate(events) if entry.get("event") in ("start", "resume")]
    events = events[begins[-1] :] if begins else []  # those of the last process
    if running:
        holds = [entry.get("command") for entry in events if entry.get("ok")]
        pauses = [command for command in holds if command in ("pause", "resume")]
        state = "paused" if pauses[-1:] == ["pause"] else "running"
    else:
        state = next((str(e.get("state")) for e in events if e.get("event") == "end"), "died")
    iterations = [entry["iteration"] for entry in events if isinstance(entry.get("iteration"), int)]
    return state, max(iterations, default=0)


def _curves(home: Home) -> Curves:
    """What the metrics say; nothing if they are damaged."""
    try:
        return metric_rows.curves(read(home.metrics), home.folder.name)
    except DataError as error:
        log.warning(f"{home.metrics}: {error}")
        return Curves(home.folder.name)


def best(curves: Curves) -> tuple[str, float, int] | None:
    """Of the first test net's outputs with one element: the best of the first that is no loss, else of the
    first."""
    found: dict[str, tuple[float, int]] = {}
    for row in curves.tests.get(0, []):
        for name, values in row.outputs.items():
            sign = -1 if curves.falls(name) else 1
            if (
                len(values) == 1
                and not math.isnan(values[0])
                and (name not in found or sign * values[0] > sign * found[name][0])
            ):
                found[name] = values[0], row.iteration
    for name in sorted(found, key=curves.is_loss):
        return name, *found[name]
    return None
