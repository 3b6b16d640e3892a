"""minicaffe summary: nets, solvers and weights, in text and JSON; mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from minicaffe.net import Net
from minicaffe.proto import binary, hdf5, text
from minicaffe.proto.schema import NetParameter

from ..support.running import PROTOTXT, run

NET = PROTOTXT / "digits" / "train_test.prototxt"
GOLDEN = Path(__file__).parent.parent / "golden"


def test_text(capsys):
    result = run(capsys, "summary", NET)
    lines = result.out.splitlines()
    assert (result.status, result.err) == (0, "") and lines[0] == f"{NET}: LeNet-digits (TRAIN)"
    row = next(line for line in lines if line.startswith("conv2"))
    assert row.split() == ["conv2", "Convolution", "64x50x4x4", "25,050", "25,600,000"]
    assert (
        any(line.startswith("multiply-adds of backward ") for line in lines) and lines[-1] == "peak 1.6 MiB"
    )


def test_states(capsys):
    assert "(TEST)" in run(capsys, "summary", NET, "--phase", "TEST").out
    assert "multiply-adds of backward" not in run(capsys, "summary", NET, "--phase", "TEST").out
    assert "(deploy)" in run(capsys, "summary", NET.with_name("deploy.prototxt")).out
    solver = run(capsys, "summary", NET.with_name("solver.prototxt"))
    assert "(TRAIN)" in solver.out and "history" in solver.out
    assert "(TEST)" in run(capsys, "summary", NET.with_name("solver.prototxt"), "--phase=TEST").out


def test_levels_and_stages(capsys, tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 } } }'
        'layer { name: "a" type: "Power" bottom: "x" top: "a" include { stage: "more" min_level: 2 } }'
    )
    assert "Power" not in run(capsys, "summary", path).out
    assert "Power" not in run(capsys, "summary", path, "--stage", "more").out
    assert "Power" in run(capsys, "summary", path, "--stage", "more", "--level", 2).out


def test_json(capsys):
    document = json.loads(run(capsys, "summary", NET, "--json").out)
    assert (document["net"], document["name"], document["notes"]) == ("LeNet-digits", "TRAIN", [])
    assert document["layers"][1]["tops"] == [[64, 20, 8, 8]] and document["bytes"]["total"] > 0
    assert document["parameters"] == document["distinct_parameters"] and document["stored"] == []
    assert document["backward_multiply_adds"] > document["multiply_adds"] > 0


def test_shared_parameters_count_once(capsys):
    out = run(capsys, "summary", PROTOTXT / "siamese" / "deploy.prototxt").out
    assert "parameters without" not in out  # one half alone
    param = 'param { name: "w" } inner_product_param { num_output: 2 bias_term: false }'
    words = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 } } }'
    words += f'layer {{ name: "a" type: "InnerProduct" bottom: "x" top: "a" {param} }}'
    words += f'layer {{ name: "b" type: "InnerProduct" bottom: "x" top: "b" {param} }}'
    path = Path("shared.prototxt")
    path.write_text(words)
    lines = run(capsys, "summary", path).out.splitlines()
    assert "parameters without shared ones 6" in lines and lines[6].split()[:2] == ["total", "12"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_data_that_is_not_here_but_of_known_shape(capsys, tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(
        'layer { name: "d" type: "Data" top: "x" data_param { source: "none" batch_size: 2 backend: LMDB }'
        " transform_param { crop_size: 5 } }"
    )
    result = run(capsys, "summary", path)
    assert result.status == 0 and "2x3x5x5" in result.out and "note: net" not in result.err
    assert "none is not here (data_param.source)" in result.out.splitlines()[-1]
    path.write_text(path.read_text().replace("crop_size: 5", ""))
    result = run(capsys, "summary", path)
    assert result.status == 1 and result.out == "" and "none is not here" in result.err
    assert "2x1x7x7" in run(capsys, "summary", path, "--shape", "x=2,1,7,7").out


def test_an_all_in_one_net(capsys):
    path = NET.with_name("all_in_one.prototxt")
    said = run(capsys, "summary", path).err
    assert "'train-data' leaves its source open, so shapes are not known; hint: name data: --source" in said
    assert "(train)" in run(capsys, "summary", path, "--source", "digits").out


@pytest.mark.parametrize("ending", ["caffemodel", "caffemodel.h5", "bin"])
def test_weights(capsys, tmp_path, ending):
    """Of a deploy net all is known; HDF5 holds names and arrays alone; the name of the file need not tell."""
    net = Net(NET.with_name("deploy.prototxt"), seed=1)
    path = tmp_path / f"w.{ending}"
    message = net.to_message()
    path.write_bytes(hdf5.from_weights(message) if ending.endswith("h5") else message.SerializeToString())
    result = run(capsys, "summary", path)
    assert (result.status, result.err) == (0, "")
    rows = [line.split() for line in result.out.splitlines()]
    in_hdf5 = ending.endswith("h5")
    assert ["conv2", *([] if in_hdf5 else ["Convolution"]), "50x20x5x5", "50", "25,050"] in rows
    assert ["conv2", "Convolution", "64x50x4x4", "25,050", "25,600,000"] in rows or in_hdf5
    document = json.loads(run(capsys, "summary", path, "--json").out)
    assert document["stored"][0]["shapes"] == [[20, 1, 5, 5], [20]]
    assert bool(document["layers"]) != in_hdf5


def test_weights_of_training(capsys):
    """Caffe's own file; its database is not here, so shapes of tops are not known."""
    result = run(capsys, "summary", GOLDEN / "lenet" / "lenet_iter_2000.caffemodel")
    lines = result.out.splitlines()
    assert result.status == 0 and lines[-1].startswith("note: shapes of tops are not known: layer 'mnist': ")
    assert "total                1.6 MiB in float32   431,080" in lines


def test_weights_with_splits(capsys, tmp_path):
    """Splits that the writer inserted are not listed, and the types of the others stay theirs."""
    text = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 } } }'
    ip = "inner_product_param { num_output: 2 }"
    for name in "ab":
        text += f'layer {{ name: "{name}" type: "InnerProduct" bottom: "x" top: "{name}" {ip} }}'
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    weights = tmp_path / "w.caffemodel"
    weights.write_bytes(Net(path, seed=1).to_message().SerializeToString())
    layers = json.loads(run(capsys, "summary", weights, "--json").out)["layers"]
    assert [(layer["name"], layer["type"]) for layer in layers] == [
        ("x", "Input"),
        ("a", "InnerProduct"),
        ("b", "InnerProduct"),
    ]


@pytest.mark.parametrize("dims", ["-1", "9223372036854775807", "[2, 3]"])
def test_weights_that_are_not_what_their_shape_says(capsys, tmp_path, dims):
    blobs = f"blobs {{ shape {{ dim: {dims} }} data: [1, 2, 3] }}"
    net = text.parse(f'layer {{ name: "a" type: "InnerProduct" {blobs} }}', NetParameter)
    (tmp_path / "w.caffemodel").write_bytes(net.SerializeToString())
    result = run(capsys, "summary", tmp_path / "w.caffemodel")
    assert result.status == 1 and "w.caffemodel: layer 'a': a blob of shape (" in result.err


def test_an_empty_net(capsys, tmp_path):
    (tmp_path / "w.caffemodel").write_bytes(b"")
    assert "no layers" in run(capsys, "summary", tmp_path / "w.caffemodel").out


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        ((), "the following arguments are required: NET"),
        (("nowhere.prototxt",), "cannot read nowhere.prototxt: No such file or directory"),
        ((NET, "--phase", "train"), "invalid choice: 'train'"),
        ((NET, "--jsn"), "no flag '--jsn'; hint: did you mean --json"),
        (("bad.caffemodel",), "bad.caffemodel: not a whole binary NetParameter"),
        (
            ("good.caffemodel", "--phase", "TEST"),
            "holds weights, which have one state; hint: leave out phase",
        ),
        (("wrong.prototxt",), "no layer type 'Relu'; hint: did you mean"),
    ],
)
def test_mistakes(capsys, tmp_path, arguments, complaint):
    (tmp_path / "bad.caffemodel").write_bytes(b"\xff" * 9)
    good = binary.from_array(np.zeros(1, np.float32))
    (tmp_path / "good.caffemodel").write_bytes(good.SerializeToString())
    (tmp_path / "wrong.prototxt").write_text(NET.read_text().replace('"ReLU"', '"Relu"'))
    result = run(capsys, "summary", *arguments)
    assert (result.status, result.out) == (1, "") and complaint in result.err


def test_the_program_that_is_run(capsys):
    net = PROTOTXT / "googlenet" / "deploy.prototxt"
    assert "program:" not in run(capsys, "summary", net).out
    lines = run(capsys, "summary", net, "--program").out.splitlines()
    (step,) = [line for line in lines if line.startswith("  inception_3a/3x3  ")]
    assert "side by side on a GPU: 58 forward, 31 one behind the other" in lines
    assert "(inside inception_3a/output); ends in ReLU; winograd F(4x4): 96->128 3x3@28, 4.0x fewer" in step
    assert "concat: 'inception_3a/output' (Concat) copies nothing" in lines
    assert "epilogue: 'inception_3a/relu_3x3' (ReLU) runs inside 'inception_3a/3x3' (Convolution)" in lines
