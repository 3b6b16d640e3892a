"""Routes of the page Inspect: a net stepped through with one image, and which images its net gets wrong.

GET  /api/jobs/RUN/snapshots                          the snapshots of a run, the newest first
GET  /api/jobs/RUN/samples.json, .png                 images of its test data: first, count
GET  /api/jobs/RUN/confusion                          which class is taken for which: most samples
GET  /api/jobs/RUN/mistakes.json, .png                samples of class `true` taken for `predicted`
POST /api/inspect/images                              keep an image, the body: its id
POST /api/inspect                                     {run, snapshot, sample or image, kind, class} -> a look
GET  /api/inspect/LOOK                                the same look again
GET  /api/inspect/LOOK/LAYER                          the layer's formula with its numbers
GET  /api/inspect/LOOK/LAYER/WHAT.png, WHAT.json      an array as tiles: item, page, dark; tile: its values
GET  /api/inspect/LOOK/LAYER/worked                   how the value at `at` came about
GET  /api/inspect/LOOK/occlusion                      where covering the image matters to class

`snapshot` is the name of a file, the newest if left out.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .. import answers, snapshots, stepping
from ..looks import Looks
from .parameters import chosen, number, numbers, text

PASS_S, EVALUATION_S = 120.0, 600.0
FOREVER = {"Cache-Control": "private, max-age=86400, immutable"}  # a look's id says all that it depends on
KINDS = ("loss", "score", "none")


def _call(request: Request, function: str, arguments: dict[str, Any], seconds: float = PASS_S) -> Any:
    return request.app.state.workers.call("net", f"minicaffe.studio.{function}", arguments, seconds)


def _run(request: Request, name: str = "") -> dict[str, Any]:
    """The run of the path, with the snapshot that the query names, as the worker takes it."""
    home = request.app.state.workspace.run(name or request.path_params["run"])
    return snapshots.for_worker(home, snapshots.named(home, text(request, "snapshot")))


def _looks(request: Request) -> Looks:
    return Looks(request.app.state.workspace.scratch / "looks")


def list_snapshots(request: Request) -> Response:
    home = request.app.state.workspace.run(request.path_params["run"])
    return answers.json(
        {
            "snapshots": [
                {
                    "name": s.path.name,
                    "iteration": s.iteration,
                    "averaged": s.averaged,
                    "bytes": s.path.stat().st_size,
                }
                for s in snapshots.of(home)
            ]
        }
    )


def samples(request: Request) -> Response:
    where = {"first": number(request, "first", 0), "count": number(request, "count", 60)}
    return answers.json(_call(request, "picking:samples", {"run": _run(request), **where}))


def sample_pictures(request: Request) -> Response:
    where = {"first": number(request, "first", 0), "count": number(request, "count", 60)}
    return _png(_call(request, "picking:page", {"run": _run(request), **where}))


def confusion(request: Request) -> Response:
    most = number(request, "most", 10_000)
    return answers.json(
        _call(request, "picking:confusion", {"run": _run(request), "most": most}, EVALUATION_S)
    )


def mistakes(request: Request) -> Response:
    return answers.json(_call(request, "picking:mistakes", _which(request), EVALUATION_S))


def mistake_pictures(request: Request) -> Response:
    return _png(_call(request, "picking:mistaken", _which(request), EVALUATION_S))


def _which(request: Request) -> dict[str, Any]:
    return {
        "run": _run(request),
        "actual": number(request, "true", -1),
        "predicted": number(request, "predicted", -1),
        "first": number(request, "first", 0),
        "count": number(request, "count", 60),
        "most": number(request, "most", 10_000),
    }


def keep_image(request: Request) -> Response:
    return answers.json({"image": _looks(request).keep_image(answers.content(request))})


def look(request: Request) -> Response:
    asked = answers.body(request)
    home = request.app.state.workspace.run(chosen(asked, "run", str))
    snapshot = snapshots.named(home, chosen(asked, "snapshot", str, ""))
    looks, image = _looks(request), chosen(asked, "image", str, "")
    made = {
        **snapshots.for_worker(home, snapshot),
        "image": str(looks.image(image)) if image else "",
        "sample": chosen(asked, "sample", int, 0),
        "kind": chosen(asked, "kind", str, "none"),
        "number": chosen(asked, "class", int, stepping.LIKELIEST),
        "invert": chosen(asked, "invert", str, "auto"),
    }
    files = {"solver": str(home.solver), "state": str(snapshot.state or "")}
    return _overview(request, looks.keep({"look": made, **files}))


def look_again(request: Request) -> Response:
    return _overview(request, request.path_params["look"])


def _overview(request: Request, id: str) -> Response:
    found = _call(request, "stepping:overview", _looks(request).find(id))
    return answers.json({"id": id, **found})


def _of_look(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = {"look": _looks(request).find(request.path_params["look"])["look"]}
    if "layer" in request.path_params:
        found["layer"] = request.path_params["layer"]
    return found


def layer(request: Request) -> Response:
    return answers.json(_call(request, "stepping:layer", _of_look(request)))


def tiles_picture(request: Request) -> Response:
    asked = _array(request) | {"png": True, "dark": bool(number(request, "dark", 0))}
    return _png(_call(request, "stepping:sheet", asked), FOREVER)


def tiles_facts(request: Request) -> Response:
    tile = number(request, "tile", -1)
    return answers.json(
        _call(request, "stepping:sheet", _array(request) | {"tile": None if tile < 0 else tile})
    )


def _array(request: Request) -> dict[str, Any]:
    where = {"item": number(request, "item", 0), "page": number(request, "page", 0)}
    return _of_look(request) | {"what": request.path_params["what"], **where}


def worked(request: Request) -> Response:
    return answers.json(
        _call(request, "stepping:worked", _of_look(request) | {"place": numbers(request, "at")})
    )


def occlusion(request: Request) -> Response:
    asked = {"number": number(request, "class", 0), "patch": number(request, "patch", 0)}
    return answers.json(_call(request, "stepping:occlusion", _of_look(request) | asked))


def _png(content: bytes, headers: dict[str, str] | None = None) -> Response:
    return Response(content, media_type="image/png", headers=headers)


ROUTES = [
    Route("/api/jobs/{run}/snapshots", list_snapshots),
    Route("/api/jobs/{run}/samples.json", samples),
    Route("/api/jobs/{run}/samples.png", sample_pictures),
    Route("/api/jobs/{run}/confusion", confusion),
    Route("/api/jobs/{run}/mistakes.json", mistakes),
    Route("/api/jobs/{run}/mistakes.png", mistake_pictures),
    Route("/api/inspect/images", keep_image, methods=["POST"]),
    Route("/api/inspect", look, methods=["POST"]),
    Route("/api/inspect/{look}", look_again),
    Route("/api/inspect/{look}/occlusion", occlusion),
    Route("/api/inspect/{look}/{layer:int}", layer),
    Route("/api/inspect/{look}/{layer:int}/worked", worked),
    Route("/api/inspect/{look}/{layer:int}/{what}.png", tiles_picture),
    Route("/api/inspect/{look}/{layer:int}/{what}.json", tiles_facts),
]
