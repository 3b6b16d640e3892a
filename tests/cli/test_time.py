"""minicaffe time: Caffe's lines, the table, the file for programs."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import pytest

from minicaffe.checking import busy as busy_module
from minicaffe.cli import time as command

from ..support.running import PROTOTXT, run

DIGITS = PROTOTXT / "digits" / "train_test.prototxt"
BRANCHING = """
layer { name: "in" type: "Input" top: "x" top: "label"
  input_param { shape { dim: 2 dim: 3 } shape { dim: 2 } } }
layer { name: "first_long_name" type: "InnerProduct" bottom: "x" top: "a"
  inner_product_param { num_output: 4 } }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" inner_product_param { num_output: 4 } }
layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "y" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "label" top: "loss" }
"""
T = r"[\d.e+-]+ ms\."


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(BRANCHING)
    return path


def messages(log: str) -> list[str]:
    """The log without its heads."""
    return [line.split("] ", 1)[1] for line in log.splitlines()]


def test_lines_are_caffes_in_its_order(model, capsys):
    result = run(capsys, "time", model, "--iterations", 2)
    assert result.status == 0
    layers = [f"{name:>10}" for name in ("in", "first_long_name", "a_first_long_name_0_split", "b", "sum")]
    expected = [
        r"Use CPU\.",
        "Performing Forward",
        r"Initial loss: [\d.]+",
        "Performing Backward",
        r"\*\*\* Benchmark begins \*\*\*",
        r"Testing for 2 iterations\.",
        f"Iteration: 1 forward-backward time: {T}",
        f"Iteration: 2 forward-backward time: {T}",
        "Average time per layer: ",
        *(
            f"{name}\t{way}: {T}"
            for name in [*layers, "      loss"]
            for way in ("forward", "backward")
        ),
        f"Average Forward pass: {T}",
        f"Average Backward pass: {T}",
        f"Average Forward-Backward: {T}",
        f"Total Time: {T}",
        r"\*\*\* Benchmark ends \*\*\*",
    ]  # fmt: skip
    lines = messages(result.err)
    assert len(lines) == len(expected)
    for line, pattern in zip(lines, expected):
        assert re.fullmatch(pattern, line), (line, pattern)


def test_the_table_marks_splits_and_layers_without_backward(model, capsys):
    out = run(capsys, "time", "--model", model, "--iterations", 1).out
    rows = {line.split()[0]: line for line in out.split("\n\n")[0].splitlines()}
    assert list(rows) == "layer in first_long_name a_first_long_name_0_split b sum loss total".split()
    assert "Split (automatic)  2 of 2x4" in rows["a_first_long_name_0_split"]
    assert re.search(r"Input +2x3 2 +\d\.\d{3} +- ", rows["in"])
    assert re.search(r"InnerProduct +2x4 +\d+\.\d{3} +\d+\.\d{3} ", rows["b"])


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_phases(phase, tmp_path, capsys):
    """Caffe's default is TRAIN; dropout and data are those of the phase."""
    target = tmp_path / "time.json"
    arguments = ["time", "--model", DIGITS, "--iterations", 2, "--phase", phase, "--json", target]
    assert run(capsys, *arguments).status == 0
    content = json.loads(target.read_text())
    assert content["net"]["phase"] == phase and content["net"]["file"] == str(DIGITS)
    names = [layer["name"] for layer in content["layers"]]
    assert ("accuracy" in names) == (phase == "TEST")
    assert list(tmp_path.iterdir()) == [target]


def test_json_to_the_terminal(model, capsys):
    result = run(capsys, "time", "--model", model, "--iterations", 3, "--json", "-")
    content = json.loads(result.out)
    split = content["layers"][2]
    assert split["automatic"] and split["tops"] == [[2, 4], [2, 4]]
    assert (split["forward_flops"], split["forward_bytes"]) == (0, 0)
    assert (split["backward_flops"], split["backward_bytes"]) == (2 * 8, 4 * 3 * 8)
    assert content["iterations"] == 3 and content["net"]["batch"] == 2


def test_sort(model, capsys):
    out = run(capsys, "time", "--model", model, "--iterations", 3, "--sort").out
    shares = [float(s) for s in re.findall(r" (\d+\.\d)(?: |$)", out.split("\n\n")[0], re.MULTILINE)]
    assert len(shares) == 7 and shares[:-1] == sorted(shares[:-1], reverse=True) and shares[-1] == 100


def test_weights_are_accepted_and_ignored(model, capsys):
    """As in Caffe: the file need not exist."""
    result = run(capsys, "time", "--model", model, "--iterations", 1, "--weights", "none.caffemodel")
    assert result.status == 0


@pytest.mark.parametrize(
    "words, message",
    [
        ([], "no model is named; hint: minicaffe time net.prototxt"),
        (["--model=m", "--phase=X"], "invalid choice: 'X'"),
        (["--model=m", "--iterations=0"], "--iterations: must be at least 1; got 0"),
        (["--model=m", "--json=none/x.json"], "--json: cannot write none/x.json: there is no folder none"),
        (["--model=m", "--json=."], "--json: cannot write .: it is a folder"),
    ],
)
def test_mistakes_are_found_before_the_net_is_read(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    result = run(capsys, "time", *words)
    assert result.status == 1 and result.out == ""
    assert message in result.err and result.err.count("\n") == 1


def test_a_file_that_cannot_be_written_leaves_the_table(model, tmp_path, monkeypatch, capsys):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command, "write_atomic", full)
    target = tmp_path / "time.json"
    result = run(capsys, "time", "--model", model, "--iterations", 1, "--json", target)
    assert result.status == 1 and "total" in result.out
    assert f"--json: cannot write {target}: No space left on device" in result.err


def test_data_that_is_not_here_is_made_up(capsys, tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(DIGITS.read_text().replace("digits/train", "nowhere/train"))
    result = run(capsys, "time", path, "--iterations", 1)
    assert result.status == 1 and "hint: --shape data=N,C,H,W tells its shape" in result.err
    result = run(capsys, "time", path, "--iterations", 1, "--shape", "data=4,1,8,8", "--json", "-")
    document = json.loads(result.out)
    assert result.status == 0 and document["net"]["batch"] == 4
    assert "nowhere/train is not here (data_param.source); hint: it is timed on made-up values" in result.err
    assert re.search(r"Initial loss: [\d.]+", result.err)


def test_it_says_when_others_use_the_machine(monkeypatch):
    """Of 1.5 s of processors in a second none are its own."""
    busy, clock = iter([3.0, 4.5]), iter([0.0, 1.0])
    monkeypatch.setattr(busy_module, "busy_s", lambda: next(busy))
    times = SimpleNamespace(perf_counter=lambda: next(clock), process_time=lambda: 0.5)
    monkeypatch.setattr(busy_module, "time", times)
    assert busy_module.Others().told() == (
        "Others used the machine, 1.5 processors on average: times are too long."
    )
