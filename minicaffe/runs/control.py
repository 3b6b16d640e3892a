"""Commands to a solver that runs: lines in control.jsonl, acknowledged in events.jsonl.

    {"id": "7f3a", "command": "pause"}          also resume, stop, snapshot
    {"id": "9c01", "command": "set_lr", "value": 0.001}

The solver looks between iterations.  The acknowledgement tells the iteration at which a command took effect:

    {"event": "control", "id": "9c01", "command": "set_lr", "value": 0.001, "iteration": 120, "ok": true}

A rate that was set belongs to the run: a resume from an earlier snapshot sets it again at the same iteration.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import log
from ..errors import ConfigError, MiniCaffeError, suggest
from ..log import number
from ..solvers.callbacks import Callback
from .home import Home
from .jsonlines import Reader, Writer, read

COMMANDS = ("pause", "resume", "stop", "snapshot", "set_lr")
POLL_S = 0.05  # how often a paused solver looks


class Events(Callback):
    """Records what happens to a run in its events.jsonl."""

    def __init__(self, home: Home) -> None:
        self.writer = Writer(home.events)

    def record(self, event: str, iteration: int, **more: Any) -> None:
        self.writer.append({"event": event, "iteration": iteration, "time": round(time.time(), 3), **more})

    def on_start(self, solver) -> None:
        self.record("resume" if solver.iteration else "start", solver.iteration, seed=solver.seed)

    def on_snapshot(self, solver, path) -> None:
        if path is None:
            self.record("snapshot_failed", solver.iteration, error=str(solver.snapshot_error))
        else:
            self.record("snapshot", solver.iteration, path=str(path))


class Control(Callback):
    """Carries out the commands of control.jsonl between iterations."""

    def __init__(self, home: Home, events: Events) -> None:
        self.events = events
        self.reader = Reader(home.control, from_end=True)
        self.recorded = _recorded_rates(home.events)
        self.paused = False

    def on_start(self, solver) -> None:
        self.recorded = [entry for entry in self.recorded if entry["iteration"] > solver.iteration]

    def on_iteration(self, solver) -> None:
        while self.recorded and self.recorded[0]["iteration"] <= solver.iteration:
            entry = self.recorded.pop(0)
            self._carry_out(solver, {**entry, "repeated": True})
        self._look(solver)
        while self.paused and not solver.requests:
            time.sleep(POLL_S)
            self._look(solver)

    def _look(self, solver) -> None:
        for entry in self.reader.new():
            self._carry_out(solver, entry)

    def _carry_out(self, solver, entry: dict[str, Any]) -> None:
        command, error = entry.get("command"), ""
        said = {key: entry[key] for key in ("id", "command", "value", "repeated") if key in entry}
        try:
            if command in ("stop", "snapshot"):
                solver.requests.append(command)
            elif command in ("pause", "resume"):
                self.paused = command == "pause"
            elif command == "set_lr":
                solver.policy.set_rate(solver.iteration, rate_of(entry.get("value")))
            else:
                raise ConfigError(f"no command {command!r}", hint=suggest(str(command), COMMANDS))
            value = f" {number(entry['value'])}" if command == "set_lr" else ""
            log.info(f"Control: {command}{value} at iteration {solver.iteration}")
        except MiniCaffeError as reason:
            error = str(reason)
            log.warning(f"Control: {error}")
        self.events.record(
            "control", solver.iteration, **said, ok=not error, **({"error": error} if error else {})
        )


def rate_of(value: Any) -> float:
    """A learning rate that can be set; ConfigError for what is none."""
    try:
        rate = float(value)
    except (TypeError, ValueError):
        rate = -1.0
    if not 0 < rate < float("inf"):
        raise ConfigError(f"a learning rate must be a number above 0; got {value!r}")
    return rate


def _recorded_rates(events: Path) -> list[dict[str, Any]]:
    """The rates that were set in this run, in order, each once."""
    found: dict[Any, dict[str, Any]] = {}
    for entry in read(events):
        if entry.get("event") == "control" and entry.get("command") == "set_lr" and entry.get("ok"):
            found.setdefault(entry.get("id"), entry)
    return sorted(found.values(), key=lambda entry: entry["iteration"])


def send(
    home: Home,
    command: str,
    value: float | None = None,
    *,
    timeout_s: float = 10,
    poll: Callable = time.sleep,
) -> dict[str, Any] | None:
    """Give a command to the process that runs in a folder, and wait for its acknowledgement, an event; None
    if there is none in time.  ConfigError if nothing runs there."""
    if not home.running:
        raise ConfigError(
            f"{home.folder}: nothing runs here", hint=f"minicaffe train --run {home.folder} --resume auto"
        )
    answers = Reader(home.events, from_end=True)
    entry: dict[str, Any] = {"id": secrets.token_hex(4), "command": command, "time": round(time.time(), 3)}
    Writer(home.control).append(entry if value is None else {**entry, "value": value})
    end = time.monotonic() + timeout_s
    while True:
        for answer in answers.new():
            if answer.get("event") == "control" and answer.get("id") == entry["id"]:
                return answer
        if time.monotonic() >= end or not home.running:
            return None
        poll(POLL_S)
