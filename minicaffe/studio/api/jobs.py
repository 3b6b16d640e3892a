"""Runs: the list, their metrics, events and logs as they grow, commands to them, names, deletion."""

from __future__ import annotations

import os
import secrets
import shutil
import threading
import time
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...errors import ConfigError, suggest
from ...runs import control
from ...runs.home import Home
from .. import answers
from ..follow import MOST_NOTES, Followed, Runs, is_alive, is_asked_for, write_notes
from ..launch import Launcher

POINTS = 1200  # of a series, unless asked for otherwise
LOG_BYTES = 1 << 18  # in one answer
ANSWER_S = 10  # how long a command waits for its acknowledgement
SETTLE_S = 3
_MAKING = threading.Lock()


def runs_of(request: Request) -> Runs:
    """What this server keeps of the runs it has read."""
    return _made(request, "runs", Runs)


def launcher_of(request: Request) -> Launcher:
    """What starts runs in the workspace."""
    return _made(request, "launcher", lambda: Launcher(request.app.state.workspace.folder))


def _made(request: Request, name: str, make: Any) -> Any:
    with _MAKING:
        if not hasattr(request.app.state, name):
            setattr(request.app.state, name, make())
        return getattr(request.app.state, name)


def folder_of(request: Request) -> Path:
    """The folder of the run that the address names; Missing if there is none."""
    name = request.path_params["id"].removesuffix(".json")
    folder: Path = request.app.state.workspace.place(name)
    if not is_asked_for(folder):
        raise answers.Missing(f"there is no run {name!r}", hint="GET /api/jobs lists them")
    return folder


def followed(request: Request) -> Followed:
    return runs_of(request)[folder_of(request)]


def job_list(request: Request) -> Response:
    """All runs, the newest first."""
    launcher_of(request).start_waiting()
    known, found = runs_of(request), []
    for path in request.app.state.workspace.folder.iterdir():
        if not path.name.startswith(".") and path.is_dir() and is_asked_for(path):
            found.append(known[path].described())
    found.sort(key=lambda run: (run.get("started", ""), run["id"]), reverse=True)
    return answers.json({"jobs": found})


def job(request: Request) -> Response:
    run = followed(request)
    shown = run.described() | {"batch": run.batch()}
    for name, path in (("net_text", "net.prototxt"), ("solver_text", "solver.prototxt")):
        shown[name] = _text(run.home, path)
    return answers.json(shown)


def _text(home: Home, name: str) -> str:
    for path in (home.folder / name, home.folder / "asked" / name):
        try:
            return path.read_text("utf-8", "replace")
        except OSError:
            continue
    return ""


def status(request: Request) -> Response:
    """DIGITS' status of a job."""
    shown = followed(request).described()
    done = shown["iteration"] / shown["max_iter"] if shown.get("max_iter") else 0
    return answers.json(
        {"id": shown["id"], "name": shown["name"], "status": shown["status"], "progress": round(done, 4)}
    )


def metrics(request: Request) -> Response:
    query = request.query_params
    window = None
    if "first" in query or "last" in query:
        window = (_number(request, "first", 0), _number(request, "last", 2**53))
    found = followed(request).metrics(
        _number(request, "after", 0), _number(request, "points", POINTS), window, query.get("run", "")
    )
    return answers.json(found)


def events(request: Request) -> Response:
    """The events from number `after` on."""
    run, after = followed(request), _number(request, "after", 0)
    with run.lock:
        run.series.read()
        found, name = list(run.events()), run.run_id()
    if after > len(found):
        after = 0
    return answers.json({"run": name, "after": after, "next": len(found), "events": found[after:]})


def log(request: Request) -> Response:
    """The log behind byte `after`; of what is long, the end."""
    run, after = followed(request), _number(request, "after", 0)
    path = run.home.log if run.home.log.exists() else run.home.folder / "asked" / "output.txt"
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            after = 0 if after > size else after
            begun = max(after, size - LOG_BYTES)
            file.seek(begun)
            data = file.read(LOG_BYTES)
    except OSError:
        return answers.json({"after": 0, "next": 0, "skipped": 0, "text": ""})
    if begun > after:  # in the middle of a line
        cut = data.find(b"\n") + 1
        begun, data = begun + cut, data[cut:]
    whole = data[: data.rfind(b"\n") + 1]
    text = whole.decode("utf-8", "replace")
    return answers.json({"after": after, "next": begun + len(whole), "skipped": begun - after, "text": text})


def command(request: Request) -> Response:
    """POST {op, value}: pause, resume, stop, snapshot, set_lr; answers the run's acknowledgement.  Resume of
    a run that has ended goes on with it."""
    folder, body = folder_of(request), answers.body(request)
    op, value = body.get("op"), body.get("value")
    if op not in control.COMMANDS:
        raise ConfigError(f"no command {op!r}", hint=suggest(str(op), control.COMMANDS), field="op")
    return _carry_out(request, folder, str(op), value)


def _carry_out(request: Request, folder: Path, op: str, value: Any = None) -> Response:
    home, launcher = Home(folder), launcher_of(request)
    if op == "stop" and launcher.withdraw(folder):
        return answers.json({"event": "withdrawn", "command": op, "ok": True})
    if not home.running:
        _settle(folder)
    if not home.running:
        if is_alive(folder):
            raise answers.Busy(f"{folder.name} is starting", hint="in a moment it can be commanded")
        if op != "resume":
            raise answers.Busy(f"{folder.name} does not run", hint="resume it")
        launcher.resume(folder)
        return answers.json({"event": "resumed", "command": op, "ok": True})
    rate = control.rate_of(value) if op == "set_lr" else None
    answer = control.send(home, op, rate, timeout_s=ANSWER_S)
    if answer is None:
        waits = {"event": "given", "command": op, "ok": None}
        return answers.json(waits | {"note": f"no answer in {ANSWER_S} s: an iteration may take longer"}, 202)
    if not answer["ok"]:
        raise ConfigError(str(answer.get("error", "the run refused")), field="value")
    return answers.json(answer)


def _settle(folder: Path) -> None:
    """Wait, though not for long, while a process is about to begin or to end."""
    end = time.monotonic() + SETTLE_S
    while is_alive(folder) and not Home(folder).running and time.monotonic() < end:
        time.sleep(0.05)


def abort(request: Request) -> Response:
    """DIGITS' abort: stop behind this iteration, with a snapshot."""
    return _carry_out(request, folder_of(request), "stop")


def rename(request: Request) -> Response:
    """DIGITS' PUT: the name and the notes that people see; the folder stays."""
    folder, body = folder_of(request), answers.body(request)
    given: dict[str, Any] = {key: body[key] for key in ("name", "notes") if key in body}
    for key, value in given.items():
        if not isinstance(value, str) or len(value) > MOST_NOTES:
            raise ConfigError(f"{key} must be a text of at most {MOST_NOTES} letters", field=key)
    if not given:
        raise ConfigError("neither name nor notes are given", hint='{"name": "first try"}')
    return answers.json(write_notes(folder, given))


def remove(request: Request) -> Response:
    """Delete a run that has ended, with all its files."""
    folder = folder_of(request)
    launcher_of(request).withdraw(folder)
    _settle(folder)
    if is_alive(folder):
        raise answers.Busy(f"{folder.name} runs", hint="stop it first")
    runs_of(request).forget(folder)
    grave = request.app.state.workspace.scratch / f"deleted-{secrets.token_hex(8)}"
    os.rename(folder, grave)  # at once for everybody who looks
    shutil.rmtree(grave, ignore_errors=True)
    return answers.json({"deleted": folder.name})


def _number(request: Request, name: str, default: int) -> int:
    given = request.query_params.get(name, str(default))
    if not (given.isascii() and given.isdecimal()) or len(given) > 16:
        raise ConfigError(f"{name} must be an integer, 0 or more; got {given[:40]!r}", field=name)
    return int(given)


ROUTES = [
    Route("/api/jobs", job_list),
    Route("/api/jobs/{id}", job),
    Route("/api/jobs/{id}/metrics", metrics),
    Route("/api/jobs/{id}/events", events),
    Route("/api/jobs/{id}/log", log),
    Route("/api/jobs/{id}/control", command, methods=["POST"]),
    *(Route(f"/{kind}/{{id}}/abort", abort, methods=["POST"]) for kind in ("models", "jobs")),
    *(Route(f"/{kind}/{{id}}/status", status) for kind in ("models", "jobs")),
    *(Route(f"/{kind}/{{id}}", remove, methods=["DELETE"]) for kind in ("models", "jobs")),
    Route("/jobs/{id}", rename, methods=["PUT"]),
]
