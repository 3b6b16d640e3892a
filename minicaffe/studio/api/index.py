"""What there is: the version, and the lists of runs and data sets, by DIGITS' paths."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ... import __version__
from ...runs.home import Home
from .. import answers


def version(request: Request) -> Response:
    workspace = request.app.state.workspace
    return answers.json(
        {
            "version": __version__,
            "folder": str(workspace.folder),
            "python_layers": workspace.allow_python_layers,
        }
    )


def index(request: Request) -> Response:
    workspace = request.app.state.workspace
    models = [{"id": id, "name": id, "status": _status(workspace.run(id))} for id in workspace.runs()]
    datasets = [{"id": id, "name": id, "status": "Done"} for id in workspace.datasets()]
    return answers.json({"models": models, "datasets": datasets})


def _status(home: Home) -> str:
    """In DIGITS' words, as far as a look at the lock tells."""
    return "Running" if home.running else "Done"


ROUTES = [Route("/api/version", version), Route("/index.json", index)]
