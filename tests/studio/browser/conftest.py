"""A page in headless Chromium on a running server; it fails for what goes wrong in the console, and for every
request that leaves the machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..serving import Server

NAMES = ("chromium", "chromium-browser", "google-chrome")
# A browser reports as errors of the console what a page handles: answers with a status that is no success.
HANDLED = "Failed to load resource"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


def chromium() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One browser for all tests."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra test-browser")
    if (path := chromium()) is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


class Visit:
    """A context of the browser that is watched."""

    def __init__(self, browser: Any, url: str, **options: Any) -> None:
        self.url = url
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self.context = browser.new_context(viewport={"width": 1440, "height": 900}, **options)
        self.context.set_default_timeout(60_000)
        self.context.route("**/*", self._routed)
        self.context.on("page", self._watch)

    def _routed(self, route: Any) -> None:
        if route.request.url.startswith((self.url + "/", "blob:", "data:")):
            route.continue_()
        else:
            self.foreign.append(route.request.url)
            route.abort()

    def _watch(self, page: Any) -> None:
        page.on("pageerror", lambda error: self.complaints.append(f"{error.name}: {error.message}"))
        page.on("console", lambda line: self._heard(line.type, line.text))

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not text.startswith(HANDLED):
            self.complaints.append(f"{kind}: {text}")

    def close(self) -> None:
        self.context.close()
        assert not self.foreign, "requests left the machine"
        assert not self.complaints, "the console complains"


@pytest.fixture
def visit(browser: Any, server: Server) -> Iterator[Visit]:
    """The context of `page`; a test that provokes complaints clears `visit.complaints`."""
    found = Visit(browser, server.url)
    try:
        yield found
    finally:
        found.close()


@pytest.fixture
def page(visit: Visit, server: Server) -> Any:
    """A page of the browser that shows the studio of `server`."""
    found = visit.context.new_page()
    found.goto(server.address)
    return found
