"""What became of the runs in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError
from .home import Home
from .jsonlines import read


@dataclass
class Run:
    """A run as the list shows it.

    state      running, paused, finished, stopped (asked to, or early), failed (with an error), died (killed)
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
    """The runs in a folder, itself included, by name.  DataError if there is no such folder."""
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}")
    for path in [folder, *sorted(p for p in folder.iterdir() if p.is_dir())]:
        if Home(path).exists:
            yield describe(Home(path))


def describe(home: Home) -> Run:
    """The state of one run."""
    job, events, rows = home.read_job(), read(home.events), read(home.metrics)
    running = home.running
    begins = [i for i, entry in enumerate(events) if entry.get("event") in ("start", "resume")]
    events = events[begins[-1] :] if begins else []  # those of the last process
    if running:
        holds = [entry.get("command") for entry in events if entry.get("ok")]
        pauses = [command for command in holds if command in ("pause", "resume")]
        state = "paused" if pauses[-1:] == ["pause"] else "running"
    else:
        state = next((entry["state"] for entry in events if entry.get("event") == "end"), "died")
    known = [entry["iteration"] for entry in events if "iteration" in entry]
    if running or state == "died":
        known += [row["iteration"] for row in rows[-1:]]
    return Run(
        str(home.folder),
        job["net"],
        job["type"],
        state,
        max(known, default=0),
        job["max_iter"],
        job["started"],
        _best(rows),
    )


def _best(rows: list[dict[str, Any]]) -> tuple[str, float, int] | None:
    found: dict[str, tuple[float, int]] = {}
    for row in rows:
        if row.get("phase") != "test" or row.get("net"):
            continue
        for name, value in row["outputs"].items():
            if isinstance(value, (int, float)):
                sign = -1 if "loss" in name.lower() else 1
                if name not in found or sign * value > sign * found[name][0]:
                    found[name] = value, row["iteration"]
    for name in sorted(found, key=lambda name: "loss" in name.lower()):
        return name, *found[name]
    return None
