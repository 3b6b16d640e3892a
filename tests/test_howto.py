"""The how-tos work as printed, and so does what CONTRIBUTING shows: their files are written, their commands
run, in their order, in one folder."""

from __future__ import annotations

import re
import runpy
import shlex
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from minicaffe.cli.main import COMMANDS, Command, main
from minicaffe.kernels import cache

from .support.added import added

HOWTO = Path(__file__).parent.parent / "docs" / "howto"
# "`name`:" in front of a block makes it the file of that name; blocks of `$` lines are commands.
BLOCK = re.compile(r"(?:`([\w./]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


pytestmark = pytest.mark.usefixtures("one_thread")


def follow(page: Path, folder: Path, monkeypatch, commands: bool = True) -> None:
    """Do in a folder what a page says."""
    monkeypatch.chdir(folder)
    for file, kind, content in BLOCK.findall(page.read_text()):
        if file:
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        elif kind == "console" and commands:
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
    follow(HOWTO / "your_own_images.md", tmp_path, monkeypatch)
    shown = capsys.readouterr()
    found = accuracies(shown.err)
    assert found[0] < 0.7 and found[-1] > 0.95
    assert re.search(r"^(\d\.\d+) triangle\n.*\n.*$", shown.out, re.MULTILINE)
    made = ("shapes.svg", "seen.png", "filters.png", "report/report.html", "shapes_report/report.html")
    assert all((tmp_path / name).exists() for name in made)
    follow(HOWTO / "fine_tuning.md", tmp_path, monkeypatch)
    log = capsys.readouterr().err
    assert "Ignoring source layer ip2" in log
    tuned, anew = filter(None, map(accuracies, log.split("Optimization Done.")))
    assert tuned[-1] > 0.93 > anew[-1]


def test_detect_and_segment(tmp_path, monkeypatch, capsys):
    """Nearly every pixel has its class, and of things nearly all have their box, within two pixels at
    each end, and few are found that are none."""
    follow(HOWTO / "detect_and_segment.md", tmp_path, monkeypatch)
    with h5py.File("test.h5") as file:
        classes = file["pixels"][:, 0]
    found = np.stack([np.asarray(Image.open(f"segmented/{i:03}.png")) for i in range(len(classes))])
    assert (found == classes).mean() > 0.95 and Path("segmented/019_overlay.png").exists()
    wanted = things(classes)
    lines = capsys.readouterr().out.split("xmin  ymin  xmax  ymax\n")[1].splitlines()
    rows = [row for row in map(str.split, lines) if row[0].startswith("test/") and len(row) == 7]
    near = [row for row in rows if any(is_near(row, thing) for thing in wanted)]
    assert len(near) > 0.8 * len(wanted) and len(rows) < 1.15 * len(wanted)
    assert Path("found/019.png").exists()


def is_near(row: list[str], thing: tuple[str, str, tuple[int, ...]]) -> bool:
    """Whether a row of the table has the label of a thing, and its box but for two pixels and rounding."""
    image, label, box = thing
    ends = [float(end) for end in row[3:]]
    return row[:2] == [image, label] and np.abs(np.subtract(box, ends)).max() <= 2.5


def things(classes: np.ndarray) -> list[tuple[str, str, tuple[int, ...]]]:
    """The image, the label and the box of every thing in maps of classes (n, h, w)."""
    found = []
    for i, map_ in enumerate(classes):
        for number, label in ((1, "disk"), (2, "square")):
            for rows, columns in ndimage.find_objects(ndimage.label(map_ == number)[0]):
                box = columns.start, rows.start, columns.stop, rows.stop
                found.append((f"test/{i:03}.png", label, box))
    return found


def test_a_layer_of_your_own(tmp_path, monkeypatch, capsys):
    """The Python layer trains.  The built-in one is held to the laws in tests/tools/test_new_layer.py."""
    monkeypatch.delitem(sys.modules, "softsign", raising=False)
    follow(HOWTO / "a_layer_of_your_own.md", tmp_path, monkeypatch)
    sys.modules.pop("softsign")
    assert accuracies(capsys.readouterr().err)[-1] > 0.9


def test_the_example_of_a_kernel(tmp_path, monkeypatch, capsys):
    """Its composite and its loops agree with NumPy, edges and all; compiled for this process alone, so that
    nothing stays in the cache."""
    follow(HOWTO.parent / "kernels.md", tmp_path, monkeypatch, commands=False)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(cache, "folder", lambda: None)
    try:
        execute("python time_gram.py 37 50 1", monkeypatch)
    finally:
        sys.modules.pop("gram", None)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "plain",
        "composite",
        "python",
    ]


def test_a_command(tmp_path, monkeypatch, capsys):
    page = HOWTO.parent.parent / "CONTRIBUTING.md"
    follow(page, tmp_path, monkeypatch, commands=False)
    name, module, summary = re.search(r'`"(\w+)": Command\("(\w+)", "([^"]+)"\),`', page.read_text()).groups()
    monkeypatch.setitem(COMMANDS, name, Command(module, summary))
    with added(tmp_path, ("minicaffe/cli/count.py", "tests/cli/test_count.py"), monkeypatch) as (_, test):
        test.test_count(capsys)
