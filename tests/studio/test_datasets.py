"""Data sets through the studio: listed, made of folders and uploads, looked at, removed."""

from __future__ import annotations

import importlib
import io
import json
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from minicaffe.data import datasets
from minicaffe.data.making import Options, make
from minicaffe.errors import DataError
from minicaffe.studio.make_main import refuse_links
from minicaffe.studio.makings import Makings
from minicaffe.studio.worker import Workers

from .pictures import class_folders, doubtful, png

MAKE = "/datasets/images/classification.json"
HOSTILE = ('<img src=x onerror="alert(1)">', 'it\'s "quoted" & <b>bold<', "a..' OR 1=1; {{x}}")


def wait(client, name):
    """The last status of a data set that is being made."""
    for _ in range(400):
        shown = client.get(f"/datasets/{name}/status").json()
        if shown["status"] != "Running":
            return shown
        time.sleep(0.05)
    raise AssertionError(shown)


def picture(answer) -> np.ndarray:
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png", answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


@pytest.fixture
def small(workspace, tmp_path):
    """A data set in the workspace: 2 classes of 5, one of each for validation."""
    make(class_folders(tmp_path / "photos"), workspace / "small", Options(val=20, keep_order=True))
    return "small"


class Here:
    """Workers that are no processes: their start would take most of the time of these tests."""

    def call(self, name, function, arguments, timeout_s):
        module, _, name = function.partition(":")
        return getattr(importlib.import_module(module), name)(**json.loads(json.dumps(arguments)))

    def close(self):
        pass


@pytest.fixture(autouse=True)
def here(monkeypatch):
    monkeypatch.setattr("minicaffe.studio.app.Workers", lambda scratch: Here())


def error_of(answer, status=422):
    assert answer.status_code == status, answer.text
    return answer.json()["error"]


def test_the_worker_makes_the_pictures(client):
    client.app.state.workers = Workers(client.app.state.workspace.scratch)
    try:
        assert picture(client.get("/api/datasets/digits/images.png", params={"class": 3})).shape == (48, 80)
        error_of(client.get("/api/datasets/digits/image", params={"part": "train", "index": 9999}))
    finally:
        client.app.state.workers.close()


def test_sets_that_are_here_are_listed(client, small):
    found = {one["id"]: one for one in client.get("/api/datasets").json()["datasets"]}
    assert found["digits"]["parts"] == {"train": 1437, "test": 360} and not found["digits"]["own"]
    assert found["small"]["parts"] == {"train": 8, "val": 2} and found["small"]["own"]
    assert found["small"]["shape"] == [3, 8, 8] and found["small"]["classes"] == 2


def test_a_folder_becomes_a_data_set(client, workspace, tmp_path):
    source = class_folders(tmp_path / "photos")
    asked = {"dataset_name": "made", "folder_train": str(source), "resize_width": 4, "folder_pct_val": 20}
    assert client.post(MAKE, json=asked).json() == {
        "id": "made", "name": "made", "status": "Running", "progress": 0.0
    }  # fmt: skip
    assert wait(client, "made")["status"] == "Done"
    shown = client.get("/datasets/made.json").json()
    assert shown["parts"] == {"train": 8, "val": 2} and shown["shape"] == [3, 4, 4]
    images, labels = datasets.load(str(workspace / "made" / "train"))
    assert images.shape == (8, 3, 4, 4) and sorted(labels.tolist()) == [0] * 4 + [1] * 4
    for _ in range(100):  # what is done is forgotten, once its process has ended
        time.sleep(0.02)
        client.get("/api/datasets")
        if not (kept := list((workspace / ".studio" / "making").iterdir())):
            break
    assert not kept


def test_a_form_of_digits_is_taken(client, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(Makings, "start", lambda self, name, told, upload: asked.append((name, told)))
    form = {
        "dataset_name": "made",
        "method": "folder",
        "folder_train": str(tmp_path),
        "resize_mode": "half_crop",
    }
    form |= {"resize_width": "8", "resize_height": "4", "resize_channels": "1", "folder_pct_val": "25"}
    assert client.post(MAKE, data=form | {"backend": "lmdb", "encoding": "png"}).status_code == 200
    assert (
        client.post(MAKE.removesuffix(".json"), files={name: (None, form[name]) for name in form}).status_code
        == 200
    )
    options = {"size": [4, 8], "resize": "half-crop", "channels": "gray", "val": 25, "test": 0, "seed": 0}
    assert asked[0][0] == "made" and asked[0][1]["options"] == options | {"kind": "lmdb", "encode": "png"}
    assert asked[1][1]["options"] == options | {"kind": "idx", "encode": ""}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"dataset_name": "../made"}, "dataset_name"),
        ({"dataset_name": ".studio"}, "dataset_name"),
        ({"dataset_name": "digits"}, "dataset_name"),
        ({"resize_width": "no"}, "resize_width"),
        ({"resize_mode": "stretch"}, "resize_mode"),
        ({"folder_pct_val": 60, "folder_pct_test": 40}, "folder_pct_test"),
        ({"encoding": "png"}, "encoding"),
        ({"resize_widht": 4}, "resize_widht"),
        ({"folder_train": ""}, "folder_train"),
        ({"upload": "0" * 16}, "upload"),
    ],
)
def test_a_wrong_field_is_refused(client, tmp_path, change, field):
    asked = {"dataset_name": "made", "folder_train": str(class_folders(tmp_path / "photos"))}
    error_of(client.post(MAKE, json=asked | change))
    assert field in client.post(MAKE, json=asked | change).text
    assert "made" not in client.get("/api/datasets").text


def test_what_goes_wrong_in_the_making_is_told(client, tmp_path):
    (tmp_path / "photos" / "empty").mkdir(parents=True)
    asked = {"dataset_name": "made", "folder_train": str(tmp_path / "photos")}
    assert client.post(MAKE, json=asked).status_code == 200
    shown = wait(client, "made")
    assert shown["status"] == "Error" and "without images" in json.dumps(shown["error"])
    assert any(one["id"] == "made" for one in client.get("/api/datasets").json()["datasets"])
    assert client.delete("/datasets/made").json()["deleted"]
    assert client.get("/datasets/made.json").status_code == 404


def test_a_making_is_aborted(client, workspace, tmp_path):
    """One that takes long: large images are made of many."""
    source = class_folders(tmp_path / "photos", each=300)
    asked = {"dataset_name": "made", "folder_train": str(source), "resize_width": 1024}
    assert client.post(MAKE, json=asked).status_code == 200
    error_of(client.delete("/datasets/made"), 409)
    del client.app.state.makings  # as a server that was started again
    assert client.post("/datasets/made/abort").json() == {"id": "made", "status": "Abort"}
    assert client.get("/datasets/made/status").json()["status"] == "Abort"
    assert [path.name for path in workspace.iterdir()] == [".studio"]
    error_of(client.post("/datasets/other/abort"), 404)


def test_a_link_out_of_the_roots_is_refused(tmp_path):
    source = class_folders(tmp_path / "photos")
    (source / "cats" / "same.png").symlink_to(source / "cats" / "1.png")
    refuse_links(source, [tmp_path])
    (source / "cats" / "far.png").symlink_to("/etc/hostname")
    with pytest.raises(DataError, match="leads elsewhere"):
        refuse_links(source, [tmp_path])


def test_what_lies_outside_the_roots_is_not_found(client, tmp_path):
    for path in ("/", "/etc", str(tmp_path / ".." / ".."), "~", "\0"):
        assert client.get("/api/folders", params={"path": path}).status_code in (404, 422), path
        answer = client.post(MAKE, json={"dataset_name": "made", "folder_train": path})
        assert answer.status_code in (404, 422), path
    for id in ("..", "%2e%2e", "..%2f..%2fetc", ".studio", "small%00"):
        assert client.get(f"/datasets/{id}.json").status_code == 404
        assert client.delete(f"/datasets/{id}").status_code in (404, 405)


def test_folders_are_listed(client, tmp_path):
    source = class_folders(tmp_path / "photos")
    (source / ".hidden").mkdir()
    (source / "away").symlink_to("/etc")
    top = client.get("/api/folders").json()
    assert str(tmp_path.resolve()) in top["roots"]
    found = client.get("/api/folders", params={"path": str(source)}).json()
    assert found["folders"] == [{"name": "cats", "images": 5}, {"name": "dogs", "images": 5}]
    assert found["classes"] == 2 and found["above"] == str(tmp_path)


# -- uploads


def begin(client):
    return client.post("/api/uploads").json()["id"]


def send(client, id, files):
    parts = [("files", ("x", content)) for content in files.values()]
    return client.post(f"/api/uploads/{id}/files", files=parts, data={"paths": json.dumps(list(files))})


def archive(files, links=()):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
        for name in links:
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o120777 << 16
            opened.writestr(info, "/etc/passwd")
    return out.getvalue()


def send_zip(client, id, content):
    return client.post(f"/api/uploads/{id}/zip", content=content, headers={"content-type": "application/zip"})


def made_of(client, id, name="made"):
    assert client.post(MAKE, json={"dataset_name": name, "upload": id}).status_code == 200
    return wait(client, name)


def images(classes=("cats", "dogs"), above="photos/"):
    return {f"{above}{name}/{k}.png": png(10 * n + k) for n, name in enumerate(classes) for k in range(2)}


def test_files_that_are_sent_become_a_data_set(client):
    """And hostile names of classes stay text."""
    id = begin(client)
    answer = send(client, id, images(HOSTILE) | {"photos/notes.doc": b"?", "photos/.DS_Store": b"?"}).json()
    assert answer["files"] == 6 and len(answer["left_out"]) == 2
    assert made_of(client, id)["status"] == "Done"
    rows = client.get("/api/datasets/made/classes").json()["classes"]
    assert [(row["name"], row["counts"]) for row in rows] == [
        (name, {"train": 2}) for name in sorted(HOSTILE)
    ]
    assert send(client, id, images()).status_code == 404  # it was taken over


def test_a_zip_becomes_a_data_set(client):
    id = begin(client)
    assert send_zip(client, id, archive(images() | {"__MACOSX/x.png": b"?"})).json()["files"] == 1
    assert made_of(client, id)["status"] == "Done"
    assert client.get("/datasets/made.json").json()["parts"] == {"train": 4}


BAD_NAMES = (
    "../up.png",
    "/root.png",
    "a/../../b.png",
    "C:/x.png",
    "a\\b.png",
    "a//b.png",
    "a/\x1b[2J.png",
    "\u202e.png",
)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_hostile_names_are_refused(client, tmp_path, name):
    before = sorted(tmp_path.rglob("*.png"))
    assert "refused" in json.dumps(error_of(send(client, begin(client), images() | {name: png(1)})))
    assert sorted(tmp_path.rglob("*.png")) == before


def test_a_hostile_zip_is_refused(client, workspace):
    id = begin(client)
    send_zip(client, id, archive(images() | {"../up.png": png(1)}))
    shown = made_of(client, id)
    assert shown["status"] == "Error" and "refused" in json.dumps(shown["error"])
    assert [path.name for path in workspace.iterdir()] == [".studio"]


def test_uploads_are_bounded(client):
    id = begin(client)
    long = {"content-type": "application/zip", "content-length": str(1 << 40)}
    error_of(client.post(f"/api/uploads/{id}/zip", content=b"", headers=long), 413)
    multipart = {"content-type": "multipart/form-data; boundary=x", "content-length": str(1 << 40)}
    error_of(client.post(f"/api/uploads/{id}/files", content=b"", headers=multipart), 413)
    error_of(client.post("/api/uploads/0123456789abcdef/files", content=b""), 404)


# -- looking


def test_classes_and_pages(client, small):
    shown = client.get("/api/datasets/small/classes").json()
    assert [part["name"] for part in shown["parts"]] == ["train", "val"]
    assert shown["classes"][0] == {"label": 0, "name": "cats", "counts": {"train": 4, "val": 1}}
    page = client.get("/api/datasets/small/images", params={"part": "train", "class": 1}).json()
    assert page["total"] == 4 and {tuple(image["labels"]) for image in page["images"]} == {(1,)}
    assert client.get("/api/datasets/digits/images", params={"class": 3, "page": 2}).json()["pages"] == 3
    error_of(client.get("/api/datasets/small/images", params={"part": "test"}))
    error_of(client.get("/api/datasets/small/images", params={"class": "x"}))
    error_of(client.get("/api/datasets/small/images", params={"of": "train:99"}))


def test_a_sprite_holds_the_pixels(client, workspace, small):
    version = client.get("/api/datasets/small/classes").json()["version"]
    answer = client.get("/api/datasets/small/images.png", params={"part": "train", "v": version})
    assert "immutable" in answer.headers["cache-control"]
    sprite = picture(answer)
    pixels, _ = datasets.load(str(workspace / "small" / "train"))
    for k, image in enumerate(pixels):
        assert (sprite[:8, 8 * k : 8 * k + 8, :3] == image[::-1].transpose(1, 2, 0)).all()
    other = client.get("/api/datasets/small/images.png", params={"v": "old"})
    assert other.headers["cache-control"] == "no-store"


def test_one_image_and_its_values(client, workspace, small):
    pixels, labels = datasets.load(str(workspace / "small" / "train"))
    shown = client.get("/api/datasets/small/image", params={"part": "train", "index": 2}).json()
    assert shown["labels"] == [labels[2]] and shown["most"] == pixels[2].max()
    found = picture(client.get("/api/datasets/small/image.png", params={"part": "train", "index": 2}))
    assert (found == pixels[2][::-1].transpose(1, 2, 0)).all()
    error_of(client.get("/api/datasets/small/image", params={"part": "train", "index": 99}))


def test_augmented_samples_stand_beside_the_original(client, workspace, small):
    asked = {"part": "train", "index": 1, "n": 3, "transform": "mirror: true"}
    found = picture(client.get("/api/datasets/small/augmented.png", params=asked))[..., :3]
    original = datasets.load(str(workspace / "small" / "train")).images[1][::-1].transpose(1, 2, 0)
    assert found.shape == (8, 32, 3) and (found[:, :8] == original).all()
    for k in (1, 2, 3):
        sample = found[:, 8 * k : 8 * k + 8]
        assert (sample == original).all() or (sample == original[:, ::-1]).all()
    turned = {"augment": "affine { rotation: 90 }"}
    assert (picture(client.get("/api/datasets/small/augmented.png", params=asked | turned)) != found).any()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"transform": "crop_sise: 3"}, "crop_sise"),
        ({"transform": 'mean_file: "/etc/passwd"'}, "mean_file"),
        ({"transform": "crop_size: 99"}, "99"),
        ({"augment": "affine { rotation: 999 }"}, "rotation"),
        ({"n": "99"}, "99"),
    ],
)
def test_wrong_changes_are_refused(client, small, fields, said):
    answer = client.get("/api/datasets/small/augmented.png", params={"part": "train", "index": 0} | fields)
    assert said in json.dumps(error_of(answer))


def test_the_mean_image(client, workspace, small):
    pixels = datasets.load(str(workspace / "small" / "train")).images
    shown = client.get("/api/datasets/small/mean").json()
    assert np.allclose(shown["means"], pixels.mean(axis=(0, 2, 3)))
    found = picture(client.get("/api/datasets/small/mean.png")).astype(float)
    assert np.abs(found - pixels.mean(axis=0)[::-1].transpose(1, 2, 0)).max() <= 0.51
    assert client.get("/api/datasets/digits/mean").json()["of"] == "all images of train"


def test_suspect_images_are_found(client, workspace, tmp_path):
    source = class_folders(tmp_path / "photos", each=8)
    same = (source / "cats" / "0.png").read_bytes()
    (source / "dogs" / "copy.png").write_bytes(same)
    (source / "dogs" / "again.png").write_bytes((source / "dogs" / "1.png").read_bytes())
    blank = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(blank, "PNG")
    (source / "cats" / "blank.png").write_bytes(blank.getvalue())
    (source / "cats" / "wide.png").write_bytes(png(77, (8, 16)))
    make(source, workspace / "odd", Options(kind="lmdb"))
    shown = client.get("/api/datasets/odd/suspects").json()
    found = {group["kind"]: group for group in shown["groups"]}
    assert {kind: group["count"] for kind, group in found.items()} == {
        "labels": 2, "copies": 2, "blank": 1, "sizes": 1
    }  # fmt: skip
    assert [image["labels"] for image in found["labels"]["images"]] in ([[0], [1]], [[1], [0]])
    of = ",".join(f"{image['part']}:{image['index']}" for image in found["labels"]["images"])
    sprite = picture(client.get("/api/datasets/odd/images.png", params={"of": of}))
    assert (sprite[:8, :8] == sprite[:8, 8:16]).all()


@pytest.mark.parametrize("kind", ["idx", "lmdb", "hdf5"])
def test_every_kind_is_shown(client, workspace, tmp_path, kind):
    make(class_folders(tmp_path / "photos"), workspace / "made", Options(kind=kind, keep_order=True))
    rows = client.get("/api/datasets/made/classes").json()["classes"]
    assert [(row["name"], row["counts"]) for row in rows] == [("cats", {"train": 5}), ("dogs", {"train": 5})]
    sprite = picture(client.get("/api/datasets/made/images.png"))
    assert (sprite[:, :8, :3] == np.asarray(Image.open(io.BytesIO(png(0))))).all()


def test_boxes_are_drawn(client, workspace):
    from minicaffe.data.making.detection import Options as Scenes
    from minicaffe.data.making.detection import make_digits

    make_digits(workspace / "scenes", Scenes(train=3, test=1, encode="png"))
    shown = client.get("/api/datasets/scenes/classes").json()
    assert shown["boxed"] and shown["classes"][0]["name"] == "0"
    one = client.get("/api/datasets/scenes/image", params={"part": "train", "index": 0}).json()
    assert one["boxes"] and one["boxes"][0]["name"] == str(one["boxes"][0]["label"] - 1)
    assert picture(client.get("/api/datasets/scenes/images.png", params={"part": "train"})).size


def test_removing(client, workspace, small):
    error_of(client.delete("/datasets/digits"))
    assert client.delete("/datasets/small").json() == {"id": "small", "deleted": True}
    assert [path.name for path in workspace.iterdir()] == [".studio"]
    error_of(client.delete("/datasets/small"), 404)


def test_a_net_doubts_wrong_labels(client, workspace, tmp_path, capsys):
    labels = doubtful(workspace, tmp_path, capsys)
    group = client.get("/api/datasets/some/doubts", params={"run": "plain"}).json()
    found = {image["index"]: image["says"] for image in group["images"]}
    assert {index: found.get(index) for index in (7, 70)} == {
        index: (labels[index] + 5) % 10 for index in (7, 70)
    }
    assert group["count"] <= 12 and group["looked_at"] == 300
    error_of(client.get("/api/datasets/some/doubts", params={"run": "none"}), 404)
