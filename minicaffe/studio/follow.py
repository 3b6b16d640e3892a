"""Runs being followed: what their files say, read as they grow and kept between requests.

Nothing here is known to the server alone: a server that starts anew reads the same files and says the same.
"""

from __future__ import annotations

import json
import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from ..errors import DataError, MiniCaffeError
from ..files import LARGEST_TEXT_BYTES, open_file, read_bytes, write_atomic
from ..graph.filter import takes_part
from ..proto import upgrade
from ..proto.schema import TRAIN, NetState
from ..runs import listing
from ..runs.curves import Curves
from ..runs.home import Home, lock_file
from ..runs.jsonlines import Reader
from .series import Series

ASKED = "asked"  # the folder, in that of a run, with what the page asked for
NET, SOLVER, REQUEST, OUTPUT = "net.prototxt", "solver.prototxt", "request.json", "output.txt"  # in it
WITHDRAWN = "never"  # the moment at which a run is launched that has been taken back
NOTES = "notes.json"
SPARKS = 60  # points of a sparkline
MOST_KEPT = 64  # runs whose series are kept in memory
LEAST_ITERATIONS = 20  # before a pace is one
MOST_NOTES = 10_000  # letters
LAST_LINES = 12  # of the log, where a run went wrong
STATES = {  # DIGITS' words
    "waiting": "Waiting",
    "starting": "Initialized",
    "running": "Running",
    "paused": "Running",
    "finished": "Done",
    "stopped": "Aborted",
}


class Followed:
    """One run by its folder; `lock` is held by whoever asks it for something."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder)
        self.series = Series(self.home.metrics)
        self.lock = threading.Lock()
        self._reader = Reader(self.home.events)
        self._events: list[dict[str, Any]] = []
        self._stamp: tuple[int, int] = (0, 0)
        self._batch: int | None = None
        self._summed: tuple[tuple[str, int], tuple[str, float, int] | None, list[float]] | None = None

    @property
    def id(self) -> str:
        return self.home.folder.name

    def run_id(self) -> str:
        """What changes when points that somebody holds count no longer: another run in the same folder, or
        another process that has taken some back."""
        try:
            made = os.stat(self.home.job)
            stamp = f"{made.st_ino:x}-{made.st_mtime_ns:x}"
        except OSError:
            stamp = "none"
        return f"{stamp}.{self.series.process}"

    def metrics(self, after: int, points: int, window: tuple[float, float] | None, run: str) -> dict:
        """The answer to somebody who holds what came up to byte `after` of run `run`."""
        with self.lock:
            self.series.read()
            now = self.run_id()
            if after > self.series.offset or (run and run != now):
                after = 0
            return {
                "run": now,
                "after": after,
                "next": self.series.offset,
                "series": self.series.since(after, points, window),
            }

    def events(self) -> list[dict[str, Any]]:
        """All events; those of a file that has been replaced are forgotten."""
        try:
            found = os.stat(self.home.events)
            stamp = (found.st_ino, found.st_size)
        except OSError:
            stamp = (0, 0)
        if stamp[0] != self._stamp[0] or stamp[1] < self._stamp[1]:
            self._reader, self._events = Reader(self.home.events), []
        self._events += self._reader.new()
        self._stamp = stamp
        return self._events

    def described(self) -> dict[str, Any]:
        """What the list of runs shows of this one."""
        with self.lock:
            return self._described()

    def _described(self) -> dict[str, Any]:
        notes = read_notes(self.home.folder)
        shown: dict[str, Any] = {
            "id": self.id,
            "name": notes.get("name") or self.id,
            "notes": notes.get("notes", ""),
            "best": None,
            "spark": [],
            "iteration": 0,
        }
        if not self.home.exists:
            return {**shown, **self._unborn()}
        self.series.read()
        try:
            job = self.home.read_job()
        except MiniCaffeError as error:
            return {**shown, "state": "damaged", "status": "Error", "error": str(error)}
        events = self.events()
        state, known = listing.state_of(events, running=self.home.running)
        if state in ("running", "paused", "died"):
            known = max(known, self.series.iteration)
        best, spark = self._summary()
        end = events[-1] if events and events[-1].get("event") == "end" else {}
        return {
            **shown,
            "state": state,
            "status": STATES.get(state, "Error"),
            "net": job["net"],
            "type": job["type"],
            "seed": job["seed"],
            "iteration": known,
            "max_iter": job["max_iter"],
            "started": job["started"],
            "best": best and {"name": best[0], "value": best[1], "iteration": best[2]},
            "spark": spark,
            "error": str(end.get("error", "")) or (self._last_lines() if state == "died" else ""),
        }

    def _summary(self) -> tuple[tuple[str, float, int] | None, list[float]]:
        """The best test and the sparkline, found anew only if there are new rows."""
        now = (self.run_id(), self.series.offset)
        if self._summed is None or self._summed[0] != now:
            loss = self.series.points.get("train/loss")
            curve = loss.thinned(0, SPARKS, None) if loss else None
            best = listing.best(Curves(self.id, [], {0: self.series.tests()}))
            self._summed = now, best, curve["y"] if curve else []
        return self._summed[1:]

    def _unborn(self) -> dict[str, Any]:
        """A run that was asked for and has not begun."""
        asked = read_object(self.home.folder / ASKED / REQUEST)
        state, error = "waiting", ""
        if is_alive(self.home.folder):
            state = "starting"
        elif asked.get("launched") == WITHDRAWN:
            state = "stopped"
        elif asked.get("launched"):
            state, error = "failed", self._last_lines()
        wanted = {"started": str(asked.get("asked", "")), "max_iter": asked.get("max_iter", 0)}
        return {**wanted, "state": state, "status": STATES.get(state, "Error"), "error": error}

    def _last_lines(self) -> str:
        """The end of what the process said."""
        for path in (self.home.folder / ASKED / OUTPUT, self.home.log):
            try:
                with open(path, "rb") as file:
                    file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
                    lines = file.read().decode("utf-8", "replace").splitlines()
            except OSError:
                continue
            if lines:
                return "\n".join(lines[-LAST_LINES:])
        return ""

    def pace(self) -> float | None:
        """The seconds that an iteration took, tests included; None before there are enough."""
        with self.lock:
            self.series.read()
            last = self.series.last("train/loss")
        return last[1] / last[0] if last and last[0] >= LEAST_ITERATIONS and last[1] > 0 else None

    def batch(self) -> int | None:
        """The images of an iteration, as far as a data layer of the run's net tells them."""
        if self._batch is None and self.home.exists:
            try:
                self._batch = _batch(self.home)
            except MiniCaffeError:
                return None
        return self._batch or None


def _batch(home: Home) -> int:
    """0 where no layer tells."""
    solver = home.read_solver()
    state = NetState()
    state.CopyFrom(solver.train_state)
    state.phase = TRAIN
    for layer in upgrade.read_net(home.folder / "net.prototxt").layer:
        if takes_part(layer, state) and not layer.bottom:
            for _, conf in layer.ListFields():
                size = getattr(conf, "batch_size", 0)
                if isinstance(size, int) and size > 0:
                    return size * solver.iter_size
    return 0


class Runs:
    """The runs of a folder that somebody looks at, the latest kept."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Path, Followed] = OrderedDict()
        self._lock = threading.Lock()

    def __getitem__(self, folder: Path) -> Followed:
        with self._lock:
            found = self._kept.get(folder)
            if found is None:
                found = self._kept[folder] = Followed(folder)
            self._kept.move_to_end(folder)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            return found

    def forget(self, folder: Path) -> None:
        with self._lock:
            self._kept.pop(folder, None)


def is_alive(folder: Path) -> bool:
    """Whether a process trains in a folder, or is about to: it has been started, and has no lock yet."""
    if Home(folder).running:
        return True
    try:
        with open_file(folder / ASKED / OUTPUT) as file:
            return not lock_file(file, shared=True)
    except DataError:
        return False


def is_asked_for(folder: Path) -> bool:
    """Whether a folder holds a run, or one that was asked for and has not begun."""
    try:
        return Home(folder).exists or (folder / ASKED / REQUEST).is_file()
    except (OSError, ValueError):  # a name that is too long, or holds a NUL
        return False


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file of ours; nothing if there is none, or somebody has spoilt it."""
    try:
        found = json.loads(read_bytes(path, LARGEST_TEXT_BYTES))
    except (DataError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def read_notes(folder: Path) -> dict[str, str]:
    """The name and the notes that people gave a run."""
    return {key: value for key, value in read_object(folder / NOTES).items() if isinstance(value, str)}


def write_notes(folder: Path, given: dict[str, str]) -> dict[str, str]:
    """Change what of name and notes is given."""
    notes = {**read_notes(folder), **given}
    write_atomic(folder / NOTES, (json.dumps(notes, indent=1) + "\n").encode())
    return notes
