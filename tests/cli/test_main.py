"""Finding the command, flags in all of Caffe's spellings, and errors in one line."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

import minicaffe
from minicaffe.cli import main as entry

from ..support.running import ROOT, run


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_usage(words, capsys):
    result = run(capsys, *words)
    assert result.status == 0 and result.err == ""
    assert all(name in result.out for name in entry.COMMANDS)
    assert max(map(len, result.out.splitlines())) <= 80


@pytest.mark.parametrize("flag", ["--version", "-version"])
def test_version(flag, capsys):
    assert run(capsys, flag).out == f"minicaffe version {minicaffe.__version__}\n"


def test_unknown_command(capsys):
    result = run(capsys, "trian", "x")
    assert result == (1, "", "minicaffe: error: no command 'trian'; hint: did you mean 'train'?\n")


@pytest.mark.parametrize(
    "words",
    [
        ["train", "s.prototxt"],
        ["train", "--solver=s.prototxt"],
        ["train", "-solver=s.prototxt"],
        ["train", "--solver", "s.prototxt"],
        ["train", "-solver", "s.prototxt"],
        ["--solver=s.prototxt", "train"],
        ["-solver", "s.prototxt", "train"],
    ],
)
def test_spellings_of_a_flag(words, capsys):
    """All of them reach the file, which does not exist."""
    result = run(capsys, *words)
    assert result == (1, "", "minicaffe train: error: cannot read s.prototxt: No such file or directory\n")


@pytest.mark.parametrize(
    "words, message",
    [
        (["train"], "name one solver prototxt"),
        (["train", "a", "--solver=b"], "name one solver prototxt"),
        (["train", "a", "b"], "surplus argument 'b'"),
        (["train", "--slover=x"], "no flag '--slover=x'; hint: did you mean --solver?"),
        (["train", "a", "--snapshot=s", "--weights=w"], "exclude each other"),
        (["train", "a", "--sigint_effect=quit"], "invalid choice: 'quit'"),
        (["train", "a", "--iterations", "x"], "--iterations: invalid int value: 'x'"),
        (["train", "a", "--iterations", "-5"], "--iterations: must be at least 0; got -5"),
        (["train", "a", "--epochs", "nan"], "--epochs: must be a number above 0; got nan"),
        (["train", "a", "--base_lr=x"], "--base_lr: invalid float value: 'x'"),
        (["train", "a", "--weights", "\udcff"], r"--weights: must be UTF-8; got '\udcff'"),
        (["test", "a", "b", "--stage", "\udcff"], r"--stage: must be UTF-8; got '\udcff'"),
        (["gradcheck", "a", "--seed", "-1"], "--seed: must be at least 0; got -1"),
        (["train", "a", "--blablubb"], "no flag '--blablubb'; hint: see minicaffe train --help"),
    ],
)
def test_mistakes_are_one_line(words, message, capsys):
    result = run(capsys, *words)
    assert result.status == 1 and result.out == ""
    assert message in result.err and result.err.count("\n") == 1


def test_traceback_only_on_request(capsys):
    result = run(capsys, "time", "--traceback")
    assert result.status == 1 and result.err.startswith("Traceback") and "cli/time.py" in result.err


@pytest.mark.parametrize("command", [*entry.COMMANDS])
def test_help_of_a_command(command, capsys, monkeypatch):
    """80 columns, every flag once, under the spelling with two dashes."""
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        entry.main([command, "--help"])
    out = capsys.readouterr().out
    assert ended.value.code == 0 and out.startswith(f"usage: minicaffe {command}")
    assert max(map(len, out.splitlines())) <= 80
    listed = re.findall(r"^  (?:-\w, )?(-[-\w]+)", out, re.M)
    assert len(set(listed)) == len(listed) and not [f for f in listed if f[:2] != "--" and len(f) > 2]


def test_import_is_quick_and_touches_nothing_heavy():
    """Under 0.3 s, and neither NumPy, Numba, protobuf nor a GPU is looked at."""
    code = (
        "import sys, time; t = time.perf_counter(); import minicaffe; t = time.perf_counter() - t\n"
        "print(t, [m for m in ('numpy', 'numba', 'google.protobuf', 'cupy', 'h5py') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT).stdout
    seconds, modules = out.split(" ", 1)
    assert modules.strip() == "[]"
    assert float(seconds) < 0.3
