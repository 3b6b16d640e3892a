"""minicaffe detect."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minicaffe.errors import ConfigError
from minicaffe.inference import Detector
from minicaffe.layers.rcnn.geometry import moved, overlaps

from ..support import detectors
from ..support.running import PROTOTXT, run

RED, GREEN = (255, 0, 0), (0, 255, 0)
SSD = ("detect", "ssd.prototxt", "ssd.caffemodel")
REGIONS = ("detect", "regions.prototxt", "regions.caffemodel")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A detector, a photo with two things, one with none, and one twice as wide as high."""
    monkeypatch.chdir(tmp_path)
    detectors.ssd(tmp_path)
    Path("in").mkdir()
    two = detectors.photo(upper_left=RED, lower_right=GREEN)
    Image.fromarray(two).save("in/two.png")
    Image.fromarray(detectors.photo()).save("in/none.png")
    Image.fromarray(two.repeat(2, axis=1)).save("in/wide.png")
    Path("labels.txt").write_text("apple\nleaf\n")


def test_a_table(capsys):
    """Sorted by score; the boxes are those of the image, whatever the net's input is."""
    result = run(capsys, *SSD, "in/two.png", "in/none.png", "in/wide.png")
    assert result.status == 0 and result.err == ""
    head, *rows = [line.split() for line in result.out.splitlines()]
    assert head == ["image", "label", "score", "xmin", "ymin", "xmax", "ymax"]
    assert [row[:2] + row[3:] for row in rows] == [
        ["in/two.png", "apple", "0", "0", "8", "8"],
        ["in/two.png", "leaf", "8", "8", "16", "16"],
        ["in/none.png", "-"],
        ["in/wide.png", "apple", "0", "0", "16", "8"],
        ["in/wide.png", "leaf", "16", "8", "32", "16"],
    ]
    assert all(float(row[2]) > 0.9 for row in rows if len(row) > 2)


def test_json_of_all_that_was_named(capsys):
    Path("in/notes.txt").touch()
    Path("in/bad.png").write_text("cat")
    result = run(capsys, *SSD, "in", "--json", "--threshold", 0.999)
    found = json.loads(result.out)
    assert result.status == 1 and found["threshold"] == 0.999
    assert [image["image"] for image in found["images"]] == ["in/none.png", "in/two.png", "in/wide.png"]
    assert found["left_out"] == ["in/notes.txt"]
    assert [one["image"] for one in found["unreadable"]] == ["in/bad.png"]
    assert "not looked at: in/bad.png: 3 bytes that are no image" in result.err
    things = found["images"][1]["things"]
    assert things[0]["label"] == "apple" and things[0]["number"] == 1
    assert things[0]["box"] == {"xmin": 0.0, "ymin": 0.0, "xmax": 8.0, "ymax": 8.0}
    assert found["images"][0]["things"] == []
    assert found["images"][2]["height"] == 16 and found["images"][2]["width"] == 32


def test_pictures(capsys):
    """The image with a box in the colour of the class around what was found, and as it was elsewhere."""
    photos = {"none": detectors.photo(200), "two": detectors.photo(200, upper_left=RED, lower_right=GREEN)}
    for name, photo in photos.items():
        Image.fromarray(photo).save(f"in/{name}.png")
    result = run(capsys, *SSD, "in/two.png", "in/none.png", "--output", "out/deep")
    assert result.status == 0
    assert sorted(path.name for path in Path("out/deep").iterdir()) == ["none.png", "two.png"]
    none, two = (np.asarray(Image.open(f"out/deep/{name}.png")) for name in ("none", "two"))
    np.testing.assert_array_equal(none, photos["none"])
    changed = (two != photos["two"]).any(axis=2)
    assert not changed[110:, :90].any() and not changed[:80, 110:].any()
    assert changed[199, 100:].all() and changed[100:, 199].all()
    assert tuple(two[199, 150]) == (0, 128, 0) and tuple(two[50, 0]) == (128, 0, 0)


@pytest.mark.parametrize(
    "labels",
    [
        "nothing\napple\nleaf\n",
        'item { name: "none" label: 0 display_name: "nothing" }\n'
        'item { name: "leaf" label: 2 }\n# a comment\nitem { name: "n1" label: 1 display_name: "apple" }\n',
    ],
    ids=["lines", "label map"],
)
def test_labels_with_the_background(labels, capsys):
    Path("names").write_text(labels)
    out = run(capsys, *SSD, "in/two.png", "--labels", "names").out
    assert [line.split()[1] for line in out.splitlines()] == ["label", "apple", "leaf"]
    Path("labels.txt").unlink()  # a label map beside the net does too
    name = "labelmap.prototxt" if "item" in labels else "labels.txt"
    Path("names").rename(name)
    assert run(capsys, *SSD, "in/two.png").out == out


def test_what_is_done_to_pixels(capsys):
    """Flags stand in the place of what the Input says."""

    def scores(*flags):
        out = run(capsys, *SSD, "in/two.png", "--json", "--threshold", 0, *flags).out
        return [one["score"] for one in json.loads(out)["images"][0]["things"]]

    said = ("--mean", "127.5", "--scale", 0.0078125)
    assert scores(*said) == scores() != scores("--scale", 0.01)
    assert scores("--mean", "100,127.5,127.5") != scores()


def test_standard_input(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path("in/two.png").read_bytes())))
    result = run(capsys, *SSD, "-", "--output", "out")
    assert result.out.splitlines()[1].startswith("(stdin)  apple") and Path("out/stdin.png").exists()


def test_regions(capsys):
    """R-CNN: an image of 40 x 20 at twice its size; the box of what is red moves, as the net says; of two
    that overlap the better stays."""
    image = np.full((20, 40, 3), 0, np.uint8)
    image[:, :10] = RED
    image[5:, 30:] = GREEN
    Image.fromarray(image).save("scene.png")
    # In pixels of the image as the net sees it.
    rois = np.float32([[0, 0, 10, 19, 29], [0, 0, 10, 21, 29], [0, 60, 20, 79, 39]])
    detectors.regions(Path(), rois)
    result = run(capsys, *REGIONS, "scene.png", "--labels", "labels.txt", "--sides", "40,1000", "--json")
    found = json.loads(result.out)["images"][0]["things"]
    assert [one["label"] for one in found] == ["apple", "leaf"]
    expected = [moved(np.float64([[0, 5, 9.5, 14.5]]), np.array([[0.5, 0, 0, np.log(2)]]))[0]]
    expected.append(moved(np.float64([[30, 10, 39.5, 19.5]]), np.zeros((1, 4)))[0])
    for one, box in zip(found, expected):
        wanted = np.clip(box, 0, [39, 19, 39, 19])
        np.testing.assert_allclose(list(one["box"].values()), wanted, atol=0.01)
    # The longer side has a limit too: 40 pixels are all, and the regions lie elsewhere.
    out = run(capsys, *REGIONS, "scene.png", "--labels", "labels.txt", "--sides", "40,40", "--json").out
    assert json.loads(out)["images"][0]["things"] != found


def test_a_box_for_all_classes(capsys):
    """R-FCN: the deltas of the second box are those of every class."""
    image = np.full((20, 20, 3), 0, np.uint8)
    image[5:, :10] = GREEN
    rois = np.float32([[0, 0, 6, 7, 13]] * 3)
    detectors.regions(Path(), rois, agnostic=True)
    found = Detector("regions.prototxt", "regions.caffemodel", sides_px=(20, 100))
    (thing,) = found.detect(np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1))).things
    assert thing.label == "leaf"
    wanted = moved(np.float64([[0, 6, 7, 13]]), np.array([[0.5, 0, 0, np.log(2)]]))[0]
    np.testing.assert_allclose(thing.box, wanted.clip(0, 19), rtol=1e-5)


def test_yolo(capsys):
    """Rows as SSD's, of classes from 1 on: labels.txt names the two."""
    detectors.yolo(Path())
    out = run(capsys, "detect", "yolo.prototxt", "yolo.caffemodel", "in/two.png", "in/wide.png").out
    rows = [line.split() for line in out.splitlines()[1:]]
    assert sorted(row[:2] + row[3:] for row in rows) == [
        ["in/two.png", "apple", "0", "0", "8", "8"],
        ["in/two.png", "leaf", "8", "8", "16", "16"],
        ["in/wide.png", "apple", "0", "0", "16", "8"],
        ["in/wide.png", "leaf", "16", "8", "32", "16"],
    ]


def test_a_net_that_proposes_regions():
    """Those of py-faster-rcnn: the net sees the image as large as im_info says, and boxes come back in pixels
    of the image.  What they are is computed here once more, from the blobs."""
    detectors.proposing(Path())
    found = Detector("proposing.prototxt", "proposing.caffemodel", threshold=0.34, sides_px=(64, 1000))
    for height, width in ((32, 48), (80, 40)):
        image = np.random.default_rng(1).integers(0, 256, (3, height, width), np.uint8)
        sight = found.detect(image)
        blobs = {name: np.array(found.net.blobs[name].data) for name in ("data", "im_info", "rois")}
        scale = 64 / min(height, width)
        assert blobs["data"].shape == (1, 3, height * scale, width * scale)
        assert blobs["im_info"].tolist() == [[height * scale, width * scale, np.float32(scale)]]
        probs, deltas = (np.array(found.net.blobs[name].data) for name in ("cls_prob", "bbox_pred"))
        assert 1 < len(probs) <= 20 and sight.things
        for thing in sight.things:
            of = np.abs(probs[:, thing.number] - thing.score) < 1e-6  # regions of equal cells score alike
            moves = deltas[of, 4 * thing.number : 4 * thing.number + 4]
            boxes = moved(blobs["rois"][of, 1:] / scale, moves).clip(0, [width - 1, height - 1] * 2)
            assert np.abs(boxes - thing.box).max(axis=1).min() < 1e-3
        for number in (1, 2):
            boxes = np.array([thing.box for thing in sight.things if thing.number == number]).reshape(-1, 4)
            assert (np.triu(overlaps(boxes, boxes), 1) <= 0.3).all()


def test_boxes_by_hand():
    assert moved(np.array([[0, 0, 9, 19]]), np.array([[0.1, 0.5, 0, np.log(2)]])).tolist() == [[1, 0, 11, 40]]
    others = np.float64([[0, 0, 9, 9], [5, 0, 14, 9], [20, 20, 29, 29]])
    np.testing.assert_allclose(overlaps(others[:1], others), [[1, 50 / 150, 0]])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no image is named"),
        (["gone.png"], "cannot read gone.png: No such file"),
        (["labels.txt"], "labels.txt: 11 bytes that are no image"),
        (["in", "--labels", "four"], "four: 4 names of classes; the net has 3 classes"),
        (["in", "--labels", "map"], "map: no name for the label 0"),
        (["in", "--labels", "twice"], "twice: two items are called 'a'"),
        (["in", "--labels", "double"], "double: two items have the label 1: a and b"),
        (["in", "--labels", "broken"], "broken:1:8: LabelMapItem has no field 'nam'"),
        (["in", "--threshold", "-1"], "must be a number of 0 or more; got -1"),
        (["in", "--output", "four"], "four is a file; expected a folder"),
        (["in/two.png", "in/../in/two.png", "--output", "out"], "two images are called two"),
        (["in/two.png", "--output", "in"], "in/two.png would be replaced by its own picture"),
        (["in", "--sides", "600"], "--sides: a height and a width"),
    ],
)
def test_what_is_refused(words, message, capsys):
    Path("four").write_text("a\nb\nc\nd\n")
    Path("map").write_text('item { name: "a" label: 1 }')
    Path("double").write_text('item { name: "a" label: 1 } item { name: "b" label: 1 }')
    Path("twice").write_text('item { name: "a" label: 0 } item { name: "a" label: 1 }')
    Path("broken").write_text('item { nam: "a" label: 1 }')
    result = run(capsys, *SSD, *words)
    assert result.status == 1 and not result.out
    assert message in result.err and result.err.count("\n") == 1, result.err


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"scale: 0.0078125": "crop_size: 8"}, None),
        (
            {"mean_value: 127.5": "resize { height: 9 width: 9 } crop_size: 8"},
            "a part is cut out of every image",
        ),
    ],
)
def test_the_whole_image_is_seen(changed, message, capsys):
    detectors.ssd(Path(), changed)
    result = run(capsys, *SSD, "in/two.png")
    assert result.status == (message is not None) and (message or "") in result.err


def test_images_are_stretched():
    with pytest.raises(ConfigError, match="mode must be squash for a net that sees places; got crop"):
        Detector("ssd.prototxt", "ssd.caffemodel", mode="crop")
    with pytest.raises(ConfigError, match="a part is cut out of every image"):
        Detector("ssd.prototxt", "ssd.caffemodel", oversample=True)


def test_a_net_that_detects_nothing():
    net = PROTOTXT / "digits" / "deploy.prototxt"
    with pytest.raises(
        ConfigError, match="the net detects nothing: it has no output of a layer DetectionOutput"
    ) as e:
        Detector(net, None)
    assert "minicaffe classify" in e.value.hint
