"""The commands of README, in its order, as they stand there, on a terminal of 80 columns."""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from minicaffe.checking.table import columns
from minicaffe.data import datasets, idx
from minicaffe.data.download import File
from minicaffe.runs.control import Control, Events
from minicaffe.runs.home import Home

from .support.running import PROTOTXT, ROOT, run
from .support.terminals import run_on_a_terminal

BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.S | re.M)


def commands() -> list[str]:
    """Every command of README's blocks, without prompt and comment."""
    found = []
    for block in BLOCK.findall((ROOT / "README.md").read_text()):
        for line in re.sub(r"\\\n +", "", block).splitlines():
            parts = line.removeprefix("$ ").split("  #")[0].split("&&")
            found += [part.strip() for part in parts if part.split()[:1] in KNOWN]
    return found


KNOWN = [["minicaffe"], ["pip"], ["python"]]
ELSEWHERE = {
    "pip install .": "",
    'pip install ".[test]"': "",
    "python -m pytest -n 2": "this is what runs here",
}

# What a command needs that README takes for granted, and the flags that make it short: of a flag given twice
# the last counts.
LENET = "prototxt/lenet/solver.prototxt"
DETECT = (
    "minicaffe detect digits_detection/deploy digits_detection_iter_6000_ema.caffemodel"
    " digits-detection/JPEGImages --labels digits-detection/labelmap.prototxt --output found"
)
SHORT = {
    "minicaffe train digits": "--iterations 2",
    "minicaffe data get mnist": "",
    f"minicaffe train {LENET}": "",
    "minicaffe test prototxt/lenet/train_test.prototxt lenet_iter_10000.caffemodel --iterations 100": (
        "--iterations 2"
    ),
    f"minicaffe train {LENET} --snapshot lenet_iter_5000.solverstate": "",
    "minicaffe time prototxt/lenet/train_test.prototxt": "--iterations 1",
    "minicaffe bench net prototxt/lenet/train_test.prototxt --json before.json --roofline roof.png": (
        "--turns 1 --passes 1 --block 0.001 --rest 0 --beside none"
    ),
    "minicaffe bench kernel prototxt/lenet/train_test.prototxt --layer ip2": "--turns 1 --block 0.001",
    "minicaffe bench compare before.json before.json": "",
    "minicaffe check prototxt/lenet/train_test.prototxt": "",
    "minicaffe gradcheck prototxt/lenet/train_test.prototxt": "--directions 1 --elements 1",
    "minicaffe new": "",
    "minicaffe new lenet mine": "",
    "minicaffe train digits/all_in_one --source digits --epochs 20": "--epochs 0.1",
    "minicaffe data make photos --size 64 --val 20": "",
    "minicaffe check own --source photos-data": "",
    "minicaffe train own --source photos-data --run runs/own": "--epochs 1",
    "minicaffe test runs/own runs/own --report report": "",
    "minicaffe classify runs/own runs/own photos/cats/1.jpg": "",
    "minicaffe data preview own --source photos-data -o seen.png": "",
    "minicaffe show runs/own conv1 -o filters.png": "",
    "minicaffe read page.jpg -o steps": "",
    "minicaffe data make digits-detection --digits mnist --train 8000": "--train 4 --test 2",
    "minicaffe train digits_detection": "--iterations 2",
    DETECT: "--threshold 0.01",
    f"minicaffe train {LENET} --run runs/lenet --resume auto": "",
    "minicaffe runs runs": "",
    "minicaffe run runs/lenet lr=0.001": "",
    "minicaffe plot runs/lenet caffe.log -o both.png": "",
    f"minicaffe train {LENET} --verify-resume": "--iterations 2",
    "minicaffe replay runs/lenet/snapshots/lenet_nonfinite_iter_700": "",
    "minicaffe summary prototxt/googlenet/deploy.prototxt": "",
    "minicaffe summary prototxt/googlenet/deploy.prototxt --program": "",
    "minicaffe draw prototxt/googlenet/deploy.prototxt -o googlenet.svg": "",
    "minicaffe convert old.caffemodel weights.safetensors": "",
    "minicaffe convert prototxt/lenet/deploy.prototxt lenet_iter_10000.caffemodel lenet.onnx": "",
    "minicaffe diff lenet_iter_5000.caffemodel lenet_iter_10000.caffemodel": "",
}
DIFFER = {"minicaffe diff lenet_iter_5000.caffemodel lenet_iter_10000.caffemodel"}  # with status 1, as diff


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A working folder with our nets, LeNet's in small, and MNIST's names over the digits that are ours."""
    monkeypatch.chdir(tmp_path)
    for name in ("digits", "lenet", "googlenet"):
        shutil.copytree(PROTOTXT / name, Path("prototxt") / name)
    net, solver = (Path("prototxt/lenet") / name for name in ("train_test.prototxt", "solver.prototxt"))
    net.write_text(re.sub(r"batch_size: \d+", "batch_size: 8", net.read_text()))
    text = solver.read_text()
    for field, value in {"test_iter": 1, "max_iter": 4, "snapshot": 2}.items():
        text = re.sub(rf"^{field}: \d+", f"{field}: {value}", text, flags=re.M)
    solver.write_text(text)
    monkeypatch.setenv("MINICAFFE_DATA", str(tmp_path))
    monkeypatch.setitem(datasets.SETS, "mnist", small_mnist(tmp_path / "mnist"))
    for variable in ("COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(variable, raising=False)


def small_mnist(folder: Path) -> datasets.DataSet:
    """The first embedded digits as images of 28 x 28 in files of MNIST's names."""
    folder.mkdir()
    splits = {}
    for name, split in datasets.MNIST.splits.items():
        images, labels = datasets.load(f"digits/{name}")
        large = np.pad(np.kron(images[:24, 0], np.ones((1, 3, 3), np.uint8)) * 15, ((0, 0), (2, 2), (2, 2)))
        files = []
        for file, array in ((split.images, large), (split.labels, labels[:24])):
            idx.write(folder / file.name, array)
            content = (folder / file.name).read_bytes()
            files.append(File(file.name, len(content), hashlib.sha256(content).hexdigest()))
        splits[name] = datasets.Split(24, *files)
    return datasets.MNIST._replace(splits=splits)


def draw_photos(folder: Path) -> None:
    """Ten images of each of two classes: dark ones and light ones."""
    for name, grey in {"cats": 60, "dogs": 200}.items():
        (folder / name).mkdir(parents=True)
        for i in range(10):
            Image.new("RGB", (80, 60), (grey + i, grey, grey)).save(folder / name / f"{i}.jpg")


@contextmanager
def settings_for(command: str, capsys) -> Iterator[None]:
    """Make what a command is about."""
    if command.startswith("minicaffe data make photos"):
        draw_photos(Path("photos"))
    elif command.startswith("minicaffe read"):
        Image.new("L", (640, 480), 200).save(command.split()[2])
    elif "lenet_iter_10000" in command and not Path("lenet_iter_10000.caffemodel").exists():
        for short, long in (2, 5000), (4, 10000):
            for ending in ("caffemodel", "solverstate"):
                shutil.copy(f"lenet_iter_{short}.{ending}", f"lenet_iter_{long}.{ending}")
        shutil.copy("lenet_iter_2.caffemodel", "old.caffemodel")
    elif "caffe.log" in command:
        shutil.copy("runs/lenet/log.txt", "caffe.log")
    elif "nonfinite" in command:
        solver = Path(LENET).read_text().replace("base_lr: 0.01", "base_lr: 1e30")
        Path("nan.prototxt").write_text(
            solver.replace('"lenet"', '"nan"').replace("train_", f"{PROTOTXT.name}/lenet/train_")
        )
        assert run(capsys, "train", "nan.prototxt").status == 1
        (dump,) = Path().glob("nan_nonfinite_iter_*")
        dump.rename(command.split()[-1])
    elif command == DETECT:
        Path("digits_detection_iter_2_ema.caffemodel").rename(command.split()[3])
    if command.startswith("minicaffe run runs/lenet"):
        with training(Home("runs/lenet")):
            yield
    else:
        yield


@contextmanager
def training(home: Home) -> Iterator[None]:
    """What answers commands to a run, as the process that trains does."""
    policy = SimpleNamespace(set_rate=lambda iteration, rate: None)
    solver = SimpleNamespace(iteration=3, requests=deque(), policy=policy, confirm=lambda: True)
    home.hold()
    control, over = Control(home, Events(home)), threading.Event()

    def answer() -> None:
        while not over.wait(0.01):
            control.on_iteration(solver)

    thread = threading.Thread(target=answer)
    thread.start()
    yield
    over.set()
    thread.join()
    home.release()


def test_every_command_is_known():
    """A new one needs an entry above, and perhaps what it needs below."""
    assert set(commands()) == {*SHORT, *ELSEWHERE}


def test_the_commands_run_as_printed(project, capsys):
    pytest.importorskip("onnxruntime")
    wrong = []
    for command in commands():
        if command in ELSEWHERE:
            continue
        with settings_for(command, capsys):
            shown = run_on_a_terminal(shlex.split(f"{command} {SHORT[command]}")[1:])
        text = "\n".join(shown.lines)
        wide = [line for line in shown.lines if columns(line) > 80 and max(map(len, line.split())) < 40]
        if shown.status != (command in DIFFER) or wide or "Traceback" in text or "error: " in text:
            wrong.append(f"$ {command}\n{text}\nstatus {shown.status}, too wide: {wide}")
    assert not wrong, "\n\n".join(wrong)
    for name in ("both.png", "googlenet.svg", "lenet.onnx", "all_in_one_deploy.prototxt"):
        assert Path(name).stat().st_size > 1000 or name.endswith("prototxt")
