"""tools/parse_log.py: tables in Caffe's columns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from minicaffe.errors import ConfigError
from tools.parse_log import main, parse_log

GOLDEN = Path(__file__).parent.parent / "golden"


def tables(folder: Path, name: str, *lines: str, delimiter: str = ",") -> dict[str, list[str]]:
    """The tables of a log, by their endings."""
    log = folder / name
    log.write_text("".join(f"{line}\n" for line in lines))
    out = folder / "out"
    out.mkdir(exist_ok=True)
    parse_log(str(log), str(out), delimiter)
    return {path.suffix.lstrip("."): path.read_text().splitlines() for path in out.iterdir()}


def test_golden_lenet(tmp_path, capsys):
    assert main([str(GOLDEN / "lenet" / "train.log"), str(tmp_path), "--verbose"]) == 0
    train, test = (tmp_path / f"train.log.{ending}" for ending in ("train", "test"))
    assert capsys.readouterr().out == f"Wrote {train}\nWrote {test}\n"
    rows = train.read_text().splitlines()
    assert rows[:3] == [
        "NumIters,Seconds,LearningRate,loss,SmoothedLoss",
        "0,1.646881,0.01,2.32814,2.32814",
        "100,3.88736,0.00992565,0.247592,0.247592",
    ]
    assert rows[-1] == "2000,51.927748,,,0.0176906" and len(rows) == 22
    assert test.read_text().splitlines()[:3] == [
        "NumIters,Seconds,LearningRate,accuracy,loss",
        "0,1.616907,0.01,0.071,2.34813",
        "500,14.340474,0.00964069,0.9697,0.0924601",
    ]


def test_what_caffe_gets_wrong(tmp_path):
    """NaN ends no row, elements do not overwrite each other, nor do nets; short rows are rows."""
    found = tables(
        tmp_path,
        "a.log",
        "Iteration 0, Testing net (#0)",
        "    Test net output #0: acc = 0.5",
        "    Test net output #1: acc = -nan",
        "Iteration 0, Testing net (#1)",
        "    Test net output #0: top 5, strict = 0.7",
        "Iteration 0, loss = nan",
        "    Train net output #0: loss = -inf (* 1 = -inf loss)",
        "Iteration 0, lr = 0.1",
        "Iteration 10, loss = 2",
        "Iteration 10, lr = 0.01",
        "Iteration 15, Testing net (#0)",
        "Test loss: 3",
        "    Test net output #0: acc = 0.25",
        "    Test net output #1: acc = 0.75",
    )
    assert found["train"] == [
        "NumIters,Seconds,LearningRate,loss,SmoothedLoss",
        "0,,0.1,-inf,nan",
        "10,,0.01,,2.0",
    ]
    assert found["test"] == [
        'NumIters,Seconds,LearningRate,acc[0],acc[1],"top 5, strict",TotalLoss,TestNet',
        "0,,0.1,0.5,nan,,,0",
        "0,,0.1,,,0.7,,1",
        "15,,0.01,0.25,0.75,,3.0,0",
    ]


def test_outputs_named_like_columns_keep_their_values(tmp_path):
    found = tables(tmp_path, "a.log", "Iteration 1, loss = 2", "Train net output #0: Seconds = 3")
    assert found["train"] == ["NumIters,Seconds,LearningRate,Seconds[0],SmoothedLoss", "1,,,3.0,2.0"]


def test_metrics_and_delimiter(tmp_path):
    rows = [
        {"phase": "test", "net": 0, "iteration": 0, "seconds": 0.5, "outputs": {"acc": 0.1}},
        {"phase": "train", "iteration": 0, "seconds": 1, "lr": 0.1, "loss": None, "outputs": {"loss": 2.0}},
    ]
    found = tables(tmp_path, "metrics.jsonl", *map(json.dumps, rows), delimiter=";")
    assert found["train"][1] == "0;1.0;0.1;2.0;nan" and found["test"][1] == "0;0.5;0.1;0.1"


def test_a_table_without_rows_is_not_written(tmp_path, capsys):
    log = tmp_path / "a.log"
    log.write_text("Iteration 1, loss = 2\n")
    assert main([str(log), str(tmp_path), "--verbose", "--delimiter", r"\t"]) == 0
    assert f"Not writing {log}.test; no lines to write" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"a.log", "a.log.train"}
    assert Path(f"{log}.train").read_text() == "NumIters\tSeconds\tLearningRate\tSmoothedLoss\n1\t\t\t2.0\n"


def test_mistakes(tmp_path, capsys):
    log = tmp_path / "a.log"
    assert main([str(log), str(tmp_path)]) == 1
    assert f"parse_log.py: error: cannot read {log}: No such file" in capsys.readouterr().err
    log.write_text("Iteration 1, loss = 2\n")
    assert main([str(log), str(tmp_path / "nowhere")]) == 1
    assert "nowhere: No such file or directory" in capsys.readouterr().err
    with pytest.raises(
        ConfigError, match="a delimiter must be one character, no quote or line end; got ';;'"
    ):
        parse_log(str(log), str(tmp_path), ";;")
