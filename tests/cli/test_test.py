"""minicaffe test: means over batches, in Caffe's lines."""

from __future__ import annotations

import re

import numpy as np
import pytest

from minicaffe.files import write_atomic
from minicaffe.net import Net
from minicaffe.proto import hdf5, text
from minicaffe.proto.schema import NetParameter

from ..support.running import run

# Batches of two of the rows 0 to 3 of the ramp: means are those of the batches that ran.
NET = """
layer { name: "data" type: "HDF5Data" top: "x" top: "t" include { phase: TEST }
  hdf5_data_param { source: "list.txt" batch_size: 2 } }
layer { name: "data" type: "Input" top: "x" top: "t" include { phase: TRAIN }
  input_param { shape { dim: 2 dim: 3 } } }
layer { name: "scale" type: "Scale" bottom: "x" top: "y" scale_param { axis: 1 } }
layer { name: "sums" type: "Reduction" bottom: "y" top: "sums" reduction_param { axis: 1 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" loss_weight: 0.5 }
layer { name: "deep" type: "Reduction" bottom: "y" top: "deep"
  include { min_level: 2 } }
layer { name: "staged" type: "Reduction" bottom: "y" top: "staged"
  include { stage: "more" } }
"""
ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    import h5py

    monkeypatch.chdir(tmp_path)
    with h5py.File("rows.h5", "w") as file:
        file["x"], file["t"] = ROWS, np.zeros_like(ROWS)
    (tmp_path / "list.txt").write_text("rows.h5\n")
    (tmp_path / "net.prototxt").write_text(NET)
    net = Net(text.parse(NET, NetParameter), phase="TRAIN", seed=1)
    net.params["scale"][0].data[...] = 2
    weights = net.to_message()
    write_atomic("two.caffemodel", weights.SerializeToString())
    write_atomic("two.caffemodel.h5", hdf5.from_weights(weights))
    return tmp_path


def score(capsys, *more: object, weights: str = "two.caffemodel", iterations: int = 2):
    result = run(
        capsys, "test", "--model", "net.prototxt", "--weights", weights, "--iterations", iterations, *more
    )
    return result, [line.split("] ", 1)[1] for line in result.err.splitlines() if "] " in line]


LOSSES = [sum((2 * ROWS[i : i + 2].ravel()) ** 2) / 4 for i in (0, 2)]
SUMS = [2 * ROWS[i].sum() for i in range(4)]


def test_lines_and_means(capsys):
    """Every batch, then the mean loss, weighted, and the mean of every element of the outputs, by name."""
    result, lines = score(capsys)
    assert result.status == 0 and result.out == ""
    mean = sum(LOSSES) / 2
    assert lines[lines.index("Running for 2 iterations.") :] == [
        "Running for 2 iterations.",
        f"Batch 0, loss = {LOSSES[0]:g}",
        f"Batch 0, sums = {SUMS[0]:g}",
        f"Batch 0, sums = {SUMS[1]:g}",
        f"Batch 1, loss = {LOSSES[1]:g}",
        f"Batch 1, sums = {SUMS[2]:g}",
        f"Batch 1, sums = {SUMS[3]:g}",
        f"Loss: {mean / 2:g}",
        f"loss = {mean:g} (* 0.5 = {mean / 2:g} loss)",
        f"sums = {(SUMS[0] + SUMS[2]) / 2:g}",
        f"sums = {(SUMS[1] + SUMS[3]) / 2:g}",
    ]
    assert lines[0] == "Use CPU."


@pytest.mark.parametrize("iterations", [1, 3])
def test_as_many_batches_as_asked(iterations, capsys):
    _, lines = score(capsys, iterations=iterations)
    assert len([line for line in lines if re.match(r"Batch \d, loss", line)]) == iterations
    wanted = np.mean([LOSSES[i % 2] for i in range(iterations)])
    assert f"Loss: {wanted / 2:g}" in lines


def test_fifty_batches_by_default_of_files_by_position(capsys):
    result = run(capsys, "test", "net.prototxt", "two.caffemodel")
    assert "Running for 50 iterations." in result.err and "Batch 49, loss" in result.err


def test_hdf5_weights_give_the_same(capsys):
    _, lines = score(capsys)
    _, others = score(capsys, weights="two.caffemodel.h5")
    assert others == lines


def test_level_and_stages_choose_layers(capsys):
    _, lines = score(capsys)
    assert not [line for line in lines if "deep" in line or "staged" in line]
    _, lines = score(capsys, "--level", 2, "--stage", "other,more")
    names = [line.split(" = ")[0] for line in lines if " = " in line and not line.startswith("Batch")]
    assert names == ["deep", "loss", "staged", "sums", "sums"]


@pytest.mark.parametrize(
    "words, message",
    [
        ([], "no model is named; hint: minicaffe test net.prototxt net.caffemodel"),
        (["--weights=two.caffemodel"], "no model is named"),
        (["--model=net.prototxt"], "no weights are named"),
        (["net.prototxt"], "no weights are named"),
        (["x", "--model=net.prototxt"], "x stands where --model names net.prototxt: name one"),
        (
            ["--model=net.prototxt", "--weights=a,b"],
            "takes one file of weights; got a,b; hint: a list is for train",
        ),
        (["--model=none", "--weights=two.caffemodel"], "cannot read none: No such file"),
        (["--model=m", "--weights=w", "--iterations=0"], "--iterations: must be at least 1; got 0"),
        (["--model=m", "--weights=w", "--phase=TRAIN"], "no flag '--phase=TRAIN'"),
    ],
)
def test_mistakes(words, message, capsys):
    result = run(capsys, "test", *words)
    assert result.status == 1 and result.out == "" and message in result.err
    assert result.err.count("\n") == 1


def test_weights_that_are_not_there(capsys):
    result, _ = score(capsys, weights="none.caffemodel")
    assert result.status == 1 and "cannot read none.caffemodel: No such file" in result.err


def test_a_comma_in_the_name_of_a_file(folder, capsys):
    (folder / "two.caffemodel").rename(folder / "a,b")
    result, _ = score(capsys, weights="a,b")
    assert result.status == 0


def test_an_output_that_changes_its_size_has_no_mean(folder, capsys):
    """Row 0 of batch 0 has a first element of 0 and is dropped; batch 1 is whole."""
    kept = """
layer { name: "parts" type: "Slice" bottom: "x" top: "first" top: "rest"
  slice_param { axis: 1 slice_point: 1 } }
layer { name: "quiet" type: "Silence" bottom: "rest" bottom: "t" }
layer { name: "kept" type: "Filter" bottom: "x" bottom: "first" top: "kept" }
"""
    data = NET[: NET.index('layer { name: "scale"')]
    (folder / "net.prototxt").write_text(data + kept)
    result, _ = score(capsys)
    assert result.status == 1
    assert "output 'kept' has 6 elements in batch 1, 3 before: there is no mean; hint: " in result.err
    assert score(capsys, iterations=1)[0].status == 0


def test_a_net_without_outputs(folder, capsys):
    (folder / "net.prototxt").write_text(
        NET[: NET.index('layer { name: "scale"')]
        + 'layer { name: "quiet" type: "Silence" bottom: "x" bottom: "t" }'
    )
    _, lines = score(capsys)
    assert lines[-1] == "Loss: 0"
