"""minicaffe test --report: flags, the summary on stdout, and mistakes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from minicaffe.files import write_atomic
from minicaffe.net import Net
from minicaffe.reports import folder as report_folder

from ..support.running import run

NET = """
name: "three"
layer { name: "rows" type: "HDF5Data" top: "x" top: "label" include { phase: TEST }
  hdf5_data_param { source: "list.txt" batch_size: 4 } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
LABELS = np.array([0, 1, 2, 0, 1, 2, 0], np.float32)
WORDS = ("test", "net.prototxt", "w.caffemodel", "--report", "r")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Seven rows; the net says what they say, and one label is another."""
    import h5py

    monkeypatch.chdir(tmp_path)
    with h5py.File("rows.h5", "w") as file:
        file["x"], file["label"] = 3 * np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2, 1]], LABELS
    (tmp_path / "list.txt").write_text("rows.h5\n")
    (tmp_path / "net.prototxt").write_text(NET)
    net = Net("net.prototxt", phase="TEST")
    net.params["ip"][0].data[...] = np.eye(3)
    write_atomic("w.caffemodel", net.to_message().SerializeToString())
    return tmp_path


def test_a_report_and_its_summary(folder, capsys):
    (folder / "names").write_text("ant\nbee\ncat\n")
    result = run(capsys, *WORDS, "--labels", "names")
    assert result.status == 0, result.err
    lines = result.out.splitlines()
    assert lines[0].split() == ["accuracy", "85.71", "%", "95", "%:", "48.69", "to", "97.43", "%"]
    assert lines[1].split() == ["mistakes", "1", "of", "7", "samples"]
    assert ["0", "ant", "3", "1.0000", "0.6667", "0.8000"] in [line.split() for line in lines]
    assert lines[-1] == "Wrote r/report.html"
    said = json.loads((folder / "r" / "report.json").read_text())
    assert said["accuracy"]["count"] == 6 and said["about"]["weights"] == "w.caffemodel"
    assert [mistake["name"] for mistake in said["mistakes"]] == ["rows.h5: row 6"]
    assert {path.name for path in (folder / "r").iterdir()} == report_folder.FILES - {"mistakes.png"}


def test_so_many_batches_and_blobs_by_name(folder, capsys):
    result = run(capsys, *WORDS, "--iterations", 1, "--scores", "ip", "--label=label")
    assert result.status == 0 and "3 samples of the source were not looked at." in result.out
    assert json.loads((folder / "r" / "report.json").read_text())["samples"] == 4


@pytest.mark.parametrize(
    "words, message",
    [
        ([*WORDS[:3], "--labels", "names"], "--labels is for a report; hint: --report DIR"),
        ([*WORDS, "--labels", "none"], "cannot read none: No such file"),
        (
            [*WORDS, "--scores", "pi"],
            "--scores pi: the net has no such blob; hint: known: ip, label, loss, x",
        ),
        ([*WORDS, "--label", "x"], "row 0 of blob 'x' is no label"),
        ([*WORDS[:4], "."], ".: a report takes the place of a folder, not of the one you are in"),
        ([*WORDS[:4], "no/where"], "cannot write no/where: No such file or directory"),
        ([*WORDS[:2], "none", *WORDS[3:]], "cannot read none: No such file"),
        ([*WORDS, "--iterations=0"], "--iterations: must be at least 1; got 0"),
    ],
)
def test_mistakes(words, message, folder, capsys):
    before = sorted(path.name for path in folder.iterdir())
    result = run(capsys, *words, "--log=quiet")
    assert result.status == 1 and result.out == "" and message in result.err
    assert result.err.count("\n") == 1
    assert sorted(path.name for path in folder.iterdir()) == before


def test_scores_that_are_no_numbers(folder, capsys):
    net = Net("net.prototxt", phase="TEST")
    net.params["ip"][0].data[...] = np.nan
    write_atomic("w.caffemodel", net.to_message().SerializeToString())
    result = run(capsys, *WORDS)
    assert result.status == 1 and "blob 'ip' holds nan for class 0 of sample 0" in result.err
    assert not (folder / "r").exists()
