"""The routes of Inspect and Try, asked as the page and as DIGITS' clients ask."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from minicaffe.studio.app import app
from minicaffe.studio.workspace import Workspace

from .conftest import ADDRESS, AUTHORIZED, TOKEN
from .digits_run import train
from .test_trying import drawing, photo

DIGITS = "/models/images/classification"
ONE, MANY, TOP = (f"{DIGITS}/{name}.json" for name in ("classify_one", "classify_many", "top_n"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A workspace with a run, `digits`."""
    made = tmp_path_factory.mktemp("space")
    train(made)
    return made


@pytest.fixture(scope="module")
def client(folder):
    """Who has the token; one for all tests here, since its worker keeps the nets."""
    with TestClient(app(Workspace(folder), TOKEN), base_url=ADDRESS, headers=AUTHORIZED) as found:
        yield found


@pytest.fixture(scope="module")
def run(folder):
    """The id of the run."""
    return "digits"


@pytest.fixture(scope="module")
def asked(client, run):
    """A look at image 3, as an answer of the server."""
    answer = client.post("/api/inspect", json={"run": run, "sample": 3, "kind": "loss", "class": -2})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_inspect_from_the_snapshot_to_a_value(client, run, asked):
    snapshots = client.get(f"/api/jobs/{run}/snapshots").json()["snapshots"]
    assert [s["iteration"] for s in snapshots] == [200, 100]
    look = asked["id"]
    assert client.get(f"/api/inspect/{look}").json() == asked
    assert (asked["rate"], asked["iteration"]) == (pytest.approx(0.01), 200)
    conv = asked["layers"][1]
    param = conv["params"][0]
    assert (
        param["step"] == pytest.approx(0.01 * param["diff_norm"] / param["norm"])
        and 0 < param["update"] < 0.1
    )
    assert conv["params"][1]["step"] == pytest.approx(
        0.02 * conv["params"][1]["diff_norm"] / conv["params"][1]["norm"]
    )
    said = client.get(f"/api/inspect/{look}/1").json()
    assert said["filled"].startswith("y[k, i, j] = b[k] + sum over c < 1")
    facts = client.get(f"/api/inspect/{look}/1/top-diff.json").json()
    picture = client.get(f"/api/inspect/{look}/1/top-diff.png")
    assert picture.headers["content-type"] == "image/png" and "immutable" in picture.headers["cache-control"]
    with Image.open(io.BytesIO(picture.content)) as image:
        assert image.width == facts["columns"] * (8 * facts["zoom"] + facts["gap"]) + facts["gap"]
    tile = client.get(f"/api/inspect/{look}/1/top.json", params={"tile": 3}).json()["values"]
    worked = client.get(f"/api/inspect/{look}/1/worked", params={"at": "3,2,5"}).json()
    assert np.float32(worked["value"]) == np.float32(tile[2][5])
    covered = client.get(f"/api/inspect/{look}/occlusion", params={"class": 5}).json()
    assert covered["least"] < covered["before"]


def test_another_snapshot_and_another_target(client, run, asked):
    older = client.get(f"/api/jobs/{run}/snapshots").json()["snapshots"][1]["name"]
    body = {"run": run, "sample": 3, "kind": "score", "class": 4, "snapshot": older}
    other = client.post("/api/inspect", json=body).json()
    assert (
        other["id"] != asked["id"] and other["target"]["kind"] == "score" and other["target"]["number"] == 4
    )
    assert other["layers"][1]["params"][0]["norm"] != asked["layers"][1]["params"][0]["norm"]


def test_an_image_that_is_brought(client, run):
    image = client.post("/api/inspect/images", content=drawing("7")).json()["image"]
    found = client.post("/api/inspect", json={"run": run, "image": image, "kind": "loss", "class": -2}).json()
    assert found["label"] is None and found["target"]["number"] == found["top"][0]["number"]  # the likeliest
    bad = client.post("/api/inspect/images", content=b"no image").json()["image"]
    answer = client.post("/api/inspect", json={"run": run, "image": bad})
    assert answer.status_code == 422 and "image" in answer.json()["error"]["expected"]


def test_confusion_to_mistakes(client, run):
    found = client.get(f"/api/jobs/{run}/confusion").json()
    matrix = np.array(found["matrix"])
    assert matrix.sum() == 360 and found["accuracy"]["value"] > 0.9
    np.fill_diagonal(matrix, 0)
    i, j = (int(k) for k in np.unravel_index(matrix.argmax(), matrix.shape))
    which = {"true": i, "predicted": j}
    mistakes = client.get(f"/api/jobs/{run}/mistakes.json", params=which).json()
    assert mistakes["total"] == matrix[i, j]
    with Image.open(io.BytesIO(client.get(f"/api/jobs/{run}/mistakes.png", params=which).content)) as sheet:
        assert sheet.width == 64 * mistakes["columns"]
    assert client.get(f"/api/jobs/{run}/samples.png", params={"count": 3}).content[:4] == b"\x89PNG"
    assert len(client.get(f"/api/jobs/{run}/samples.json", params={"count": 3}).json()["samples"]) == 3


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/api/inspect/0123", 404, "nothing is kept under"),
        ("GET", "/api/inspect/..%2f..%2ftoken", 404, ""),
        ("GET", "/api/jobs/digits/mistakes.json?true=seven", 422, "true must be a whole number"),
        ("GET", "/api/jobs/digits/samples.json?first=360", 422, "there are 360"),
        ("GET", "/api/jobs/digits/confusion?snapshot=../solver.prototxt", 404, "no snapshot"),
        ("GET", "/api/jobs/..%2fdigits/snapshots", 404, ""),
        ("GET", "/api/jobs/other/snapshots", 404, "no run"),
        ("POST", "/api/try?run=digits", 422, "image"),
    ],
)
def test_what_there_is_not(client, run, method, path, status, said):
    answer = client.request(method, path)
    assert answer.status_code == status and said in answer.text


def test_bodies_that_do_not_fit(client, run, asked):
    for body, said in (
        ({}, "run is missing"),
        ({"run": run, "sample": "3"}, "sample must be of type int"),
        ({"run": run, "image": "../../etc/passwd"}, "nothing is kept under"),
        ({"run": run, "sample": 999}, "no image 999"),
        ({"run": run, "kind": "wish"}, "no gradient of 'wish'"),
        ({"run": run, "kind": "loss", "class": 10}, "class 10"),
    ):
        answer = client.post("/api/inspect", json=body)
        assert answer.status_code in (404, 422) and said in answer.text, answer.text
    for path, said in (
        ("1/nothing.json", "is nothing of a layer"),
        ("77", "no layer 77"),
        ("1/worked?at=9,9", "no value"),
    ):
        answer = client.get(f"/api/inspect/{asked['id']}/{path}")
        assert answer.status_code == 422 and said in answer.text


def test_draw_a_seven(client, run):
    for net in (run, ""):
        answer = client.post("/api/try", params={"run": net, "pen": 22, "top": 3}, content=drawing("7"))
        found = answer.json()
        assert answer.status_code == 200 and found["top"][0]["label"] == "7" and len(found["top"]) == 3
        assert base64.b64decode(found["seen"])[:4] == b"\x89PNG"


def test_a_photo_is_read(client):
    found = client.post("/api/read", content=photo("742")).json()
    assert found["text"] == "742" and {step["name"] for step in found["steps"]} > {"1_ink", "read"}


def test_digits_own_routes(client, run, folder):
    seven, two = drawing("7"), drawing("2")
    found = client.post(ONE, data={"job_id": run}, files={"image_file": ("7.png", seven)}).json()
    assert len(found["predictions"]) == 5 and sum(p for _, p in found["predictions"]) <= 100.1
    assert client.post(ONE, params={"job_id": run}, content=seven).json() == found
    folder = folder / "images"
    folder.mkdir()
    (folder / "7.png").write_bytes(seven)
    (folder / "2.png").write_bytes(two)
    assert client.post(ONE, data={"job_id": run, "image_path": str(folder / "7.png")}).json() == found
    epoch = client.post(
        ONE, data={"job_id": run, "snapshot_epoch": "100"}, files={"image_file": ("7.png", seven)}
    )
    assert epoch.status_code == 200 and epoch.json() != found
    listed = "7.png 7\n2.png 2\n"
    many = client.post(
        MANY, data={"job_id": run, "image_folder": str(folder)}, files={"image_list": ("l", listed)}
    )
    assert set(many.json()["classifications"]) == {"7.png", "2.png"}
    assert (
        client.post(MANY, data={"job_id": run, "image_folder": str(folder)}).json().keys()
        == many.json().keys()
    )
    best = client.post(TOP, data={"job_id": run, "image_folder": str(folder), "top_n": "1"}).json()["top_n"]
    assert best["7"][0][0] == "7.png" and len(best) == 10
    for data, status in (
        ({"job_id": run, "image_path": "/etc/hostname"}, 404),
        ({"job_id": run}, 422),
        ({"job_id": run, "image_path": "images/3.png"}, 422),
        ({"job_id": "none", "image_path": "images/7.png"}, 404),
    ):
        assert client.post(ONE, data=data).status_code == status, data


@pytest.mark.parametrize(
    "path", ["/api/inspect/a", "/api/jobs/digits/confusion", "/api/jobs/digits/samples.png"]
)
def test_strangers_see_nothing(stranger, path):
    assert stranger.get(path).status_code == 401
    assert stranger.post(ONE).status_code == stranger.post("/api/try").status_code == 401
