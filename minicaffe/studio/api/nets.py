"""Routes of the Design page: verdicts on texts, the palette, templates, drafts, DIGITS' two previews."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ... import zoo
from ...errors import ConfigError
from ...files import read_text, write_atomic
from ...proto import text as prototxt
from ...proto.schema import SolverParameter
from ...solvers.policy import Policy
from .. import answers, pace, screen

CHECK_S, DRAW_S, ROOF_S = 60.0, 60.0, 180.0  # the first call starts a process, which imports the engine
DRAFT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
MOST_DRAFTS = 500
POINTS = 400  # of a curve of rates, at most


def check(request: Request) -> Response:
    """The verdict on {text, phase, solver}: see designing.verdict."""
    given = answers.body(request)
    workspace = request.app.state.workspace
    arguments = {
        "text": _text(given, "text"),
        "phase": _text(given, "phase", "TRAIN"),
        "bounds": screen.plain(workspace),
        "solver": _text(given, "solver") if given.get("solver") is not None else None,
    }
    call = request.app.state.workers.call
    found = call("check", "minicaffe.studio.designing:verdict", arguments, timeout_s=CHECK_S)
    if found["cost"] is not None and (measured := pace.kept(workspace.scratch)) is not None:
        found["cost"]["roof"] = measured
        found["cost"]["least_step_s"] = pace.least_step_s(found["cost"], measured)
    return answers.json(found)


def measure(request: Request) -> Response:
    """Measure what this machine can do, for the expected time of a step."""
    measured = request.app.state.workers.call("net", "minicaffe.studio.pace:measure", {}, timeout_s=ROOF_S)
    pace.keep(request.app.state.workspace.scratch, measured)
    return answers.json(measured)


def layers(request: Request) -> Response:
    """The palette: every type of layer, and the fields of all messages; see palette.palette."""
    state = request.app.state
    if not hasattr(state, "palette"):  # it stays as it is as long as the program does
        state.palette = state.workers.call("check", "minicaffe.studio.palette:palette", {}, timeout_s=CHECK_S)
    return answers.json(state.palette)


def layer(request: Request) -> Response:
    """What the docstring of a type says."""
    name = request.path_params["type"]
    call = request.app.state.workers.call
    text = call("check", "minicaffe.studio.palette:text_of", {"name": name}, timeout_s=CHECK_S)
    return answers.json({"type": name, "text": text})


def templates(request: Request) -> Response:
    """The nets that come with the package; each has files, of which solvers name their net."""
    rows = []
    for entry in zoo.entries().values():
        names = [path.stem for path in entry.files if path.suffix == ".prototxt"]
        solvers = [name for name in names if name.startswith("solver")]
        nets = [name for name in names if name not in solvers]
        rows.append(
            {"name": entry.name, "title": entry.title, "data": entry.data, "nets": nets, "solvers": solvers}
        )
    return answers.json({"templates": rows})


def template(request: Request) -> Response:
    """The text of a file of a template; both are looked up in lists, never as paths."""
    entry = zoo.entries().get(request.path_params["name"])
    wanted = request.path_params["file"]
    found = (
        [path for path in entry.files if path.stem == wanted and path.suffix == ".prototxt"] if entry else []
    )
    if not found:
        raise answers.Missing(
            f"no template {request.path_params['name']}/{wanted}", hint="GET /api/templates lists them"
        )
    return answers.json({"text": read_text(found[0])})


def drafts(request: Request) -> Response:
    """All drafts, the newest first."""
    folder = _drafts(request)
    found = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    return answers.json({"drafts": [{"id": p.stem, "saved": p.stat().st_mtime} for p in found]})


def draft(request: Request) -> Response:
    return answers.json(json.loads(_draft(request, there=True).read_text(encoding="utf-8")))


def save_draft(request: Request) -> Response:
    """Keep {net, solver} under a name."""
    file, given = _draft(request), answers.body(request)
    kept = {"net": _text(given, "net"), "solver": _text(given, "solver", ""), "saved": time.time()}
    if not file.exists() and len(list(file.parent.glob("*.json"))) >= MOST_DRAFTS:
        raise ConfigError(f"there are {MOST_DRAFTS} drafts already", hint="delete some first")
    write_atomic(file, json.dumps(kept).encode())
    return answers.json({"id": file.stem, "saved": kept["saved"]})


def remove_draft(request: Request) -> Response:
    _draft(request, there=True).unlink()
    return answers.json({})


def visualize_network(request: Request) -> Response:
    """DIGITS' preview: {text (or custom_network), phase, theme} to an SVG file and the graph of a phase."""
    given = answers.body(request)
    arguments = {
        "text": _text(given, "text" if "text" in given else "custom_network"),
        "phase": _text(given, "phase", "TRAIN"),
        "theme": _text(given, "theme", "light"),
        "bounds": screen.plain(request.app.state.workspace),
    }
    call = request.app.state.workers.call
    return answers.json(call("check", "minicaffe.studio.designing:network", arguments, timeout_s=DRAW_S))


def visualize_lr(request: Request) -> Response:
    """{solver, points} to the rates of a solver's text over its iterations."""
    given = answers.body(request)
    count = given.get("points", POINTS)
    if not isinstance(count, int) or not 2 <= count <= 10 * POINTS:
        raise ConfigError(f"points is a whole number from 2 to {10 * POINTS}; got {count!r}", field="points")
    return answers.json(rates(_text(given, "solver"), count))


def rates(text: str, count: int) -> dict[str, Any]:
    """The curve of a solver's rates: iterations, and the rate of the update behind each."""
    param: Any = prototxt.parse(text, SolverParameter, "solver.prototxt")
    if param.max_iter < 1:
        raise ConfigError(f"max_iter must be above 0; got {param.max_iter}", field="max_iter")
    policy, steps = Policy(param), sorted(param.stepvalue)
    last = param.max_iter - 1
    iterations = sorted(
        {round(i * last / (count - 1)) for i in range(count)} | {s for s in steps if s <= last}
    )
    found = []
    for iteration in iterations:
        if param.lr_policy == "multistep":  # one of its steps is taken in every iteration at most
            policy.current_step = sum(step <= iteration for step in steps)
        found.append(policy.rate(iteration))
    return {"policy": param.lr_policy, "max_iter": param.max_iter, "iterations": iterations, "rates": found}


def _text(given: dict[str, Any], key: str, default: str | None = None) -> str:
    value = given.get(key, default)
    if not isinstance(value, str):
        raise ConfigError(f"{key} must be a text; got {type(value).__name__}", field=key)
    return value


def _drafts(request: Request) -> Path:
    folder: Path = request.app.state.workspace.scratch / "drafts"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _draft(request: Request, *, there: bool = False) -> Path:
    name = request.path_params["id"]
    file = _drafts(request) / f"{name}.json"
    if not DRAFT.fullmatch(name) or (there and not file.is_file()):
        raise answers.Missing(f"no draft {name!r}", hint="letters, digits, - _ and . make a name")
    return file


ROUTES = [
    Route("/api/nets/check", check, methods=["POST"]),
    Route("/api/nets/measure", measure, methods=["POST"]),
    Route("/api/layers", layers),
    Route("/api/layers/{type}", layer),
    Route("/api/templates", templates),
    Route("/api/templates/{name}/{file}", template),
    Route("/api/drafts", drafts),
    Route("/api/drafts/{id}", draft),
    Route("/api/drafts/{id}", save_draft, methods=["PUT"]),
    Route("/api/drafts/{id}", remove_draft, methods=["DELETE"]),
    Route("/models/visualize-network", visualize_network, methods=["POST"]),
    Route("/models/visualize-lr", visualize_lr, methods=["POST"]),
]
