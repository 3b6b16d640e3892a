"""The benchmarks of the CPU still run: with sizes that measure nothing."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Imports a script that is run from its own folder."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module


def test_update(script, monkeypatch, capsys):
    update = script("update")
    monkeypatch.setattr(sys, "argv", ["update.py", "--parameters", "6400", "--rounds", "2"])
    update.main()
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines if "_update" in line} == set(update.KERNELS)


@pytest.mark.parametrize("path, trains", [("train_test", True), ("deploy", False)])
def test_passes(script, capsys, path, trains):
    """Every pass has its row, and computes what the net without passes does."""
    passes = script("passes")
    small = passes.Work(f"cifar10_quick/{path}", trains, 2, (3, 32, 32))
    passes.report_times("small", small, 1, block_s=0.001)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[3 : 3 + len(passes.ROWS)]] == list(passes.ROWS)
    assert not [line for line in lines if "computes something else" in line]


def test_memory_of_passes(script, capsys):
    passes = script("passes")
    passes.report_memory(("alexnet/train_val",))
    _, _, rows, found = capsys.readouterr().out.splitlines()
    assert rows.split() == list(passes.ROWS)
    planned = dict(zip(rows.split(), map(float, found.split()[1:])))
    assert planned.get("all", planned["none"]) <= planned["none"]


def test_augment(script, monkeypatch, capsys):
    augment = script("augment")
    monkeypatch.setattr(sys, "argv", ["augment.py", "--batch", "2", "--turns", "1", "--block", "0.001"])
    augment.main()
    lines = capsys.readouterr().out.splitlines()
    assert {line[:24].strip() for line in lines[2:]} >= set(augment.CHANGES)


def test_data_make(script, monkeypatch, capsys):
    words = ["data_make.py", "--images", "40", "--form", "jpg", "--size", "9", "--rounds", "1"]
    monkeypatch.setattr(sys, "argv", words)
    script("data_make").main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["40", "files", "decoder", "make,", "make,", "memory"]


def test_siblings(script, monkeypatch, capsys):
    siblings = script("siblings")
    monkeypatch.setattr(
        siblings.numba, "set_num_threads", lambda count: None
    )  # the tests after it want theirs
    monkeypatch.setattr(
        sys, "argv", ["siblings.py", "--batch", "1", "--rounds", "1", "--modules", "inception_5b"]
    )
    siblings.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line[14:26].strip() for line in lines[1:]] == ["forward", "by data", "by weights"]


def test_winograd(script, monkeypatch, capsys):
    winograd = script("winograd")
    monkeypatch.setattr(winograd.numba, "set_num_threads", lambda count: None)
    for more, lines in (["--rounds=1"], 4), (["--errors"], 4):
        words = ["winograd.py", "--layers=keras3", "--batch=1", "--threads=1", *more]
        monkeypatch.setattr(sys, "argv", words)
        winograd.main()
        found = capsys.readouterr().out.splitlines()
        assert len(found) == lines and found[1].startswith("keras3 64->64@24, batch 1")


def test_studio(script, monkeypatch, capsys):
    """Parallel questions beside a run that trains are all answered."""
    pytest.importorskip("uvicorn", reason="needs the extra studio")
    studio = script("studio")
    monkeypatch.setattr("os.nice", lambda by: by)
    monkeypatch.setattr(sys, "argv", ["studio.py", "--parallel", "20", "--seconds", "1", "--turns", "1"])
    studio.main()
    out = capsys.readouterr().out
    assert "errors 0" in out and "iterations a second: quiet" in out
