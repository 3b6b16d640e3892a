"""minicaffe data make digits-detection, and what info and preview say of it."""

import json

import numpy as np
import pytest
from PIL import Image

from minicaffe.drawing.boxes import outlined

from ..support.annotated import coco_file, database
from ..support.running import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("set") / "digits"


def test_it_is_made(folder, capsys):
    status, out, err = run(
        capsys, "data", "make", "digits-detection", folder, "--train", "9", "--test", "3", "--size", "64"
    )
    assert (status, err) == (0, "")
    assert f"{folder}: train 9 with " in out and "images of 64x64" in out
    assert f'data_param {{ source: "{folder}/train"  backend: VOC  batch_size: 32 }}' in out
    status, _, err = run(capsys, "data", "make", "digits-detection", folder, "-o", folder)
    assert status == 1 and "the folder is given twice; hint: keep one" in err


def test_info(folder, capsys):
    status, out, _ = run(capsys, "data", "info", folder)
    assert status == 0 and "  images   9 of 3x64x64, uint8 from " in out and "  images   3 of 3x64x64" in out
    status, out, _ = run(capsys, "data", "info", f"{folder}/train", "--json")
    made = json.loads((folder / "summary.json").read_text())["parts"]["train"]
    found = json.loads(out)
    assert found["classes"] == made["classes"] and found["objects"] == sum(made["classes"].values())
    assert found["names"][:2] == ["background", "0"]


def test_info_of_coco(tmp_path, capsys):
    status, out, _ = run(capsys, "data", "info", coco_file(tmp_path / "x"))
    assert status == 0
    assert "4 sizes, most of them 3x40x60" in out
    assert "objects  5 of 2 classes, 1 of them difficult; 1 images have none" in out
    assert "1  2  cat" in out and "2  3  dog" in out


def test_info_of_a_database(tmp_path, capsys):
    status, out, _ = run(capsys, "data", "info", database(tmp_path / "db"))
    assert status == 0 and "objects  5 of 2 classes, 1 of them difficult; 1 images have none" in out
    assert f"files    {tmp_path}/db/data.mdb" in out


def test_preview_draws_boxes(folder, tmp_path, capsys):
    net = tmp_path / "net.prototxt"
    net.write_text(f"""layer {{ name: "d" type: "AnnotatedData" top: "data" top: "label"
      data_param {{ source: "{folder}/train" backend: VOC batch_size: 2 }}
      transform_param {{ mirror: true }} }}""")
    status, out, err = run(
        capsys, "data", "preview", net, "-o", tmp_path / "a.png", "--samples", "2", "--count", "3"
    )
    assert (status, out, err) == (0, f"Wrote {tmp_path}/a.png\n", "")
    with Image.open(tmp_path / "a.png") as image:
        assert image.width > 3 * 192 and image.height > 3 * 192


def test_outlines():
    image = np.full((1, 20, 28), 9.0, np.float32)
    found = outlined(image, np.array([[0.25, 0.5, 0.5, 1.0], [0, 0, 0, 0]]), np.array([1, 2]))
    assert found.shape == (3, 160, 224)
    assert (found[:, 80, 56:112] == found[:, 159:, 56]).all() and found[0, 100, 60] == 9
    assert (found != 9).any(axis=0).sum() == 2 * 56 + 2 * 78 + 1
