"""minicaffe draw, and the scripts of Caffe's names: draw_net, summarize."""

from __future__ import annotations

import runpy
import sys

import pytest

from minicaffe.layers.recurrent.lstm import LSTM

from ..support.running import PROTOTXT, ROOT, run

NET = PROTOTXT / "digits" / "train_test.prototxt"


def test_svg(capsys, tmp_path):
    path = tmp_path / "net.svg"
    result = run(capsys, "draw", NET, "-o", path)
    assert (result.status, result.out, result.err) == (0, f"Wrote {path}\n", "")
    drawn = path.read_text()
    for words in ("LeNet", "TRAIN: ", "64x50x4x4", "25.1 k parameters, 25.6 M multiply-adds", "relu1  ReLU"):
        assert words in drawn
    assert "data: 64x1x8x8" in drawn and "label: 64" in drawn and "accuracy" not in drawn


def test_png(capsys, tmp_path):
    path = tmp_path / "net.png"
    assert run(capsys, "draw", NET, "--output", path, "--rankdir", "LR").status == 0
    assert path.read_bytes().startswith(b"\x89PNG")


def test_states(capsys, tmp_path):
    path = tmp_path / "net.svg"
    run(capsys, "draw", NET, "-o", path, "--phase", "TEST")
    assert "accuracy" in path.read_text() and "TEST: " in path.read_text()
    assert "TEST only" not in path.read_text()
    run(capsys, "draw", NET, "-o", path, "--phase", "ALL", "--columns", "2", "--theme", "dark")
    drawn = path.read_text()
    assert all(words in drawn for words in ("digits/train", "digits/test", "TEST only", "#0d1117"))
    options = "-o", path, "--phase", "ALL", "--columns", "2", "--theme", "dark"
    assert run(capsys, "draw", NET.with_name("solver.prototxt"), *options).status == 0
    assert path.read_text() == drawn
    run(capsys, "draw", NET.with_name("solver.prototxt"), "-o", path)
    assert "TRAIN: " in path.read_text()


def test_splits(capsys, tmp_path):
    path = tmp_path / "net.svg"
    run(capsys, "draw", NET, "-o", path, "--phase", "TEST")
    assert "_split" not in path.read_text()
    run(capsys, "draw", NET, "-o", path, "--phase", "TEST", "--splits")
    assert "_split" in path.read_text()


def test_costs_that_are_not_known(capsys, tmp_path, monkeypatch):
    path = tmp_path / "net.svg"
    result = run(capsys, "draw", NET.with_name("all_in_one.prototxt"), "-o", path)
    assert result.status == 0 and "no shapes and costs are drawn: layer 'train-data'" in result.err
    assert "conv1" in path.read_text()
    monkeypatch.setattr(LSTM, "forward_operations", lambda *_: None)  # as of a Python layer
    run(capsys, "draw", PROTOTXT / "lstm" / "train_test.prototxt", "-o", path)
    assert "multiply-adds without LSTM" in path.read_text() and "8 tops 64x1x1x8" in path.read_text()


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        ((), "the following arguments are required: NET"),
        ((NET,), "-o is missing: where the picture goes; hint: -o net.svg"),
        ((NET, "-o", "net.jpg"), "cannot draw net.jpg; hint: the name must end in .svg or .png"),
        (("nowhere.prototxt", "-o", "net.svg"), "cannot read nowhere.prototxt"),
        ((NET, "-o", "none/net.svg"), "cannot write none/net.svg: No such file or directory"),
        ((NET, "-o", "net.svg", "--rankdir", "UP"), "invalid choice: 'UP'"),
        (
            (NET, "-o", "net.svg", "--phase", "ALL", "--splits"),
            "--phase ALL draws all layers; hint: leave out",
        ),
    ],
)
def test_mistakes(capsys, tmp_path, monkeypatch, arguments, complaint):
    monkeypatch.chdir(tmp_path)
    result = run(capsys, "draw", *arguments)
    assert (result.status, result.out) == (1, "") and complaint in result.err
    assert not list(tmp_path.iterdir())


def script(monkeypatch, name: str, *arguments: object) -> int:
    """tools/NAME.py ARGUMENTS in this process."""
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ROOT / "tools" / name), run_name="__main__")
    return int(end.value.code or 0)


def test_draw_net(capsys, tmp_path, monkeypatch):
    path = tmp_path / "net.svg"
    assert script(monkeypatch, "draw_net.py", NET, path, "--phase", "TEST", "--display_lrm") == 0
    assert capsys.readouterr().out == f"Drawing net to {path}\n"
    assert "lr mult: 1, 2" in path.read_text() and "digits/train" not in path.read_text()
    assert script(monkeypatch, "draw_net.py", "nowhere.prototxt", path) == 1
    assert "draw_net.py: error: cannot read nowhere.prototxt" in capsys.readouterr().err


def test_summarize(capsys, monkeypatch):
    assert script(monkeypatch, "summarize.py", NET) == 0
    assert "conv2" in capsys.readouterr().out
