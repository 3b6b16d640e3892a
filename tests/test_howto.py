"""The how-tos work as printed: their files are written, their commands run, in their order, in one folder."""

from __future__ import annotations

import importlib
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

from minicaffe.cli.main import main
from minicaffe.layers import LAYERS

from .support import laws
from .support.devices import make_device

HOWTO = Path(__file__).parent.parent / "docs" / "howto"
# "`name`:" in front of a block makes it the file of that name; blocks of `$` lines are commands.
BLOCK = re.compile(r"(?:`([\w./]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def follow(name: str, folder: Path, monkeypatch) -> None:
    """Do in a folder what a how-to says."""
    monkeypatch.chdir(folder)
    for file, kind, content in BLOCK.findall((HOWTO / name).read_text()):
        if file:
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        elif kind == "console":
            for line in content.splitlines():
                execute(line.removeprefix("$ "), monkeypatch)


def execute(line: str, monkeypatch) -> None:
    """A command in this process: minicaffe ..., or python FILE ... of the folder."""
    program, *arguments = shlex.split(line)
    if program == "minicaffe":
        assert main(arguments) == 0, line
    elif program == "python" and arguments[0].endswith(".py"):
        with monkeypatch.context() as context:
            context.setattr(sys, "argv", arguments)
            runpy.run_path(arguments[0], run_name="__main__")
    else:
        raise AssertionError(f"not a command of a how-to: {line}")


def accuracies(log: str) -> list[float]:
    return [float(value) for value in re.findall(r"accuracy = ([\d.]+)", log)]


def test_your_own_images_and_fine_tuning(tmp_path, monkeypatch, capsys):
    pytest.importorskip("lmdb")
    follow("your_own_images.md", tmp_path, monkeypatch)
    shown = capsys.readouterr()
    found = accuracies(shown.err)
    assert found[0] < 0.7 and found[-1] > 0.95
    assert re.search(r"^(\d\.\d+) triangle\n.*\n.*$", shown.out, re.MULTILINE)
    assert (tmp_path / "shapes.svg").exists() and (tmp_path / "train_lmdb" / "data.mdb").exists()
    follow("fine_tuning.md", tmp_path, monkeypatch)
    log = capsys.readouterr().err
    assert "Ignoring source layer ip2" in log
    tuned, anew = filter(None, map(accuracies, log.split("Optimization Done.")))
    assert tuned[-1] > 0.93 > anew[-1]


def test_a_layer_of_your_own(tmp_path, monkeypatch, capsys):
    """The Python layer trains.  The built-in one, from the files as printed, agrees with its formula and has
    the right gradient: its loops interpreted, its CUDA half on the emulator."""
    monkeypatch.delitem(sys.modules, "softsign", raising=False)
    follow("a_layer_of_your_own.md", tmp_path, monkeypatch)
    assert accuracies(capsys.readouterr().err)[-1] > 0.9
    folders = ("minicaffe.kernels", "minicaffe.layers.neuron", "tests.layers")
    for package in folders:
        path = importlib.import_module(package).__path__
        monkeypatch.setattr(
            sys.modules[package], "__path__", [*path, str(tmp_path.joinpath(*package.split(".")))]
        )
    page = (HOWTO / "a_layer_of_your_own.md").read_text()
    monkeypatch.setitem(LAYERS, *re.search(r'`"(\w+)": "([\w.]+)",`', page).groups())
    test = importlib.import_module("tests.layers.test_softsign")
    try:
        for name in ("python", "cuda-emulated"):
            test.test_formula(make_device(name))
            laws.check_gradient(test.CASES[0], make_device(name))
    finally:
        for package, name in zip(folders, ("softsign", "softsign", "test_softsign")):
            sys.modules.pop(f"{package}.{name}", None)
            vars(sys.modules[package]).pop(name, None)
        sys.modules.pop("softsign", None)
