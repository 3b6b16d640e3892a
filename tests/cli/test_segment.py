"""minicaffe segment."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minicaffe.errors import ConfigError, ShapeError
from minicaffe.inference import Segmenter, palette
from minicaffe.inference.segmenter import nearest
from minicaffe.net import Net

from ..support import detectors
from ..support.running import PROTOTXT, run

RED, GREEN = (255, 0, 0), (0, 255, 0)
NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } }
  transform_param { mean_value: 127.5 scale: 0.0078125 } }
layer { name: "half" type: "Pooling" bottom: "data" top: "half"
  pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layer { name: "score" type: "Convolution" bottom: "half" top: "score"
  convolution_param { num_output: 3 kernel_size: 1 } }
"""
ARG_MAX = 'layer { name: "class" type: "ArgMax" bottom: "score" top: "class" argmax_param { axis: 1 } }'
SEGMENT = ("segment", "net.prototxt", "net.caffemodel")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A net that knows red from green, with a map half as large as its input; photos of two sizes."""
    monkeypatch.chdir(tmp_path)
    make(NET)
    Path("in").mkdir()
    photo = detectors.photo(upper_left=RED, lower_right=GREEN)
    Image.fromarray(photo).save("in/two.png")
    Image.fromarray(photo[:8].repeat(3, axis=1)).save("in/wide.png")
    Path("labels.txt").write_text("nothing\napple\nleaf\n")


def make(layers: str) -> None:
    Path("net.prototxt").write_text(layers)
    net = Net("net.prototxt", phase="TEST")
    weights, bias = net.params["score"]
    weights.data[...] = detectors.SCORES[..., None, None]
    bias.data[...] = [4, -4, -4]
    net.save("net.caffemodel")


def expected() -> np.ndarray:
    classes = np.zeros((16, 16), np.uint8)
    classes[:8, :8], classes[8:, 8:] = 1, 2
    return classes


def test_a_table(capsys):
    result = run(capsys, *SEGMENT, "in/two.png", "in/wide.png")
    assert result.status == 0 and result.err == ""
    assert [line.split() for line in result.out.splitlines()] == [
        ["image", "class", "number", "pixels", "share"],
        ["in/two.png", "nothing", "0", "128", "50.0%"],
        ["in/two.png", "apple", "1", "64", "25.0%"],
        ["in/two.png", "leaf", "2", "64", "25.0%"],
        ["in/wide.png", "nothing", "0", "192", "50.0%"],
        ["in/wide.png", "apple", "1", "192", "50.0%"],
    ]


def test_pictures(capsys):
    """Values are numbers of classes, colours those of VOC; the overlay is half the image."""
    result = run(capsys, *SEGMENT, "in/two.png", "--output", "out", "--overlay")
    assert result.status == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["two.png", "two_overlay.png"]
    picture = Image.open("out/two.png")
    assert picture.mode == "P"
    np.testing.assert_array_equal(np.asarray(picture), expected())
    colours = np.asarray(picture.convert("RGB"))
    assert [tuple(colours[i, j]) for i, j in ((0, 0), (0, 15), (15, 15))] == [
        (128, 0, 0),
        (0, 0, 0),
        (0, 128, 0),
    ]
    overlay = np.asarray(Image.open("out/two_overlay.png"))
    assert [tuple(overlay[i, j]) for i, j in ((0, 0), (0, 15), (15, 15))] == [
        (191, 0, 0),
        (64, 64, 64),
        (0, 191, 0),
    ]


def test_colours_of_a_file(capsys):
    Path("colours").write_text("1 2 3 nothing\n\n#0A0b0C\n 255,0,255 leaf\n")
    assert run(capsys, *SEGMENT, "in/two.png", "--output", "out", "--palette", "colours").status == 0
    colours = np.asarray(Image.open("out/two.png").convert("RGB"))
    assert [tuple(colours[i, j]) for i, j in ((0, 15), (0, 0), (15, 15))] == [
        (1, 2, 3),
        (10, 11, 12),
        (255, 0, 255),
    ]


def test_the_colours_of_voc():
    """The first of the published list, and some of its end."""
    found = palette.voc()
    names = {
        0: (0, 0, 0),
        1: (128, 0, 0),
        4: (0, 0, 128),
        9: (192, 0, 0),
        15: (192, 128, 128),
        20: (0, 64, 128),
    }
    assert {number: tuple(found[number].tolist()) for number in names} == names
    assert tuple(found[255].tolist()) == (224, 224, 192) and len(np.unique(found, axis=0)) == 256


def test_json_of_all_that_was_named(capsys):
    Path("in/notes.txt").touch()
    Path("in/bad.png").write_text("cat")
    result = run(capsys, *SEGMENT, "in", "--json", "--output", "out")
    found = json.loads(result.out)
    assert result.status == 1 and "not looked at: in/bad.png: 3 bytes that are no image" in result.err
    assert [one["image"] for one in found["images"]] == ["in/two.png", "in/wide.png"]
    assert found["images"][0]["classes"][1] == {"number": 1, "label": "apple", "pixels": 64, "share": 0.25}
    assert found["blob"] == "score" and found["left_out"] == ["in/notes.txt"]
    assert sorted(path.name for path in Path("out").iterdir()) == ["two.png", "wide.png"]


def test_classes_that_the_net_has_chosen(capsys):
    """An ArgMax: how many classes there are the labels say, or the colours."""
    make(NET + ARG_MAX)
    result = run(capsys, *SEGMENT, "in/two.png", "--output", "out")
    assert result.status == 0 and "apple" in result.out
    np.testing.assert_array_equal(np.asarray(Image.open("out/two.png")), expected())
    Path("labels.txt").unlink()
    rows = [line.split() for line in run(capsys, *SEGMENT, "in/two.png").out.splitlines()]
    assert rows[3] == ["in/two.png", "2", "2", "64", "25.0%"]
    Path("labels.txt").write_text("nothing\napple\n")
    result = run(capsys, *SEGMENT, "in/two.png")
    assert result.status == 1 and "has classes from 0 to 2; there are 2 labels" in result.err


def test_another_size_of_the_input(capsys):
    """A net of convolutions alone sees any."""
    out = run(capsys, *SEGMENT, "in/two.png", "--shape", "data=1,3,16,16", "--json").out
    assert json.loads(out)["images"][0]["classes"][0]["share"] == 0.5
    found = Segmenter("net.prototxt", "net.caffemodel", shapes={"data": (1, 3, 16, 16)})
    assert found.shape == (3, 16, 16)


def test_standard_input(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path("in/two.png").read_bytes())))
    result = run(capsys, *SEGMENT, "-", "--output", "out")
    assert result.out.splitlines()[1].startswith("(stdin)  nothing") and Path("out/stdin.png").exists()


def test_nearest():
    """Every pixel lies in one place of the map: its middle decides."""
    values = np.array([[1, 2, 3]])
    assert nearest(values, (2, 3)).tolist() == [[1, 2, 3]] * 2
    assert nearest(values, (1, 7)).tolist() == [[1, 1, 2, 2, 2, 3, 3]]
    assert nearest(values, (1, 2)).tolist() == [[1, 3]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no image is named"),
        (["gone.png"], "cannot read gone.png: No such file"),
        (["in", "--labels", "two"], "two: 2 names of classes; the net has 3 classes"),
        (["in", "--palette", "two"], "two:1: no colour: 'a'; expected 128 0 0 or #800000"),
        (["in", "--palette", "high"], "high:2: no colour: '0 256 0'"),
        (["in", "--palette", "one"], "3 classes, and 1 colours for them"),
        (["in", "--palette", "none"], "none: 0 colours; expected 1 to 256"),
        (["in", "--palette", "gone"], "cannot read gone"),
        (["in", "--overlay"], "--overlay goes with --output FOLDER"),
        (["in", "--blob", "scor"], "no output 'scor'; hint: did you mean 'score'?"),
        (["in/two.png", "--output", "in"], "in/two.png would be replaced by its own picture"),
    ],
)
def test_what_is_refused(words, message, capsys):
    Path("two").write_text("a\nb\n")
    Path("one").write_text("#010203\n")
    Path("high").write_text("0 0 0\n0 256 0\n")
    Path("none").write_text("\n\n")
    result = run(capsys, *SEGMENT, *words)
    assert result.status == 1 and not result.out
    assert message in result.err and result.err.count("\n") == 1, result.err


def test_nets_without_a_map_or_with_two():
    with pytest.raises(
        ShapeError, match=r"no output is a map of scores, \(1, classes, h, w\): prob \(64, 10\)"
    ):
        Segmenter(PROTOTXT / "digits" / "deploy.prototxt", None)
    twice = 'layer { name: "more" type: "Power" bottom: "half" top: "more" }'
    Path("net.prototxt").write_text(NET + twice)
    with pytest.raises(ConfigError, match="2 outputs are maps of scores: ") as error:
        Segmenter("net.prototxt", None)
    assert error.value.hint == "name one: --blob NAME"
    assert Segmenter("net.prototxt", None, blob="more").labels == ["nothing", "apple", "leaf"]
    Path("net.prototxt").write_text(
        NET.replace("scale: 0.0078125", "resize { height: 9 width: 9 } crop_size: 8")
    )
    with pytest.raises(ConfigError, match="a part is cut out of every image"):
        Segmenter("net.prototxt", None)
