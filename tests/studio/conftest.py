"""A workspace, clients with and without its token, and a server that runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="needs the extra studio")

from starlette.testclient import TestClient

from minicaffe.studio.app import app
from minicaffe.studio.workspace import Workspace

from .serving import Server

ADDRESS = "http://127.0.0.1:8811"
TOKEN = "t" * 43
AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """The folder of the workspace of `client` and `stranger`; tmp_path is a root of it."""
    folder = tmp_path / "space"
    folder.mkdir()
    return folder


@pytest.fixture
def client(workspace: Path, tmp_path: Path) -> Iterator[TestClient]:
    """Who has the token."""
    made = app(Workspace(workspace, [tmp_path]), TOKEN)
    with TestClient(made, base_url=ADDRESS, headers=AUTHORIZED) as found:
        yield found


@pytest.fixture
def stranger(client: TestClient) -> TestClient:
    """Who has not, at the same server."""
    return TestClient(client.app, base_url=ADDRESS)


@pytest.fixture
def server(workspace: Path, tmp_path: Path) -> Iterator[Server]:
    """`minicaffe studio` in a process of its own."""
    found = Server(workspace, "--root", tmp_path)
    try:
        yield found
    finally:
        found.kill()
