"""minicaffe classify."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minicaffe.data import datasets
from minicaffe.net import Net

from ..support.running import PROTOTXT, run

NET = PROTOTXT / "digits" / "train_test.prototxt"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Ten images in folders, one of them ink on paper; a text beside them; weights that know nothing yet."""
    monkeypatch.chdir(tmp_path)
    pixels, _ = datasets.load("digits/test")
    Path("in/deep").mkdir(parents=True)
    for i in range(10):
        image = np.minimum(pixels[i, 0].astype(int) * 16, 255).astype(np.uint8)
        image = 255 - image if i == 3 else image
        Image.fromarray(image).save(f"in/{'deep/' if i % 2 else ''}{i}.png")
    Path("in/notes.txt").touch()
    Net(NET, phase="TEST", seed=1).save("net.caffemodel")


def test_one_image(capsys):
    result = run(capsys, "classify", NET, "net.caffemodel", "in/0.png", "--top", 3)
    lines = result.out.splitlines()
    assert result.status == 0 and result.err == "" and len(lines) == 6
    assert lines[:2] == ["in/0.png (8 x 8)", "class  probability"]
    assert [len(line.split()) for line in lines[2:5]] == [2, 2, 2]
    assert lines[5].startswith("decode ") and " ms, forward " in lines[5]


def test_a_folder(capsys):
    Path("labels.txt").write_text("\n".join(f"digit \x1b {i}" for i in range(10)))
    Path("in/bad.png").write_text("cat")
    result = run(capsys, "classify", NET, "net.caffemodel", "in", "--top", 2)
    head, *rows = result.out.splitlines()
    assert result.status == 1 and len(rows) == 10
    assert head.split() == ["image", "class", "probability", "2.", "decode", "ms", "forward", "ms"]
    assert rows[0].startswith("in/0.png ") and r"digit \x1b " in rows[0] and "\x1b" not in result.out
    assert [row for row in rows if "(inverted)" in row] == [
        r for r in rows if r.startswith("in/deep/3.png (inv")
    ]
    said = result.err.splitlines()
    assert said[0].startswith("light and dark exchanged in 1 of 11 images")
    assert said[1:3] == [
        "left out, no image by its name: in/notes.txt",
        "not classified: in/bad.png: 3 bytes that are no image Pillow knows;"
        " hint: PNG, JPEG, BMP, TIFF, ... are",
    ]


def test_forms_agree(capsys):
    given = ("classify", NET, "net.caffemodel", "in/0.png", "in/deep/3.png", "--top", 2)
    found = json.loads(run(capsys, *given, "--json").out)
    assert found["values"] == "probability" and found["unreadable"] == found["left_out"] == []
    rows = list(csv.DictReader(io.StringIO(run(capsys, *given, "--csv").out)))
    assert len(rows) == 4
    for row, (image, one) in zip(rows, [(i, c) for i in found["images"] for c in i["classes"]]):
        assert row["image"] == image["image"] and int(row["inverted"]) == image["inverted"]
        assert int(row["number"]) == one["number"] and row["label"] == one["label"]
        assert float(row["probability"]) == pytest.approx(one["value"], rel=1e-5)
    assert [image["inverted"] for image in found["images"]] == [False, True]


def test_a_deploy_net_and_the_flags(capsys):
    """The deploy net that convert makes knows scale; the training data's white it does not."""
    assert run(capsys, "convert", NET, "deploy.prototxt").status == 0
    images = [f"in/{i}.png" for i in (0, 2, 4)]

    def values(net, *flags) -> list[float]:
        out = run(capsys, "classify", net, "net.caffemodel", *images, "--csv", "--top", 10, *flags).out
        return [float(row["probability"]) for row in csv.DictReader(io.StringIO(out))]

    expected = values(NET)
    assert values("deploy.prototxt", "--raw_scale", 16) == expected != values("deploy.prototxt")
    shipped = PROTOTXT / "digits" / "deploy.prototxt"
    assert values(shipped, "--raw-scale", 16, "--scale", 0.0625) == expected
    assert values(shipped, "--raw_scale", 16, "--scale", 0.0625, "--mean", 0) == expected
    assert values(NET, "--mean", 3) != expected != values(NET, "--invert", "yes")
    assert values(NET, "--size", "10,10") != expected != values(NET, "--oversample")


def test_standard_input(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path("in/0.png").read_bytes())))
    result = run(capsys, "classify", NET, "net.caffemodel", "-", "--json")
    assert json.loads(result.out)["images"][0]["image"] == "-"


def test_a_standard_input_that_is_closed(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    result = run(capsys, "classify", NET, "net.caffemodel", "-")
    assert result.status == 1 and "the standard input is closed" in result.err and not result.out


def test_json_of_what_is_no_number(capsys):
    """Weights of a training that went wrong: null, since JSON has no NaN."""
    net = Net(NET, phase="TEST", seed=1)
    for blobs in net.params.values():
        blobs[-1].data[...] = np.nan
    net.save("nan.caffemodel")
    out = run(capsys, "classify", NET, "nan.caffemodel", "in/0.png", "--json").out
    found = json.loads(out, parse_constant=pytest.fail)
    assert [one["value"] for one in found["images"][0]["classes"]] == [None] * 5


def test_all_that_a_folder_holds_is_told_of(capsys):
    """Links to folders too, and beside the only image one that is none."""
    Path("one").mkdir()
    Path("one/bad.png").write_text("bad")
    Path("one/linked").symlink_to("../in", target_is_directory=True)
    result = run(capsys, "classify", NET, "net.caffemodel", "one")
    assert result.status == 1 and not result.out
    assert "left out, no image by its name: one/linked" in result.err and "one/bad.png: 3 bytes" in result.err
    result = run(capsys, "classify", NET, "net.caffemodel", "one/bad.png", "--json")
    assert result.status == 1 and json.loads(result.out)["unreadable"][0]["image"] == "one/bad.png"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["net.caffemodel"], "no image is named"),
        (["net.caffemodel", "gone.png"], "cannot read gone.png: No such file"),
        (["net.caffemodel", "in/notes.txt"], "in/notes.txt: 0 bytes that are no image"),
        (["net.caffemodel", "empty"], "empty: no file in this folder has the name of an image"),
        (["net.caffemodel", "-", "-"], "the standard input holds one image"),
        (["gone.caffemodel", "in"], "cannot read gone.caffemodel"),
        (["in/0.png", "in"], "in/0.png is no prototxt"),
        (["net.caffemodel", "in", "--labels", "in/notes.txt"], "in/notes.txt:1: an empty line"),
        (
            ["net.caffemodel", "in", "--mean", "1,2,3"],
            "mean_value must be given once or once per channel (1)",
        ),
        (["net.caffemodel", "in", "--mean", "1,,2"], "numbers separated by commas; got '1,,2'"),
        (["net.caffemodel", "in", "--mean", "gone"], "cannot read gone"),
        (["net.caffemodel", "in", "--std", "x"], "--std: numbers separated by commas; got 'x'"),
        (["net.caffemodel", "in", "--size", "4"], "--size: a height and a width, 256,256; got '4'"),
        (
            ["net.caffemodel", "in", "--size", "4,4"],
            "images of 4 x 4 are smaller than the net's input, 8 x 8",
        ),
        (
            ["net.caffemodel", "in", "--size", "99999,99999"],
            "a size of 99999 x 99999; expected at most 80000000",
        ),
        (["net.caffemodel", "in", "--output", "probb"], "no output 'probb'; hint: did you mean 'prob'"),
        (["net.caffemodel", "in", "--json", "--csv"], "not allowed with argument"),
    ],
)
def test_mistakes(words, message, capsys):
    Path("empty").mkdir()
    result = run(capsys, "classify", NET, *words)
    assert result.status == 1 and message in result.err and result.err.count("\n") == 1 and not result.out


def test_a_solver_is_no_net(capsys):
    result = run(capsys, "classify", NET.with_name("solver.prototxt"), "net.caffemodel", "in")
    assert result.status == 1 and "a solver, no net" in result.err


def test_a_run_is_net_and_weights(capsys):
    """As the run's net knows the classes of its data, so do the answers."""
    for part, first in (("train", 0), ("val", 5)):
        pixels, labels = datasets.load("digits/train")
        for name, label in (("none", 0), ("one", 1)):
            Path(f"data/{part}/{name}").mkdir(parents=True)
            for k in np.flatnonzero(labels == label)[first : first + 5]:
                Image.fromarray(pixels[k, 0] * 15).save(f"data/{part}/{name}/{k}.png")
    folders = PROTOTXT / "digits" / "all_in_one.prototxt"
    trained = run(
        capsys, "train", folders, "--source", "data", "--run", "r", "--epochs", 1, "--batch_size", 5
    )
    assert trained.status == 0, trained.err
    result = run(capsys, "classify", "r", "r", "in", "--csv")
    rows = list(csv.DictReader(io.StringIO(result.out)))
    assert result.status == 0 and {row["label"] for row in rows} == {"none", "one"}
    deployed = run(
        capsys, "classify", "r/all_in_one_deploy.prototxt", "r", "in", "--csv", "--labels", "l.txt"
    )
    assert deployed.status == 1 and "cannot read l.txt" in deployed.err
    Path("l.txt").write_text("none\none\n")
    deployed = run(
        capsys, "classify", "r/all_in_one_deploy.prototxt", "r", "in", "--csv", "--labels", "l.txt"
    )
    both = [[row["probability"] for row in csv.DictReader(io.StringIO(r.out))] for r in (result, deployed)]
    assert both[0] == both[1]
    shown = run(capsys, "show", "r", "conv1", "-o", "conv1.png")
    assert (shown.status, shown.out) == (0, "Wrote conv1.png\n")
