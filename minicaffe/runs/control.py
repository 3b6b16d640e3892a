"""Commands to a solver that runs: lines in control.jsonl, acknowledged in events.jsonl.

    {"id": "7f3a", "command": "pause"}          also resume, stop, snapshot
    {"id": "9c01", "command": "set_lr", "value": 0.001}

The solver looks between iterations; a command without an id is given one.  The acknowledgement tells the
iteration at which it took effect:

    {"event": "control", "id": "9c01", "command": "set_lr", "value": 0.001, "iteration": 120, "ok": true}

A rate that was set belongs to the run: a resume from an earlier snapshot sets it again at the same iteration,
unless another is set before.
"""

from __future__ import annotations

import math
import secrets
import shlex
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import log
from ..errors import ConfigError, MiniCaffeError, suggest
from ..log import number
from ..solvers.callbacks import Callback
from ..solvers.runstate import integer, sequence
from .home import Home
from .jsonlines import Reader, Writer, read

if TYPE_CHECKING:
    from ..solvers.callbacks import Training
    from ..solvers.snapshot import State

COMMANDS = ("pause", "resume", "stop", "snapshot", "set_lr")
POLL_S = 0.05  # how often a paused solver looks


class Events(Callback):
    """Records what happens to a run in its events.jsonl."""

    may_lag = True

    def __init__(self, home: Home) -> None:
        self.writer = Writer(home.events)

    def record(self, event: str, iteration: int, **more: Any) -> None:
        self.writer.append({"event": event, "iteration": iteration, "time": round(time.time(), 3), **more})

    def on_start(self, solver: Training) -> None:
        self.record("resume" if solver.iteration else "start", solver.iteration, seed=solver.seed)

    def on_snapshot(self, solver: Training, path: Path | None) -> None:
        if path is None:
            self.record("snapshot_failed", solver.iteration, error=str(solver.snapshot_error))
        else:
            self.record("snapshot", solver.iteration, path=str(path))


class Control(Callback):
    """Carries out the commands of control.jsonl between iterations."""

    may_lag = True
    key = "control"

    def __init__(self, home: Home, events: Events) -> None:
        self.events = events
        self.reader = Reader(home.control, from_end=True)
        self.recorded = _recorded_rates(read(home.events))  # to be set again
        self.here: tuple[int, list[str]] = (0, [])  # the iteration, and the rates that were set at it, by id
        self.paused = False
        self._held_s = 0.0  # in pauses

    def clock(self) -> float:
        """Seconds on a clock that stands still in pauses."""
        return time.monotonic() - self._held_s

    def on_start(self, solver: Training) -> None:
        iteration, ids = self.here
        done = ids if iteration == solver.iteration else []
        self.recorded = [
            entry
            for entry in self.recorded
            if entry["iteration"] > solver.iteration
            or (entry["iteration"] == solver.iteration and entry["id"] not in done)
        ]
        self._repeat(solver)

    def on_iteration(self, solver: Training) -> None:
        self._repeat(solver)
        self._look(solver)
        if self.paused:
            since = time.monotonic()
            while self.paused and not solver.stopped:
                if solver.take_requests():
                    solver.try_snapshot()
                time.sleep(POLL_S)
                self._look(solver)
            self._held_s += time.monotonic() - since

    def _repeat(self, solver: Training) -> None:
        while self.recorded and self.recorded[0]["iteration"] <= solver.iteration:
            if solver.confirm():
                self._carry_out(solver, {**self.recorded.pop(0), "repeated": True})

    def _look(self, solver: Training) -> None:
        entries = list(self.reader.new())
        if entries:
            solver.confirm()  # what takes effect here must not be undone
        for entry in entries:
            self._carry_out(solver, entry)

    def _carry_out(self, solver: Training, entry: dict[str, Any]) -> None:
        command, error = entry.get("command"), ""
        said: dict[str, Any] = {key: entry[key] for key in ("command", "value", "repeated") if key in entry}
        said["id"] = entry["id"] if isinstance(entry.get("id"), str) else secrets.token_hex(4)
        try:
            if command in ("stop", "snapshot"):
                solver.requests.append(command)
            elif command in ("pause", "resume"):
                self.paused = command == "pause"
            elif command == "set_lr":
                self._set_rate(solver, said)
            else:
                raise ConfigError(f"no command {command!r}", hint=suggest(str(command), COMMANDS))
            value = f" {number(rate_of(entry['value']))}" if command == "set_lr" else ""
            log.info(f"Control: {command}{value} at iteration {solver.iteration}")
        except MiniCaffeError as reason:
            error = str(reason)
            log.warning(f"Control: {error}")
        more = {"error": error} if error else {}
        self.events.record("control", solver.iteration, **said, ok=not error, **more)

    def _set_rate(self, solver: Training, said: dict[str, Any]) -> None:
        solver.policy.set_rate(solver.iteration, rate_of(said.get("value")))
        if "repeated" not in said:  # from here on the run goes another way than the one recorded
            self.recorded.clear()
        ids = self.here[1] if self.here[0] == solver.iteration else []
        self.here = solver.iteration, [*ids, said["id"]]

    def state(self) -> dict[str, Any]:
        return {"iteration": self.here[0], "rates": self.here[1]}

    def restore(self, solver: Training, state: dict[str, Any], stored: State) -> None:
        rates = sequence(state["rates"])
        if not all(isinstance(name, str) for name in rates):
            raise ValueError("a rate has no id")
        self.here = integer(state["iteration"]), rates


def rate_of(value: Any) -> float:
    """A learning rate that can be set; ConfigError for what is none."""
    with suppress(OverflowError):
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < float(value) < math.inf:
            return float(value)
    raise ConfigError(f"a learning rate must be a number above 0; got {str(value)[:40]!r}")


def _recorded_rates(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rates that were set in this run, in order.  One that was set after a resume replaces those that lay
    ahead of it then: they belong to what the resume has undone."""
    found: list[dict[str, Any]] = []
    for entry in events:
        rate = entry.get("event") == "control" and entry.get("command") == "set_lr" and entry.get("ok")
        if rate and not entry.get("repeated") and isinstance(entry.get("iteration"), int):
            found = [earlier for earlier in found if earlier["iteration"] <= entry["iteration"]]
            found.append({"id": "", **entry})
    return found


def send(
    home: Home,
    command: str,
    value: float | None = None,
    *,
    timeout_s: float = 10,
    poll: Callable = time.sleep,
) -> dict[str, Any] | None:
    """Give a command to the process that runs in a folder, and wait for its acknowledgement, an event; None
    if there is none in time.  ConfigError if nothing runs there, DataError for a link in the place of a file
    (Home.refuse_links)."""
    if not home.running:
        raise ConfigError(
            f"{home.folder}: nothing runs here",
            hint=f"minicaffe train --run {shlex.quote(str(home.folder))} --resume auto",
        )
    home.refuse_links()
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
