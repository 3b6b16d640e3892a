"""minicaffe show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minicaffe.net import Net

from ..support.running import PROTOTXT, run

NET = PROTOTXT / "digits" / "deploy.prototxt"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Net(NET, seed=1).save("net.caffemodel")
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4).save("ramp.png")


def test_layers_are_listed(capsys):
    result = run(capsys, "show", NET, "net.caffemodel")
    assert result.status == 0 and result.err == ""
    assert "conv2  Convolution   50x20x5x5 50  25.1 k  50x4x4" in result.out
    assert "prob   Softmax                             10" in result.out
    assert run(capsys, "show", NET).out == result.out
    alone = run(capsys, "show", "net.caffemodel").out.splitlines()
    assert [line.split()[0] for line in alone] == ["layer", "conv1", "conv2", "ip1", "ip2"]


def test_pictures_are_written(capsys):
    for words, name in (
        (("net.caffemodel", "conv1"), "conv1.png"),
        ((NET, "net.caffemodel", "conv2", "-o", "two.png"), "two.png"),
        ((NET, "net.caffemodel", "conv1", "--image", "ramp.png"), "conv1_ramp.png"),
        (("net.caffemodel", "ip2", "--histogram"), "ip2_histogram.png"),
        (
            (NET, "net.caffemodel", "prob", "--image", "ramp.png", "--histogram", "--threads", 1),
            "prob_ramp_histogram.png",
        ),
    ):
        result = run(capsys, "show", *words)
        assert result == (0, f"Wrote {name}\n", "")
        Image.open(name).verify()


def test_without_weights_it_is_said(capsys):
    result = run(capsys, "show", NET, "conv1")
    assert (
        result.status == 0 and result.err == "no weights are named: those are shown that the fillers give\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no file is named"),
        ([NET, "net.caffemodel", "conv3"], "no layer 'conv3'; hint: did you mean 'conv1' or 'conv2'?"),
        (["net.caffemodel", "pool1"], "no layer 'pool1'"),
        (
            [NET, "net.caffemodel", "pool1"],
            "layer 'pool1' (Pooling) has no weights; hint: --image FILE shows",
        ),
        ([NET, "net.caffemodel", "pool1", "--histogram"], "layer 'pool1' (Pooling) has no weights"),
        (
            [NET, "net.caffemodel", "pol1", "--image", "ramp.png"],
            "no layer 'pol1'; hint: did you mean 'pool1'",
        ),
        ([NET, "net.caffemodel", "conv1", "conv2"], "surplus argument 'conv2'"),
        ([NET, "net.caffemodel", "-o", "x.png"], "no layer is named"),
        (["net.caffemodel", "conv1", "-o", "x.jpg"], "cannot draw x.jpg; hint: the name must end in .png"),
        (["net.caffemodel", "conv1", "-o", "gone/x.png"], "cannot write gone/x.png: No such file"),
        (["net.caffemodel", "conv1", "--image", "ramp.png"], "--image needs the net"),
        (["net.caffemodel", "conv1", "--invert", "no"], "--invert, --shape and --threads go with --image"),
        ([NET, "net.caffemodel", "conv1", "--image", "gone.png"], "cannot read gone.png"),
        ([NET, "gone.npz", "conv1"], "cannot read gone.npz"),
        (["gone.prototxt", "conv1"], "cannot read gone.prototxt"),
    ],
)
def test_mistakes(words, message, capsys):
    before = sorted(Path().iterdir())
    result = run(capsys, "show", *words)
    assert result.status == 1 and message in result.err.splitlines()[-1], result.err
    assert sorted(Path().iterdir()) == before
