"""Routes of the page Try, and DIGITS' own for classifying images.

POST /api/try        the body is an image: what the net of `run` says of it, with `snapshot`, or the newest;
                     without `run`, what the net says that the package reads handwriting with.  top, invert,
                     threshold; pen: how many pixels wide the strokes of a drawing are, light on dark, which
                     is then placed as images of training are
POST /api/read       the body is a photo of handwriting: its lines, and the steps of reading it

POST /models/images/classification/classify_one.json    job_id, snapshot_epoch, and image_file, image_path,
                                                        or the image as the body
POST /models/images/classification/classify_many.json   image_list, image_folder or several image_file, and
                                                        num_test_images
POST /models/images/classification/top_n.json           the same, and top_n: the images most like each class

Certainties of DIGITS' routes are in percent, as in DIGITS; `job_id` is the name of a run, snapshot_epoch the
number of iterations of a snapshot (-1 or nothing: the newest).
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...data.images import ENDINGS
from ...errors import ConfigError, DataError
from ...files import read_bytes, read_text
from .. import answers, snapshots
from . import uploads
from .parameters import number, text

IMAGE_S, MANY_S = 60.0, 600.0
LARGEST_BYTES = 64 << 20  # of an image that is named by its path
MOST_IMAGES = 10_000  # of one request
TOP = 5
PACKAGED = {"net": "", "folder": "", "weights": "", "stamp": ""}


def _call(request: Request, function: str, arguments: dict[str, Any], seconds: float = IMAGE_S) -> Any:
    return request.app.state.workers.call("net", f"minicaffe.studio.trying:{function}", arguments, seconds)


def attempt(request: Request) -> Response:
    run = PACKAGED
    if name := text(request, "run"):
        home = request.app.state.workspace.run(name)
        run = snapshots.for_worker(home, snapshots.named(home, text(request, "snapshot")))
    found = _call(
        request,
        "attempt",
        {
            "run": run,
            "image": answers.content(request),
            "top": max(1, number(request, "top", TOP)),
            "invert": text(request, "invert", "auto"),
            "pen_px": float(number(request, "pen", 0)),
            "threshold": number(request, "threshold", 50) / 100,
        },
    )
    return answers.json(found | {"seen": _text(found["seen"])})


def read(request: Request) -> Response:
    found = _call(request, "reading", {"image": answers.content(request)})
    steps = [{"name": step["name"], "png": _text(step["png"])} for step in found["steps"]]
    return answers.json(found | {"steps": steps})


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


# -- DIGITS'


def classify_one(request: Request) -> Response:
    form = uploads.form(request)
    _, contents = _images(request, form)
    if len(contents) != 1:
        raise ConfigError(f"{len(contents)} images; expected one", hint="classify_many.json takes several")
    (found,) = _classified(request, form, contents)
    if found["error"]:
        raise DataError(found["error"])
    return answers.json({"predictions": _percent(found)})


def classify_many(request: Request) -> Response:
    form = uploads.form(request)
    names, contents = _images(request, form)
    found = zip(names, _classified(request, form, contents))
    return answers.json(
        {
            "classifications": {
                name: _percent(one) if not one["error"] else one["error"] for name, one in found
            }
        }
    )


def top_n(request: Request) -> Response:
    form = uploads.form(request)
    names, contents = _images(request, form)
    wanted = _whole(form, "top_n", 9)
    by_class: dict[str, list[tuple[float, str]]] = {}
    for name, one in zip(names, _classified(request, form, contents, top=0)):
        for label, value in one["predictions"]:
            by_class.setdefault(label, []).append((value, name))
    best = {label: sorted(found, reverse=True)[:wanted] for label, found in by_class.items()}
    return answers.json(
        {"top_n": {label: [[name, round(100 * v, 2)] for v, name in found] for label, found in best.items()}}
    )


def _classified(
    request: Request, form: uploads.Form, contents: list[bytes], top: int = TOP
) -> list[dict[str, Any]]:
    id = form.text("job_id") or text(request, "job_id")
    if not id:
        raise ConfigError("job_id is missing", hint="it is the name of a run", field="job_id")
    home = request.app.state.workspace.run(id)
    run = snapshots.for_worker(home, _of_epoch(home, form.text("snapshot_epoch")))
    return _call(request, "classify", {"run": run, "given": contents, "top": top}, MANY_S)


def _of_epoch(home: Any, epoch: str) -> snapshots.Snapshot:
    if epoch in ("", "-1"):
        return snapshots.named(home)
    for one in snapshots.of(home):
        if epoch in (str(one.iteration), f"{one.iteration}.0", one.path.name):
            return one
    there = ", ".join(str(one.iteration) for one in snapshots.of(home))
    raise answers.Missing(f"no snapshot of iteration {epoch}", hint=f"there are {there}")


def _percent(found: dict[str, Any]) -> list[list[Any]]:
    return [[label, round(100 * value, 2)] for label, value in found["predictions"]]


def _whole(form: uploads.Form, name: str, default: int) -> int:
    given = form.text(name)
    if given and not (given.isdecimal() and 0 < int(given) <= MOST_IMAGES):
        raise ConfigError(f"{name} must be a number from 1 to {MOST_IMAGES}; got {given!r}", field=name)
    return int(given) if given else default


def _images(request: Request, form: uploads.Form) -> tuple[list[str], list[bytes]]:
    """Names and contents of the images of a request: sent along, the body itself, or named by paths, which
    must lie in the folders of the studio."""
    sent = form.files("image_file")
    if sent:
        return [name for name, _ in sent], [content for _, content in sent]
    if form.content:
        return ["image"], [form.content]
    workspace, most = request.app.state.workspace, _whole(form, "num_test_images", MOST_IMAGES)
    folder = form.text("image_folder")
    if lists := form.files("image_list"):
        lines = lists[0][1].decode("utf-8", "replace").splitlines()
        names = [line.rsplit(" ", 1)[0] if line.rsplit(" ", 1)[-1].isdecimal() else line for line in lines]
        names = [name.strip() for name in names if name.strip()]
    elif form.text("image_list"):
        names = [line for line in read_text(workspace.inside(form.text("image_list"))).splitlines() if line]
    elif form.text("image_path"):
        names = [form.text("image_path")]
    elif folder:
        names = sorted(p.name for p in workspace.inside(folder).iterdir() if p.suffix.lower() in ENDINGS)
    else:
        raise ConfigError("no image", hint="send image_file, or name image_path, image_list or image_folder")
    paths = [workspace.inside(Path(folder, name)) for name in names[:most]]
    return names[:most], [read_bytes(path, LARGEST_BYTES) for path in paths]


DIGITS = "/models/images/classification"
ROUTES = [
    Route("/api/try", attempt, methods=["POST"]),
    Route("/api/read", read, methods=["POST"]),
    *(
        Route(f"{DIGITS}/{name}{ending}", handler, methods=["POST"])
        for name, handler in (
            ("classify_one", classify_one),
            ("classify_many", classify_many),
            ("top_n", top_n),
        )
        for ending in ("", ".json")
    ),
]
