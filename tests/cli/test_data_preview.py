"""minicaffe data preview."""

import numpy as np
import pytest
from PIL import Image

from ..support.running import run

NET = """layer { name: "d" type: "Data" top: "data" top: "label" transform_param { scale: 0.0625 AUGMENT }
  data_param { source: "digits/train" backend: IDX batch_size: 64 } } """


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(NET.replace("AUGMENT", "mirror: true"))
    return path


def test_a_picture_of_what_comes_in(capsys, net, tmp_path):
    target = tmp_path / "seen.png"
    assert run(capsys, "data", "preview", net, "-o", target) == (0, f"Wrote {target}\n", "")
    page = np.asarray(Image.open(target))
    assert page.shape[0] > 8 * 84 and page.shape[1] > 9 * 84
    first = target.read_bytes()
    run(capsys, "data", "preview", net, "-o", target, "--seed", 1)
    assert target.read_bytes() == first
    run(capsys, "data", "preview", net, "-o", target, "--seed", 2)
    assert target.read_bytes() != first
    run(capsys, "data", "preview", net, "-o", target, "--count=2", "--samples", "3")
    page = np.asarray(Image.open(target))
    assert page.shape[0] < 3 * 100 and page.shape[1] < 5 * 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["NET"], "-o is missing: where the picture goes; hint: -o preview.png"),
        (["NET", "-o", "a.jpg"], "cannot draw a.jpg; hint: -o preview.png"),
        (["NET", "-o", "a.png", "--count", "0"], "must be at least 1; got 0"),
        (["NET", "-o", "none/a.png"], "cannot write none/a.png: No such file"),
        (["none.prototxt", "-o", "a.png"], "none.prototxt: No such file"),
        (["NET", "-o", "a.png", "--layer", "e"], "no layer 'e' of the net in phase TRAIN reads images"),
        ([], "NET"),
    ],
)
def test_what_is_wrong(capsys, net, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = run(capsys, "data", "preview", *(net if word == "NET" else word for word in arguments))
    assert result.status == 1 and message in result.err and result.err.count("\n") == 1
    assert not list(tmp_path.glob("*.png"))


def test_fields_that_are_wrong_are_named(capsys, net, tmp_path):
    net.write_text(
        net.read_text().replace("data_param {", "augment_param { hue { min: 0 max: 9 } } data_param {")
    )
    result = run(capsys, "data", "preview", net, "-o", tmp_path / "a.png")
    assert result.status == 1 and "augment_param.hue is for colour images" in result.err
    assert "layer 'd' (Data)" in result.err
