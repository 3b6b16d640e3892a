"""minicaffe check: text, JSON, several files, status."""

from __future__ import annotations

import argparse
import json
import re
import sys

import pytest

from minicaffe.cli import flags
from minicaffe.errors import ConfigError

from ..support.running import PROTOTXT, run

NET = PROTOTXT / "digits" / "train_test.prototxt"


def test_text(capsys):
    result = run(capsys, "check", NET)
    assert result.status == 0 and result.err == ""
    for line in ("TRAIN:", "TEST:", "deploy: none, no Input layers", f"{NET}: ok", "peak 1.6 MiB"):
        assert line in result.out.splitlines()
    row = next(line for line in result.out.splitlines() if line.startswith("conv2"))
    assert row.split() == ["conv2", "Convolution", "64x50x4x4", "25,050", "25,600,000"]


def test_all_files_are_checked_though_one_fails(capsys, tmp_path):
    wrong = tmp_path / "wrong.prototxt"
    wrong.write_text(NET.read_text().replace('"ReLU"', '"Relu"'))
    result = run(capsys, "check", "nowhere.prototxt", wrong, NET, "--json")
    document = json.loads(result.out)
    assert result.status == 1 and result.err == ""
    assert [file["ok"] for file in document["files"]] == [False, False, True]
    assert (document["error"], document["warning"]) == (2, 0)
    missing, unknown, good = document["files"]
    assert missing["findings"][0]["what"].startswith("cannot read nowhere.prototxt")
    assert unknown["findings"][0]["rule"] == "unknown_type" and unknown["states"][0]["bytes"] is None
    state = good["states"][0]
    assert state["bytes"]["total"] > state["bytes"]["planned"] > 0
    assert state["layers"][1]["tops"] == [[64, 20, 8, 8]]
    text = run(capsys, "check", "nowhere.prototxt", NET)
    assert text.status == 1 and "nowhere.prototxt: NOT ok, 1 error" in text.out


def test_strict(capsys):
    result = run(capsys, "check", NET, "--strict")
    assert result.status == 1 and "NOT ok, 3 errors" in result.out


def test_source_of_an_all_in_one_net(capsys):
    path = NET.with_name("all_in_one.prototxt")
    assert "shapes are not known" in run(capsys, "check", path).out
    result = run(capsys, "check", path, "--source", "digits")
    assert result.status == 0 and "deploy:" in result.out.splitlines()


def test_mistakes(capsys):
    result = run(capsys, "check")
    assert result.status == 1 and "name one prototxt at least" in result.err
    assert "no flag '--jsn'; hint: did you mean --json" in run(capsys, "check", NET, "--jsn").err


RAISING = """layer { name: "d" type: "Python" top: "x" python_param { module: "raising_layer" layer: "D" } }
layer { name: "l" type: "Power" bottom: "x" top: "y" loss_weight: 1 }
"""


def test_a_layer_whose_code_raises_is_one_finding(capsys, tmp_path, monkeypatch):
    """The other files are judged, and what the code prints is no part of the report."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    lines = ["import caffe", "class D(caffe.Layer):", " def setup(self, bottom, top):", "  print('hello')"]
    (tmp_path / "raising_layer.py").write_text("\n".join([*lines, "  open('nowhere')"]))
    (tmp_path / "net.prototxt").write_text(RAISING)
    (tmp_path / "solver.prototxt").write_text('net: "net.prototxt" max_iter: 1 lr_policy: "fixed"\n')
    said = "net.prototxt:1: layer 'd'(?: \\(Python\\))?: .*raising_layer.py:5: FileNotFoundError: .*'nowhere'"
    result = run(capsys, "check", "net.prototxt", NET, "--json")
    bad, good = json.loads(result.out)["files"]
    assert result.status == 1 and good["ok"] and not bad["ok"] and "hello" in result.err
    assert [finding["layer"] for finding in bad["findings"] if finding["severity"] == "error"] == ["d"]
    assert re.search(said, run(capsys, "check", "net.prototxt", NET).out)
    for command in (
        ["summary", "net.prototxt"],
        ["train", "solver.prototxt"],
        ["time", "-model", "net.prototxt"],
    ):
        result = run(capsys, *command)
        assert result.status == 1 and re.search(said, result.err) and "Traceback" not in result.err
    drawn = run(capsys, "draw", "net.prototxt", "-o", "net.svg")
    assert drawn.status == 0 and re.search(said, drawn.err)  # without shapes


NOISY = """import caffe
print("noise")
class D(caffe.Layer):
    def setup(self, bottom, top): print("noise")
    def reshape(self, bottom, top): top[0].reshape(AXES)
    def forward(self, bottom, top): print("noise")
    def backward(self, top, propagate_down, bottom): print("noise")
"""


def test_what_a_layer_prints_is_no_part_of_a_report(capsys, tmp_path):
    """Of equal names, every net has the module that lies beside it."""
    paths = [tmp_path / name / "net.prototxt" for name in ("a", "b", "c")]
    for path in paths:
        path.parent.mkdir()
        path.write_text(RAISING.replace("raising_layer", "minicaffe_test_noisy"))
    for axes, path in enumerate(paths[:2], 3):
        source = NOISY.replace("AXES", str(axes))
        path.with_name("minicaffe_test_noisy.py").write_text(source)
    result = run(capsys, "check", *paths, "--json")
    tops = [
        state["layers"][0]["tops"]
        for report in json.loads(result.out)["files"]
        for state in report["states"][:1]
        if state["layers"]
    ]
    assert tops == [[[3]], [[4]]] and "noise" in result.err
    assert "'minicaffe_test_noisy' cannot be found" in result.out
    for command in (
        ["summary", paths[0], "--json"],
        ["time", paths[0], "--iterations", 1, "--json", "-"],
        ["gradcheck", paths[0], "--json"],
    ):
        result = run(capsys, *command)
        assert json.loads(result.out) and "noise" in result.err, result.err
    sys.modules.pop("minicaffe_test_noisy", None)


def test_data_that_is_not_here(capsys, tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(NET.read_text().replace("digits/", "nowhere/"))
    result = run(capsys, "check", path)
    assert result.status == 1 and f"{path}: NOT ok, needs data in 2 places" in result.out
    assert "TRAIN: shapes are not known" in result.out and "Needs data:" in result.out
    result = run(capsys, "check", path, "--allow-missing-data", "--shape", "data=4,1,8,8", "--json")
    document = json.loads(result.out)
    assert result.status == 0 and document["needs data"] == 2 and document["files"][0]["ok"]
    assert document["files"][0]["states"][0]["layers"][0]["tops"] == [[4, 1, 8, 8], [4]]


def test_shapes_are_read():
    def given(*words: str):
        return flags.shapes(argparse.Namespace(shape=words))

    assert given("data=1,3,224, 224", "a=b=7") == {"data": (1, 3, 224, 224), "a=b": (7,)}
    for word in ("data", "=1,2", "data=", "data=1,x", "data=0,3", "data=1x3", "data=1_0", "data=\u0661"):
        with pytest.raises(
            ConfigError, match=r"--shape .*: no name and shape; hint: --shape data=32,3,224,224"
        ):
            given(word)
    with pytest.raises(ConfigError, match="--shape data=2: data has a shape already"):
        given("data=1", "data=2")
