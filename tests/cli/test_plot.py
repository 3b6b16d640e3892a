"""minicaffe plot: logs in, a picture out."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..support.running import run

GOLDEN = Path(__file__).parent.parent / "golden"
LOG = GOLDEN / "lenet" / "train.log"


def test_two_logs(capsys, tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "curves.svg"
    flags = ("--x", "seconds", "--log", "--smooth", 3, "--title", "two runs")
    result = run(capsys, "plot", LOG, GOLDEN / "solvers" / "log_adam.txt", "-o", picture, *flags)
    assert (result.status, result.err) == (0, "")
    said = [
        "train: 21 displays, 5 tests; accuracy 0.9862, best 0.9862",
        "log_adam: 12 displays, 3 tests; acc 0, best 0.5000",
        f"Wrote {picture}",
    ]
    assert result.out.splitlines() == said
    assert picture.read_text().startswith("<?xml")


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        ((), "name one log at least; hint: minicaffe plot train.log -o curves.png"),
        ((LOG,), "-o is missing: where the picture goes; hint: -o curves.png"),
        ((LOG, "-o", "a.jpg"), "cannot draw a.jpg; hint: the name must end in .png or .svg"),
        (("nowhere.log", "-o", "a.png"), "cannot read nowhere.log: No such file or directory"),
        ((LOG, "-o", "a.png", "--smooth", "0"), "--smooth: must be at least 1; got 0"),
        ((LOG, "-o", "a.png", "--titel", "x"), "no flag '--titel'; hint: did you mean --title?"),
        ((LOG, "-o", "a.png", "--x", "epoch"), "invalid choice: 'epoch'"),
    ],
)
def test_mistakes(capsys, tmp_path, monkeypatch, arguments, complaint):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    result = run(capsys, "plot", *arguments)
    assert result.status == 1 and complaint in result.err
    assert not list(tmp_path.iterdir())
