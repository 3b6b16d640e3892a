"""Data sets in the making: a process for each, which outlives the server, and what it says of itself in a
folder."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..files import write_atomic
from .make_main import ARCHIVE, FILES, PROGRESS, REQUEST
from .worker import to_plain

LOCK, PROCESS = "lock", "process"
MOST_AT_ONCE = 2
PATIENCE_S = 5.0  # until a process that was asked to end is killed
LAST_WORDS = 2000  # characters of what a process wrote before it died


class Makings:
    """What is made in a workspace: `folder` has one of its own for each data set, called as that will be.

    A making that is done is forgotten once it is asked for; one that failed stays until it is forgotten.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._turn = threading.Lock()

    def start(self, name: str, request: dict[str, Any], upload: Path | None = None) -> None:
        """Begin to make the data set `name`; `upload` is a folder with what was sent, which is taken over.

        DataError if it is being made, or too many are.
        """
        with self._turn:
            running = [one for one in self._names() if self._is_alive(one)]
            if name in running:
                raise DataError(f"{name} is being made already", hint="wait, or abort it")
            if len(running) >= MOST_AT_ONCE:
                raise DataError(
                    f"{len(running)} data sets are being made already", hint="wait until one is done"
                )
            home = self.folder / name
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            for part in (FILES, ARCHIVE):
                if upload is not None and (upload / part).exists():
                    os.rename(upload / part, home / part)
            write_atomic(home / REQUEST, json.dumps(request).encode())
            write_atomic(home / PROGRESS, json.dumps({"status": "Running", "stage": "starting"}).encode())
            self._spawn(name, home)

    def _spawn(self, name: str, home: Path) -> None:
        """The lock belongs to the open file, which the child inherits: it is held until the child ends."""
        with open(home / LOCK, "wb") as lock, open(home / "log.txt", "wb") as log:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._children[name] = child = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.make_main", str(home)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock.fileno(),),
                start_new_session=True,
            )
        write_atomic(home / PROCESS, str(child.pid).encode())

    def _names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []

    def all(self) -> dict[str, dict[str, Any]]:
        """The states of all, by name; those that are done are forgotten."""
        return {name: state for name in self._names() if (state := self.state(name)) is not None}

    def state(self, name: str) -> dict[str, Any] | None:
        """status (Running, Error or Abort), stage, done, total, error; None for one that there is not."""
        home = self.folder / name
        alive = self._is_alive(name)  # asked first: what it says last, it says before it ends
        try:
            state = json.loads((home / PROGRESS).read_bytes())
        except (OSError, ValueError):
            return None
        if state["status"] == "Done":
            if not alive:
                self.forget(name)
            return None
        if state["status"] == "Running" and not alive:
            words = _last_words(home)
            return {"status": "Error", "error": to_plain(DataError(f"the process died: {words}"))}
        return state

    def _is_alive(self, name: str) -> bool:
        child = self._children.get(name)
        if child is not None and child.poll() is not None:
            del self._children[name]
        try:
            with open(self.folder / name / LOCK, "rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def abort(self, name: str) -> None:
        """End the process, and what it had begun; DataError if it does not run."""
        with self._turn:
            if not self._is_alive(name):
                raise DataError(f"{name} is not being made")
            process = int((self.folder / name / PROCESS).read_text())
            for number in (signal.SIGTERM, signal.SIGKILL):
                _signal(process, number)
                self._await_end(name)
            write_atomic(self.folder / name / PROGRESS, json.dumps({"status": "Abort"}).encode())

    def _await_end(self, name: str) -> None:
        until = time.monotonic() + PATIENCE_S
        while self._is_alive(name) and time.monotonic() < until:
            time.sleep(0.02)

    def forget(self, name: str) -> None:
        """Remove what was kept of one that has said its last."""
        self._await_end(name)
        if not self._is_alive(name):
            shutil.rmtree(self.folder / name, ignore_errors=True)


def _signal(process: int, number: int) -> None:
    try:
        os.killpg(process, number)
    except ProcessLookupError:
        pass


def _last_words(home: Path) -> str:
    try:
        words = (home / "log.txt").read_text("utf-8", "replace").strip()
    except OSError:
        words = ""
    return words[-LAST_WORDS:].splitlines()[-1] if words else "it was killed, or the machine was switched off"
