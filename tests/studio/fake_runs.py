"""Folders of runs as a trainer leaves them, and a trainer that only obeys."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minicaffe.runs.home import JOB_FORMAT, Home
from minicaffe.runs.jsonlines import Reader, Writer

from ..support.running import PROTOTXT

NET = (PROTOTXT / "digits" / "train_test.prototxt").read_text()
SOLVER = (
    'net: "net.prototxt"\nbase_lr: 0.01\nlr_policy: "fixed"\nmax_iter: 100\nsnapshot_prefix: "snapshots/d"\n'
)


def make_run(folder: Path, name: str, *, rows: int = 10, end: str = "finished", max_iter: int = 100) -> Home:
    """A run of `rows` displays and a test for every fifth, that has ended so; "" if it died."""
    home = Home(folder / name)
    home.snapshots.mkdir(parents=True)
    job: dict[str, Any] = dict.fromkeys(("folder", "solver", "net", "type"), "x")
    job |= {"format": JOB_FORMAT, "net": "LeNet-digits", "type": "SGD", "max_iter": max_iter, "seed": 1}
    job |= {"net_folder": None, "snapshot": None, "command": ["minicaffe", "train", "x"]}
    home.job.write_text(json.dumps(job | {"started": "2026-01-02T03:04:05+0000"}))
    (home.folder / "net.prototxt").write_text(NET)
    home.solver.write_text(SOLVER)
    home.log.write_text("".join(f"I0102 line {i}\n" for i in range(rows)))
    Writer(home.events).append({"event": "start", "iteration": 0, "time": 1.0, "seed": 1})
    Writer(home.metrics).append({"phase": "start", "iteration": 0, "seconds": 0.0, "count": 0})
    for i in range(rows):
        add_row(home, i)
    if end:
        Writer(home.events).append({"event": "end", "iteration": rows, "time": 2.0, "state": end})
    (home.folder / "lock").touch()
    return home


def add_row(home: Home, i: int, loss: float | None = None) -> None:
    head = {"phase": "train", "iteration": i, "seconds": i / 10, "lr": 0.01, "count": 1}
    Writer(home.metrics).append({**head, "loss": 1 / (1 + i) if loss is None else loss})
    if i % 5 == 0:
        head = {"phase": "test", "net": 0, "iteration": i, "seconds": i / 10, "count": 1}
        Writer(home.metrics).append({**head, "outputs": {"accuracy": i / 100, "loss": 1 / (1 + i)}})


@contextmanager
def trainer(home: Home, answer: Any = None) -> Iterator[list[dict]]:
    """A process that holds a run and acknowledges what it is told, unless `answer` says otherwise."""
    runs, given, going = Home(home.folder), [], threading.Event()
    runs.hold()
    Writer(home.events).append({"event": "start", "iteration": 0, "time": 3.0, "seed": 1})
    reader, events = Reader(home.control, from_end=True), Writer(home.events)

    def obey() -> None:
        while not going.wait(0.02):
            for entry in reader.new():
                given.append(entry)
                entry = {"event": "control", **entry, "iteration": 7, "ok": True}
                events.append(answer(entry) if answer else entry)

    thread = threading.Thread(target=obey)
    thread.start()
    try:
        yield given
    finally:
        going.set()
        thread.join()
        runs.release()


# In the place of python -m minicaffe: a run that begins at once and ends when it is told to.
SCRIPT = """
import fcntl, json, os, sys, time
arguments = sys.argv[2:]
folder = arguments[arguments.index("--run") + 1]
if "BREAK" in open(arguments[1]).read(): sys.exit("this solver is broken")
lock = open(os.path.join(folder, "lock"), "a+"); fcntl.flock(lock, fcntl.LOCK_EX)
job = json.loads(JOB); job["max_iter"] = 9
open(os.path.join(folder, "job.json"), "w").write(json.dumps(job))
events = open(os.path.join(folder, "events.jsonl"), "a")
say = lambda **entry: (events.write(json.dumps(entry) + "\\n"), events.flush())
say(event="start", iteration=0)
control, end = os.path.join(folder, "control.jsonl"), time.time() + 60
while time.time() < end:
    time.sleep(0.02)
    if os.path.exists(control):
        last = json.loads(open(control).read().splitlines()[-1])
        say(event="control", command=last["command"], id=last["id"], ok=True, iteration=3)
        break
say(event="end", iteration=3, state="stopped")
"""


def script(home: Home) -> str:
    return SCRIPT.replace("JOB)", repr(home.job.read_text()) + ")")


def wait_for(true: Any, timeout_s: float = 60) -> Any:
    end = time.monotonic() + timeout_s
    while not (found := true()):
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.03)
    return found
