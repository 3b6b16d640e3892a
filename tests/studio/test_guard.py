"""Who gets in: every line of what the studio promises about its safety that the guard keeps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from minicaffe.studio import api, guard
from minicaffe.studio.app import STATIC, app, static_paths
from minicaffe.studio.guard import Guard
from minicaffe.studio.workspace import Workspace

from .conftest import ADDRESS, AUTHORIZED, TOKEN

PACKAGE = Path(guard.__file__).parent


def every_route() -> list[tuple[str, str]]:
    """The method and an address of every route, but for the page's files."""
    return [
        (method, re.sub(r"\{(\w+)(:int)?\}", lambda found: "7" if found[2] else "x", route.path))
        for route in api.routes()
        for method in sorted(route.methods or ())
    ]


def test_every_route_is_closed_without_the_token(client, stranger):
    found = every_route()
    assert ("GET", "/index.json") in found
    for method, path in [
        *found,
        ("GET", "/no/such"),
        ("POST", "/"),
        ("PUT", "/studio.js"),
        ("OPTIONS", "/api/version"),
    ]:
        answer = stranger.request(method, path)
        assert answer.status_code == 401, (method, path)
        if method != "HEAD":
            assert "token" in answer.json()["error"]["expected"]


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Bearer {TOKEN.upper()}"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": b"Bearer \xff\xfe"},
        {"cookie": f"token={TOKEN}"},
        {"x-token": TOKEN},
    ],
)
def test_nothing_but_the_token_in_its_header_opens(stranger, headers):
    assert stranger.get("/api/version", headers=headers).status_code == 401
    assert stranger.get(f"/api/version?token={TOKEN}", headers=headers).status_code == 401


def test_files_of_the_page_are_open_and_hold_no_token(stranger):
    for path in static_paths():
        answer = stranger.get(path)
        assert answer.status_code == 200, path
        assert TOKEN not in answer.text
    assert set(static_paths()) == {"/", *(f"/{file.name}" for file in STATIC.iterdir())}


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8811",
        "127.0.0.1.evil.example",
        "localhost.evil.example:8811",
        "10.0.0.1",
        "",
        "[::2]",
    ],
)
def test_a_name_that_only_leads_here_is_refused(client, host):
    """A page of another site whose name was let point to this machine (DNS rebinding)."""
    for path in ("/", "/studio.js", "/api/version"):
        answer = client.get(path, headers={"host": host})
        assert answer.status_code == 400, path
        assert "another name" in answer.json()["error"]["expected"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost:9000", "LOCALHOST:8811", "[::1]:8811"])
def test_this_machine_by_its_names_is_served(client, host):
    assert client.get("/api/version", headers={"host": host}).status_code == 200


def test_at_an_address_that_others_reach_it_is_asked_for_by_number(tmp_path):
    listening = Guard(None, TOKEN, [], "0.0.0.0")  # type: ignore[arg-type]
    assert listening.is_ours("192.168.1.7:8811") and listening.is_ours("[fe80::1]:8811")
    assert not listening.is_ours("evil.example:8811")
    named = Guard(None, TOKEN, [], "lab.example")  # type: ignore[arg-type]
    assert named.is_ours("lab.example:8811") and not named.is_ours("evil.example")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pages_of_other_sites_are_refused_even_with_the_token(client, site):
    """same-site is another port of this machine."""
    for method, path in every_route():
        assert client.request(method, path, headers={"sec-fetch-site": site}).status_code == 403, path


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example:8811"])
def test_foreign_origins_are_refused(client, origin):
    assert client.post("/api/version", headers={"origin": origin}).status_code == 403


def test_our_own_page_is_served(client):
    headers = {"origin": ADDRESS, "sec-fetch-site": "same-origin"}
    assert client.get("/api/version", headers=headers).status_code == 200


def test_there_are_no_websockets(client):
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/api/version"):
        pass


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/api/version", 200), ("/no/such", 404), ("/api/version?", 401), ("/studio.css", 200)],
)
def test_every_answer_is_sealed(client, stranger, path, status):
    answer = (stranger if status == 401 else client).get(path)
    assert answer.status_code == status
    headers = answer.headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert "set-cookie" not in headers and "access-control-allow-origin" not in headers
    assert headers["cache-control"] == ("no-cache" if path in static_paths() else "no-store")


def test_faults_of_ours_are_told_without_their_insides(workspace, monkeypatch):
    def broken(request):
        raise ZeroDivisionError("of ours")

    made = app(Workspace(workspace), TOKEN)
    made.routes.insert(0, Route("/api/broken", broken))
    with TestClient(made, base_url=ADDRESS, headers=AUTHORIZED, raise_server_exceptions=False) as client:
        answer = client.get("/api/broken")
    assert answer.status_code == 500
    assert answer.json()["error"]["expected"] == "the studio failed"
    assert "of ours" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/..%2fapp.py",
        "/%2e%2e/app.py",
        "/....//app.py",
        "/static/../../app.py",
        "/%2fetc/passwd",
        "//etc/passwd",
        "/studio.js%00.css",
        "/..%5capp.py",
    ],
)
def test_no_address_leads_out_of_the_pages_files(client, path):
    answer = client.get(path)
    assert answer.status_code in (400, 404), answer.text


def test_a_body_that_is_too_large_is_refused_before_it_is_read(client, monkeypatch):
    monkeypatch.setattr(guard, "MOST_BYTES", 100)
    refused = client.post("/api/nothing", content=b"x" * 101)
    assert refused.status_code == 413
    assert refused.json()["error"]["got"] == "'101'"
    for length in ("-1", "1e9", "9" * 30):
        assert client.get("/api/version", headers={"content-length": length}).status_code == 413


def test_a_body_that_does_not_say_its_length_is_cut_off(workspace, monkeypatch):
    from minicaffe.studio import answers

    monkeypatch.setattr(guard, "MOST_BYTES", 100)
    made = app(Workspace(workspace), TOKEN)
    made.routes.insert(
        0, Route("/api/echo", lambda request: answers.json(len(answers.content(request))), methods=["POST"])
    )
    with TestClient(made, base_url=ADDRESS, headers=AUTHORIZED) as client:
        assert client.post("/api/echo", content=iter([b"x" * 60, b"x" * 40])).json() == 100
        assert client.post("/api/echo", content=iter([b"x" * 60, b"x" * 41])).status_code == 413


def test_the_page_takes_no_name_for_markup():
    """Names of classes, layers and runs are whatever somebody wrote into a file."""
    means = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|\beval\("
        r"|new Function|setHTML|javascript:|document\.cookie|srcdoc"
    )
    for file in STATIC.iterdir():
        if file.suffix in (".js", ".html", ".svg"):
            assert not re.findall(means, file.read_text()), file.name


def test_scripts_and_styles_stand_in_files_alone():
    text = (STATIC / "index.html").read_text()
    assert not re.findall(r"<script(?![^>]*\bsrc=)|<style|\bon\w+=|\bstyle=", text)
    for file in STATIC.glob("*.js"):
        assert not re.findall(r"""setAttribute\(["']style|https?://(?!www\.w3\.org/)""", file.read_text()), (
            file.name
        )


def test_nothing_is_unpickled():
    for file in PACKAGE.rglob("*.py"):
        assert not re.findall(
            r"^\s*(?:from|import) (?:pickle|marshal|shelve)|allow_pickle=True|\beval\(|\bexec\(",
            file.read_text(),
            re.M,
        ), file
