"""plot_training_log: Caffe's eight charts."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.errors import ConfigError, DataError
from minicaffe.runs import charts, curve_files
from minicaffe.runs.curves import Curves, Row
from tools.plot_training_log import main

from ..support.running import ROOT

pytest.importorskip("matplotlib")
LOG = ROOT / "tests" / "golden" / "lenet" / "train.log"
CAFFES = [  # what Caffe's program prints as its chart types
    "Test accuracy vs. Iters",
    "Test accuracy vs. Seconds",
    "Test loss vs. Iters",
    "Test loss vs. Seconds",
    "Train learning rate vs. Iters",
    "Train learning rate vs. Seconds",
    "Train loss vs. Iters",
    "Train loss vs. Seconds",
]


def points(chart: int, run: Curves) -> list[tuple[str, list, list]]:
    """What a chart of one run shows: title, x and y of every curve."""
    return [
        (p.title, s.x.tolist(), s.y.tolist())
        for p in charts.select(chart, [run])
        for s in p.series
        if s.x.size
    ]


def test_the_numbers_are_caffes():
    assert [charts.title(chart) for chart in range(8)] == CAFFES


def test_charts_show_what_their_names_say():
    train = [Row(0, 1.0, 0.1, 5.0, {"loss": [5.5]}), Row(10, 2.0, 0.01, 4.0, {"loss": [4.5]})]
    tests = {0: [Row(0, 0.5, outputs={"accuracy": [0.25], "loss": [3.0], "top": [1.0]})]}
    run = Curves("run", train, tests)
    assert points(0, run) == [("accuracy", [0], [0.25])] and points(1, run) == [("accuracy", [0.5], [0.25])]
    assert points(2, run) == [("loss", [0], [3])] and points(3, run) == [("loss", [0.5], [3])]
    assert points(4, run) == [("learning rate", [0, 10], [0.1, 0.01])]
    assert points(5, run) == [("learning rate", [1, 2], [0.1, 0.01])]
    assert points(6, run) == [("loss", [0, 10], [5, 4])] and points(7, run) == [("loss", [1, 2], [5, 4])]


def test_what_counts_as_accuracy():
    both = Curves("run", [], {0: [Row(0, outputs={"Acc/top1": [0.5], "acc5": [0.75], "f1": [0.1]})]})
    assert points(0, both) == [("Acc/top1", [0], [0.5]), ("acc5", [0], [0.75])]
    other = Curves("run", [], {0: [Row(0, outputs={"f1": [0.1], "loss": [2.0]})]})
    assert points(0, other) == [("f1", [0], [0.1])]
    with pytest.raises(DataError, match="run: no test accuracy to draw"):
        points(0, Curves("run", [Row(0, loss=1.0, outputs={"acc": [0.5]})]))  # of training


def test_of_the_golden_log():
    run = curve_files.read(LOG)
    ((_, x, y),) = points(0, run)
    assert x == [0, 500, 1000, 1500, 2000] and np.allclose(y[:2], [0.071, 0.9697])


@pytest.mark.parametrize("chart", range(8))
def test_every_chart_is_drawn(chart, tmp_path):
    picture = tmp_path / "chart.svg"
    assert main([str(chart), str(picture), str(LOG), str(LOG)]) == 0
    assert picture.read_bytes().startswith(b"<?xml")


def test_mistakes(tmp_path, capsys):
    def error(*words: object) -> str:
        assert main([str(word) for word in words]) == 1
        assert not list(tmp_path.iterdir())
        return capsys.readouterr().err.removeprefix("plot_training_log.py: error: ")

    png = tmp_path / "c.png"
    assert error(8, png, LOG) == "8 is not a chart type; expected 0 to 7\n"
    assert "the name must end in .png or .svg" in error(0, tmp_path / "c.gif", LOG)
    assert "none.log: No such file" in error(0, png, tmp_path / "none.log")
    assert "c.png: No such file" in error(0, tmp_path / "none" / "c.png", LOG)
    with pytest.raises(ConfigError, match="-1 is not a chart type"):
        charts.draw(-1, [], png)


def test_help_lists_the_charts(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "  7: Train loss vs. Seconds" in capsys.readouterr().out
