"""Routes that bring images to the studio: folders that can be chosen, and uploads.

GET    /api/folders?path=         folders inside the roots; without a path, the roots
POST   /api/uploads               begin an upload: its id
POST   /api/uploads/ID/files      some files: multipart, `files`, and `paths`, a JSON list of their names
POST   /api/uploads/ID/zip        a zip archive, the body
DELETE /api/uploads/ID            forget it
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO, cast

from anyio import from_thread
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...errors import ConfigError, DataError
from .. import answers, folders
from ..uploads import MOST_ZIP_BYTES, Uploads, shown

MOST_REQUEST_BYTES = 1 << 28  # of some files
MOST_REQUEST_FILES, MOST_FIELDS = 500, 50


def uploads_of(request: Request) -> Uploads:
    return Uploads(request.app.state.workspace.scratch / "uploads")


def check_length(request: Request, most: int) -> None:
    """TooLarge for a body of more than `most` bytes, before any of it is read; one that does not say how
    long it is is refused as well."""
    given = request.headers.get("content-length", "")
    if not (given.isascii() and given.isdecimal()):
        raise DataError("a request must say how long its body is", hint="send it with Content-Length")
    if len(given) > 18 or int(given) > most:
        raise answers.TooLarge(f"{given[:18]} bytes at once; {most} is the most", hint="send less at once")


def list_folders(request: Request) -> Response:
    workspace, path = request.app.state.workspace, request.query_params.get("path", "")
    if not path:
        return answers.json({"path": "", "roots": [str(root) for root in workspace.roots]})
    folder = workspace.inside(path)
    above = str(folder.parent) if _is_inside(workspace, folder.parent) else ""
    return answers.json(folders.listing(folder) | {"above": above})


def _is_inside(workspace: Any, path: Path) -> bool:
    return any(path.is_relative_to(root) for root in workspace.roots)


def begin(request: Request) -> Response:
    return answers.json(shown(uploads_of(request).begin(), {"files": 0, "bytes": 0}, []))


def _home(request: Request) -> Path:
    home = uploads_of(request).home(request.path_params["id"])
    if home is None:
        raise answers.Missing("there is no upload of this id", hint="POST /api/uploads begins one")
    return home


def add_files(request: Request) -> Response:
    uploads, home = uploads_of(request), _home(request)
    check_length(request, MOST_REQUEST_BYTES)
    form = from_thread.run(parsed_form, request)
    try:
        files = [value for value in form.getlist("files") if isinstance(value, UploadFile)]
        names = _names(form.get("paths"), files)
        pairs = [(name, cast(BinaryIO, file.file)) for name, file in zip(names, files)]
        left_out = uploads.add(home, pairs)
    finally:
        from_thread.run(form.close)
    return answers.json(shown(home.name, uploads.has(home), left_out))


async def parsed_form(request: Request) -> FormData:
    return await request.form(max_files=MOST_REQUEST_FILES, max_fields=MOST_FIELDS)


def _names(paths: Any, files: list[UploadFile]) -> list[str]:
    """What the files are called: what `paths` says, or else what the parts of the request do."""
    if paths is None:
        return [file.filename or "" for file in files]
    try:
        names = json.loads(paths)
    except (ValueError, TypeError, RecursionError):
        names = None
    if not isinstance(names, list) or len(names) != len(files) or not all(isinstance(n, str) for n in names):
        raise ConfigError("paths must be a JSON list of a name for each file", field="paths")
    return names


def add_zip(request: Request) -> Response:
    uploads, home = uploads_of(request), _home(request)
    if "zip" not in request.headers.get("content-type", ""):
        raise DataError("a body of type application/zip is expected")
    check_length(request, MOST_ZIP_BYTES)
    from_thread.run(uploads.add_zip, home, request.stream())
    return answers.json(shown(home.name, uploads.has(home), []))


def remove(request: Request) -> Response:
    home = _home(request)
    uploads_of(request).remove(home)
    return answers.json({"id": home.name, "deleted": True})


ROUTES = [
    Route("/api/folders", list_folders),
    Route("/api/uploads", begin, methods=["POST"]),
    Route("/api/uploads/{id}/files", add_files, methods=["POST"]),
    Route("/api/uploads/{id}/zip", add_zip, methods=["POST"]),
    Route("/api/uploads/{id}", remove, methods=["DELETE"]),
]
