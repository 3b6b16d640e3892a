"""Starting runs in processes of their own, so many at a time; the rest waits in its folders.

A run that was asked for is a folder with `asked/`: the request, the net, the solver, and what the process
says before its log begins.  The process has its own session and knows nothing of the server, so it outlives
it; and a server that starts anew finds what waits, and goes on with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import DataError
from ..files import write_together
from ..proto import text
from ..runs.home import Home, lock_file
from . import follow
from .follow import ASKED, NET, OUTPUT, REQUEST, SOLVER, WITHDRAWN

if TYPE_CHECKING:
    from .plans import Plan

MOST_RUNNING = 2  # processes that train at a time
LOOK_S = 0.5  # how often what waits is looked at
SCRIPT = (  # python -m minicaffe, found where this one lies, whatever the folder and PYTHONPATH
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1));"
    " runpy.run_module('minicaffe', run_name='__main__', alter_sys=True)"
)
PACKAGE_PLACE = str(Path(__file__).resolve().parents[2])


class Launcher:
    """Starts the runs of one folder.

    folder  that holds the runs, and in which they work
    most    how many may run at a time
    """

    def __init__(self, folder: Path, most: int = MOST_RUNNING) -> None:
        self.folder, self.most = folder, most
        self._lock = threading.Lock()
        self._children: list[subprocess.Popen] = []
        self._watching = False

    def ask(self, folder: Path, plan: Plan, request: dict[str, Any]) -> None:
        """Write down what a run is to be; `start_waiting` starts it when there is room."""
        asked = folder / ASKED
        asked.mkdir(parents=True, exist_ok=True)
        solver = type(plan.solver)()
        solver.CopyFrom(plan.solver)
        solver.net = str(asked / NET)
        moment = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        record = {"asked": moment, "order": time.time(), "max_iter": solver.max_iter, "varied": plan.varied}
        write_together(
            {
                asked / NET: text.spell(plan.net).encode(),
                asked / SOLVER: text.spell(solver).encode(),
                asked / REQUEST: _json({**request, **record}),
            }
        )

    def start_waiting(self) -> None:
        """Start what waits, the first asked for first, as far as there is room; a thread keeps an eye on the
        rest."""
        with self._lock:
            self._children = [child for child in self._children if child.poll() is None]
            waiting = sorted(self._waiting())
            room = self.most - self._running() if waiting else 0
            for _, folder in waiting[: max(room, 0)]:
                self._start(folder)
            if len(waiting) > room and not self._watching:
                self._watching = True
                threading.Thread(target=self._watch, name="waiting runs", daemon=True).start()

    def resume(self, folder: Path) -> None:
        """Let a run that has ended go on where its newest snapshot is."""
        with self._lock:
            self._spawn(folder, ["--run", str(folder), "--resume", "auto"])

    def withdraw(self, folder: Path) -> bool:
        """Take back a run that waits; whether it did."""
        with self._lock:
            waits = any(found == folder for _, found in self._waiting())
            if waits:
                self._record(folder, launched=WITHDRAWN)
            return waits

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_S)
            self.start_waiting()
            with self._lock:
                if not any(self._waiting()):
                    self._watching = False
                    return

    def _waiting(self) -> Iterator[tuple[float, Path]]:
        for path in self.folder.iterdir():
            request = path / ASKED / REQUEST
            if request.is_file() and not Home(path).exists:
                asked = follow.read_object(request)
                if asked and not asked.get("launched"):
                    yield float(asked.get("order", 0)), path

    def _running(self) -> int:
        return sum(follow.is_alive(path) for path in self.folder.iterdir() if follow.is_asked_for(path))

    def _start(self, folder: Path) -> None:
        asked = folder / ASKED
        self._record(folder, launched=time.strftime("%Y-%m-%dT%H:%M:%S%z"))
        self._spawn(folder, [str(asked / SOLVER), "--run", str(folder)])

    def _record(self, folder: Path, **more: Any) -> None:
        path = folder / ASKED / REQUEST
        write_together({path: _json({**follow.read_object(path), **more})})

    def _spawn(self, folder: Path, arguments: list[str]) -> None:
        command = [sys.executable, "-c", SCRIPT, PACKAGE_PLACE, "train", *arguments, "--log", "caffe"]
        (folder / ASKED).mkdir(exist_ok=True)
        with _held(folder / ASKED / OUTPUT) as output:
            child = subprocess.Popen(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._children.append(child)


def _held(path: Path) -> BinaryIO:
    """An empty file, locked for whoever has it open: the process that it is given to holds the lock."""
    output = open(path, "ab")
    if not lock_file(output):
        output.close()
        raise DataError(f"{path} is held by a process that has been started", hint="wait for it")
    output.truncate(0)
    return output


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()
