"""What became of the runs in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import log
from ..errors import DataError, MiniCaffeError
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
    except OSError as error:
        raise DataError(f"cannot look into {folder}: {error.strerror}") from None
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
    job, events, rows = home.read_job(), read(home.events), read(home.metrics)
    running = home.running
    begins = [i for i, entry in enumerate(events) if entry.get("event") in ("start", "resume")]
    events = events[begins[-1] :] if begins else []  # those of the last process
    if running:
        holds = [entry.get("command") for entry in events if entry.get("ok")]
        pauses = [command for command in holds if command in ("pause", "resume")]
        state = "paused" if pauses[-1:] == ["pause"] else "running"
    else:
        state = next((str(e.get("state")) for e in events if e.get("event") == "end"), "died")
    seen = [*events, *(rows[-1:] if running or state == "died" else [])]
    known = [entry["iteration"] for entry in seen if isinstance(entry.get("iteration"), int)]
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
        outputs, iteration = row.get("outputs"), row.get("iteration")
        if row.get("phase") != "test" or row.get("net") or not isinstance(outputs, dict):
            continue
        for name, value in outputs.items():
            if isinstance(value, (int, float)) and isinstance(iteration, int):
                sign = -1 if "loss" in name.lower() else 1
                if name not in found or sign * value > sign * found[name][0]:
                    found[name] = value, iteration
    for name in sorted(found, key=lambda name: "loss" in name.lower()):
        return name, *found[name]
    return None
