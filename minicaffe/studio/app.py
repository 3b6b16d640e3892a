"""The web application: its routes behind the guard, the page's files, and errors as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Router
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from .. import log
from ..errors import MiniCaffeError
from . import answers, api
from .guard import Guard
from .worker import Workers
from .workspace import Workspace

STATIC = Path(__file__).parent / "static"
PHRASES = {404: "there is nothing at this address", 405: "this address is not asked in that way"}


def static_paths() -> list[str]:
    """The paths of the page's files."""
    return ["/", *(f"/{path.name}" for path in sorted(STATIC.iterdir()) if path.is_file())]


def app(workspace: Workspace, token: str, host: str = "127.0.0.1") -> Starlette:
    """The application of a workspace.  Its state has `workspace`, `workers`, which end with it, and `load`,
    which begins to load what answers."""
    workers = Workers(workspace.scratch)

    late = Late()

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            workers.close()

    made = Starlette(
        routes=[Mount("/", late)],
        middleware=[Middleware(Guard, token=token, open=static_paths(), host=host)],
        exception_handlers={MiniCaffeError: _refused, HTTPException: _http, Exception: _failed},
        lifespan=life,
    )
    made.state.workspace = workspace
    made.state.workers = workers
    made.state.load = late.load
    return made


class Late:
    """The page's files, served at once, and the routes, which need the engine: it is loaded meanwhile, and
    who asks for a route before waits."""

    def __init__(self) -> None:
        self._files = StaticFiles(directory=STATIC, html=True)
        self._paths = frozenset(static_paths())
        self._routes: Future[Sequence[BaseRoute]] | None = None
        self._router: Router | None = None

    def load(self) -> Future[Sequence[BaseRoute]]:
        """Begin to load, if that has not begun."""
        if self._routes is None:
            threads = ThreadPoolExecutor(1, "loading")
            self._routes = threads.submit(api.routes)
            threads.shutdown(wait=False)
        return self._routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in self._paths:
            await self._files(scope, receive, send)
            return
        if self._router is None:
            found: Sequence[BaseRoute] = await asyncio.wrap_future(self.load())
            self._router = Router(found, redirect_slashes=False)
        await self._router(scope, receive, send)


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, MiniCaffeError)
    return answers.refusal(error)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = {
        "where": request.url.path,
        "expected": PHRASES.get(error.status_code, error.detail),
        "got": "",
        "do": "",
    }
    return answers.json({"error": told}, error.status_code)


def _failed(request: Request, error: Exception) -> Response:
    """A fault of ours: the server's own output has the traceback."""
    log.error(f"{request.method} {request.url.path}: {type(error).__name__}: {error}")
    told = {
        "where": request.url.path,
        "expected": "the studio failed",
        "got": type(error).__name__,
        "do": "see its output",
    }
    return answers.json({"error": told}, 500)
