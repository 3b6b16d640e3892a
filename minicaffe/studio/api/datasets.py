"""Routes of the page Data: the list of data sets, new ones, and pictures of what is in them.

GET    /api/datasets                        all, with those that are being made
GET    /datasets/ID.json                    one; /datasets/ID/status: DIGITS' status
POST   /datasets/images/classification.json make one: fields of asked.FIELDS, as JSON or as a form
POST   /datasets/ID/abort                   end its making
DELETE /datasets/ID                         remove it, or what is left of a making that failed
GET    /api/datasets/ID/classes             parts, and how many images each class has in each
GET    /api/datasets/ID/images(.png)        a page: part, class, page; or of=train:3,test:7
GET    /api/datasets/ID/image(.png)         an image: part, index
GET    /api/datasets/ID/augmented.png       it beside samples: part, index, n, transform, augment, seed
GET    /api/datasets/ID/mean(.png)          the mean image
GET    /api/datasets/ID/suspects            copies, blanks, odd sizes
GET    /api/datasets/ID/doubts              labels that the newest net of a run doubts: run

`v`, the version that a list tells, makes the answer one that a browser may keep forever.
"""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import Any

from anyio import from_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...data import datasets
from ...errors import ConfigError, DataError
from ...files import temporary_name
from .. import answers, asked, folders, known_sets
from ..known_sets import KnownSet
from ..makings import Makings
from ..worker import from_plain
from ..workspace import ID
from .sending import check_length, parsed_form, uploads_of

SHORT_S, LONG_S = 60.0, 300.0
MOST_FORM_BYTES = 1 << 16
KEPT = {"Cache-Control": "private, max-age=31536000, immutable"}
NOT_KEPT = {"Cache-Control": "no-store"}


_FIRST = threading.Lock()


def makings_of(request: Request) -> Makings:
    """What this server makes: one object, since it knows the processes that it has started."""
    state = request.app.state
    with _FIRST:
        if not hasattr(state, "makings"):
            state.makings = Makings(state.workspace.scratch / "making")
        return state.makings


# -- which there are


def _found(request: Request) -> KnownSet:
    """The data set that the address names; Missing if there is none."""
    id = request.path_params["id"]
    if (one := _known(request, id)) is not None:
        return one
    raise answers.Missing(f"there is no data set {id[:80]!r}", hint="GET /api/datasets lists them")


def _known(request: Request, id: str) -> KnownSet | None:
    folder = request.app.state.workspace.place(id)
    if folder.is_dir() and not folder.is_symlink() and known_sets.is_one(folder):
        return known_sets.in_folder(folder)
    return known_sets.of_name(id)


def list_all(request: Request) -> Response:
    workspace = request.app.state.workspace
    running = makings_of(request).all()
    own = [
        path
        for path in sorted(workspace.folder.iterdir())
        if ID.fullmatch(path.name) and path.is_dir() and not path.is_symlink() and known_sets.is_one(path)
    ]
    found = [known_sets.described(known_sets.in_folder(path)) for path in own]
    names = {one["id"] for one in found}
    found += [known_sets.described(one) for one in known_sets.named() if one.id not in names]
    waiting = [_making(name, state) for name, state in running.items() if name not in names]
    return answers.json({"datasets": waiting + found, "roots": [str(root) for root in workspace.roots]})


def _making(name: str, state: dict[str, Any]) -> dict[str, Any]:
    done, total = state.get("done", 0), state.get("total", 0)
    shown = {"id": name, "name": name, "own": True, "progress": done / total if total else 0.0, **state}
    if "error" in state:
        shown["error"] = answers.error(from_plain(state["error"]))
    return shown


def describe(request: Request) -> Response:
    return answers.json(_described(request))


def _described(request: Request) -> dict[str, Any]:
    id = request.path_params["id"]
    state = makings_of(request).state(id) if ID.fullmatch(id) else None
    if state is not None:
        return _making(id, state)
    return known_sets.described(_found(request)) | {"progress": 1.0}


def status(request: Request) -> Response:
    shown = _described(request)
    kept = ("id", "name", "status", "progress", "stage", "error")
    return answers.json(
        {key: shown[key] for key in kept if key in shown} | {"type": "Image Classification Dataset"}
    )


# -- making and removing


def create(request: Request) -> Response:
    form = _form(request)
    name, options = asked.name_of(form), asked.options_of(form)
    workspace = request.app.state.workspace
    if name in datasets.SETS:
        raise ConfigError(
            f"dataset_name: {name} is a set that comes from elsewhere",
            hint="choose another",
            field="dataset_name",
        )
    home = workspace.folder / name
    if os.path.lexists(home):
        raise answers.Busy(f"{name} is there already", hint="choose another name, or delete it")
    upload, source = None, ""
    if form.get("upload"):
        uploads = uploads_of(request)
        if (upload := uploads.home(str(form["upload"]))) is None or not uploads.has(upload)["files"]:
            raise ConfigError("upload: there is none of this id, or it is empty", field="upload")
    elif form.get("folder_train"):
        source = str(folders.source(workspace.inside(str(form["folder_train"]))))
    else:
        raise ConfigError(
            "neither folder_train nor upload is given",
            hint="one of them says where the images are",
            field="folder_train",
        )
    told = {
        "source": source,
        "home": str(home),
        "roots": [str(r) for r in workspace.roots],
        "options": options,
    }
    makings_of(request).start(name, told, upload)
    if upload is not None:
        shutil.rmtree(upload, ignore_errors=True)
    return answers.json({"id": name, "name": name, "status": "Running", "progress": 0.0})


def _form(request: Request) -> dict[str, Any]:
    """The fields of a request, of JSON or, as DIGITS takes them, of a form."""
    if "form" not in request.headers.get("content-type", ""):
        return answers.body(request)
    check_length(request, MOST_FORM_BYTES)
    found = from_thread.run(parsed_form, request)
    return {name: value for name, value in found.items() if isinstance(value, str)}


def abort(request: Request) -> Response:
    id = request.path_params["id"]
    if not ID.fullmatch(id) or makings_of(request).state(id) is None:
        raise answers.Missing(f"{id[:80]!r} is not being made")
    makings_of(request).abort(id)
    return answers.json({"id": id, "status": "Abort"})


def delete(request: Request) -> Response:
    """Remove a data set, whole or not at all to whoever looks."""
    id = request.path_params["id"]
    if ID.fullmatch(id) and (state := makings_of(request).state(id)) is not None:
        if state["status"] == "Running":
            raise answers.Busy(f"{id} is being made", hint="abort it first")
        makings_of(request).forget(id)
        return answers.json({"id": id, "deleted": True})
    one = _found(request)
    if not one.own:
        raise ConfigError(f"{id} does not lie in the workspace", hint="it stays for other programs")
    folder = Path(one.where)
    hidden = temporary_name(folder)
    try:
        os.rename(folder, hidden)
        shutil.rmtree(hidden)
    except OSError as error:
        raise DataError(f"{id} cannot be removed: {error.strerror or error}") from None
    return answers.json({"id": id, "deleted": True})


# -- looking


def _call(request: Request, function: str, one: KnownSet, seconds: float = SHORT_S, **given: Any) -> Any:
    arguments = {"where": one.where, "version": one.version, **given}
    return request.app.state.workers.call("image", f"minicaffe.studio.{function}", arguments, seconds)


def _picture(request: Request, one: KnownSet, content: bytes) -> Response:
    """A PNG, which is kept if the address names the version that it is of."""
    kept = KEPT if request.query_params.get("v") == one.version else NOT_KEPT
    return Response(content, media_type="image/png", headers=kept)


def _number(request: Request, name: str, default: int, most: int = 2**53) -> int:
    given = request.query_params.get(name, "")
    if not given:
        return default
    if not (given.isascii() and given.isdecimal()) or len(given) > 16 or int(given) > most:
        raise ConfigError(f"{name} must be a whole number from 0 to {most}; got {given[:40]!r}", field=name)
    return int(given)


def classes(request: Request) -> Response:
    one = _found(request)
    return answers.json(_call(request, "gallery:overview", one, LONG_S) | {"version": one.version})


def _page(request: Request) -> dict[str, Any]:
    query = request.query_params
    picks = []
    for pick in filter(None, query.get("of", "").split(",")):
        part, _, index = pick.partition(":")
        if not (index.isascii() and index.isdecimal()) or len(index) > 12:
            raise ConfigError(f"of must name images as train:3,test:7; got {pick[:40]!r}", field="of")
        picks.append([part, int(index)])
    label = _number(request, "class", 0) if query.get("class") else None
    return {
        "part": query.get("part", ""),
        "label": label,
        "number": _number(request, "page", 0),
        "picks": picks,
    }


def images(request: Request) -> Response:
    return answers.json(_call(request, "gallery:page", _found(request), LONG_S, **_page(request)))


def images_picture(request: Request) -> Response:
    one = _found(request)
    return _picture(request, one, _call(request, "gallery:sheet", one, LONG_S, **_page(request)))


def _which(request: Request) -> dict[str, Any]:
    return {"part": request.query_params.get("part", ""), "index": _number(request, "index", 0)}


def image(request: Request) -> Response:
    return answers.json(_call(request, "gallery:one", _found(request), **_which(request)))


def image_picture(request: Request) -> Response:
    one = _found(request)
    return _picture(request, one, _call(request, "gallery:picture", one, **_which(request)))


def augmented(request: Request) -> Response:
    one, query = _found(request), request.query_params
    given: dict[str, Any] = _which(request) | {
        "count": _number(request, "n", 8),
        "transform": query.get("transform", ""),
        "augment": query.get("augment", ""),
        "seed": _number(request, "seed", 1, 2**31),
    }
    return _picture(request, one, _call(request, "gallery:augmented", one, SHORT_S, **given))


def mean(request: Request) -> Response:
    return answers.json(_call(request, "gallery:mean", _found(request), LONG_S))


def mean_picture(request: Request) -> Response:
    one = _found(request)
    return _picture(request, one, _call(request, "gallery:mean_picture", one, LONG_S))


def suspects(request: Request) -> Response:
    return answers.json(_call(request, "suspects:suspects", _found(request), LONG_S))


def doubts(request: Request) -> Response:
    one = _found(request)
    home = request.app.state.workspace.run(request.query_params.get("run", ""))
    weights = home.newest_weights()
    if weights is None:
        raise ConfigError(
            f"run {home.folder.name!r} has no snapshot yet", hint="take one, or wait for the first"
        )
    net = {
        "net": str(home.folder / "net.prototxt"),
        "weights": str(weights),
        "stamp": str(weights.stat().st_mtime_ns),
    }
    arguments = {"where": one.where, "version": one.version, **net}
    return answers.json(
        request.app.state.workers.call("net", "minicaffe.studio.doubts:doubts", arguments, LONG_S)
    )


ROUTES = [
    Route("/api/datasets", list_all),
    Route("/datasets/images/classification", create, methods=["POST"]),
    Route("/datasets/images/classification.json", create, methods=["POST"]),
    Route("/datasets/{id}.json", describe),
    Route("/datasets/{id}/status", status),
    Route("/datasets/{id}/abort", abort, methods=["POST"]),
    Route("/datasets/{id}", delete, methods=["DELETE"]),
    Route("/api/datasets/{id}/classes", classes),
    Route("/api/datasets/{id}/images", images),
    Route("/api/datasets/{id}/images.png", images_picture),
    Route("/api/datasets/{id}/image", image),
    Route("/api/datasets/{id}/image.png", image_picture),
    Route("/api/datasets/{id}/augmented.png", augmented),
    Route("/api/datasets/{id}/mean", mean),
    Route("/api/datasets/{id}/mean.png", mean_picture),
    Route("/api/datasets/{id}/suspects", suspects),
    Route("/api/datasets/{id}/doubts", doubts),
]
