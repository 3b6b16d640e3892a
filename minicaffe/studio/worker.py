"""Processes in which everything happens that is heavy, or fed by what somebody uploads: checking nets,
running them, decoding images.  Each has a limit of memory, and each call one of time; a process that exceeds
one is killed, and the server goes on.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from .. import errors
from ..errors import DataError, MiniCaffeError, Place
from . import answers, frames

GIB = 1 << 30
# Of addresses, of which a process takes more than of memory: Numba's threads reserve stacks and arenas.
MOST_BYTES = {"check": 8 * GIB, "image": 8 * GIB, "net": 32 * GIB}
PACKAGE = "minicaffe.studio."
Process = subprocess.Popen[bytes]


class Workers:
    """The processes, by name: one for each, started when it is first needed and kept.

    scratch   where a process's output goes, as NAME.log
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._making = threading.Lock()
        self._workers: dict[str, Worker] = {}

    def call(self, name: str, function: str, arguments: dict[str, Any], timeout_s: float = 60) -> Any:
        """What a function, "minicaffe.studio.MODULE:NAME", returns for plain data, run in the process `name`.

        Raises what it raises if that is one of ours; Busy if the process works for others so long that none
        of the time is left; DataError if it takes longer, runs out of memory or dies.
        """
        with self._making:
            worker = self._workers.get(name)
            if worker is None:
                worker = self._workers[name] = Worker(name, MOST_BYTES[name], self._scratch / f"{name}.log")
        return worker.call(function, arguments, timeout_s)

    def close(self) -> None:
        with self._making:
            for worker in self._workers.values():
                worker.kill()
            self._workers.clear()


class Worker:
    """One process, for one call at a time."""

    def __init__(self, name: str, most_bytes: int, log: Path) -> None:
        self._name = name
        self._most_bytes = most_bytes
        self._log = log
        self._turn = threading.Lock()
        self._process: Process | None = None

    def call(self, function: str, arguments: dict[str, Any], timeout_s: float) -> Any:
        if not function.startswith(PACKAGE) or function.rpartition(":")[2].startswith("_"):
            raise ValueError(f"{function} is not for workers")
        ends = time.monotonic() + timeout_s
        if not self._turn.acquire(timeout=timeout_s):
            raise answers.Busy(
                f"other requests have kept this one waiting for {timeout_s:g} s", hint="try again"
            )
        try:
            return self._ask({"function": function, "arguments": arguments}, ends, timeout_s)
        finally:
            self._turn.release()

    def kill(self) -> None:
        """End the process, with those it has started."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]

    def _ask(self, question: dict[str, Any], ends: float, timeout_s: float) -> Any:
        process = self._told(frames.pack(question))
        try:
            answer = self._heard(process, ends, timeout_s)
        except (EOFError, json.JSONDecodeError):
            self.kill()
            raise DataError(
                f"the process that worked on it died: it may have run out of its {self._most_bytes >> 30} GiB"
                f" of memory; see {self._log}"
            ) from None
        if "error" in answer:
            raise from_plain(answer["error"])
        if "fault" in answer:
            raise RuntimeError(f"{question['function']}: {answer['fault']}; see {self._log}")
        return answer["result"]

    def _told(self, frame: bytes) -> Process:
        """The process, which has got a frame."""
        for _ in range(2):
            process = self._running()
            assert process.stdin is not None
            try:
                process.stdin.write(frame)
                process.stdin.flush()
                return process
            except OSError:  # it died while nobody asked: a new one gets the question
                self.kill()
        raise DataError(f"the process {self._name!r} does not start; see {self._log}")

    def _heard(self, process: Process, ends: float, timeout_s: float) -> Any:
        """The answer of a process; DataError, and no process, if none comes in time."""
        assert process.stdout is not None
        while not select.select([process.stdout], [], [], max(0.0, ends - time.monotonic()))[0]:
            if time.monotonic() >= ends:
                self.kill()
                raise DataError(f"it took longer than {timeout_s:g} s, and was stopped", hint="ask for less")
        return frames.unpack(process.stdout)

    def _running(self) -> Process:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.kill()
        command = [sys.executable, "-m", "minicaffe.studio.worker_main", str(self._most_bytes)]
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
        return self._process


def to_plain(error: MiniCaffeError) -> dict[str, Any]:
    """An error as plain data, from which `from_plain` makes it again."""
    return {
        "kind": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "field": error.field,
        "places": [list(place) for place in error.places],
    }


def from_plain(told: dict[str, Any]) -> MiniCaffeError:
    kind: Any = getattr(errors, told["kind"], None) or getattr(answers, told["kind"], MiniCaffeError)
    found: MiniCaffeError = kind(told["message"], hint=told["hint"], field=told["field"])
    found.places = [Place(*place) for place in told["places"]]
    return found
