"""LeNet on MNIST: Caffe's weights score what Caffe says, its run continues, and from the same seed our run is
its run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from minicaffe.data import datasets
from minicaffe.net import Net
from minicaffe.proto import upgrade
from minicaffe.solvers.solver import Solver

from .support.devices import make_device

HERE = Path(__file__).parent
RECORDED = HERE / "golden" / "lenet"
LENET = HERE.parent / "prototxt" / "lenet"

pytestmark = pytest.mark.skipif(
    datasets.find(datasets.MNIST, datasets.MNIST.splits["train"]) is None,
    reason="MNIST is not here: set MINICAFFE_DATA, or run minicaffe data get mnist",
)


def solver(folder: Path, monkeypatch, device=None, **settings) -> Solver:
    """The solver of prototxt/lenet in a folder of its own, with some settings replaced."""
    monkeypatch.chdir(folder)
    param = upgrade.read_solver(LENET / "solver.prototxt")
    for name, value in settings.items():
        setattr(param, name, value)
    return Solver.create(param, source=str(LENET / "solver.prototxt"), device=device)


def losses(log: str) -> dict[int, float]:
    """The displayed loss by iteration."""
    return {int(i): float(v) for i, v in re.findall(r"Iteration (\d+).*, loss = (\S+)", log)}


def test_recorded_weights_score_exactly_what_caffe_says():
    net = Net(LENET / "train_test.prototxt", phase="TEST", keep="needed")
    net.load(RECORDED / "lenet_iter_2000.caffemodel")
    outputs = [net.forward() for _ in range(100)]
    right = sum(round(float(o["accuracy"]) * 100) for o in outputs)
    assert right == 9862
    assert np.mean([float(o["loss"]) for o in outputs]) == pytest.approx(0.0421645, rel=1e-5)


def test_same_seed_same_weights_same_run(tmp_path, monkeypatch, caplog):
    """The initial weights are Caffe's to the bit: the first test and loss agree to all printed digits.
    Rounding then drives the runs apart; the curve stays Caffe's."""
    ours = solver(tmp_path, monkeypatch, display=100, max_iter=401, snapshot=0, snapshot_after_train=False)
    with caplog.at_level("INFO", "minicaffe"):
        ours.solve()
    log = (RECORDED / "train.log").read_text()
    assert "accuracy = 0.071\n" in log and "accuracy = 0.071\n" in caplog.text
    assert "loss = 2.34813 (" in log and "loss = 2.34813 (" in caplog.text
    wanted, got = losses(log), losses(caplog.text)
    assert got[0] == wanted[0] == 2.32814
    for iteration in (100, 200, 300, 400):
        assert got[iteration] == pytest.approx(wanted[iteration], rel=0.15)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["cuda", "cuda-own"])
def test_a_gpu_learns_as_the_cpu_does(name, tmp_path, monkeypatch):
    accuracies = []
    for device in (make_device("cpu", np.float32), make_device(name, np.float32)):
        run = solver(tmp_path, monkeypatch, device=device, snapshot=0, snapshot_after_train=False)
        run.step(1000)
        accuracies.append(run.test()["accuracy"][0])
    assert abs(accuracies[0] - accuracies[1]) < 0.006  # three standard deviations, of 10,000 images


def test_caffes_run_continues(tmp_path, monkeypatch, caplog):
    for path in RECORDED.glob("lenet_iter_2000.*"):
        shutil.copy(path, tmp_path)
    ours = solver(tmp_path, monkeypatch, max_iter=2101, snapshot=0, snapshot_after_train=False)
    with caplog.at_level("INFO", "minicaffe"):
        ours.solve(tmp_path / "lenet_iter_2000.solverstate")
    accuracy = re.findall(r"accuracy = (\S+)", caplog.text)
    assert accuracy == ["0.9862"]  # at iteration 2000, before the first update
    got = losses(caplog.text)
    assert got[2000] < 0.2 and got[2100] < 0.2


@pytest.mark.parametrize(
    ("iterations", "accuracy"),
    [
        (1000, 0.98),
        *[pytest.param(*wanted, marks=pytest.mark.slow) for wanted in ((2000, 0.985), (10000, 0.990))],
    ],
)
def test_accuracy(iterations, accuracy, tmp_path, monkeypatch):
    ours = solver(tmp_path, monkeypatch, display=0, test_interval=100000)
    ours.step(iterations)
    assert ours.test()["accuracy"][0] >= accuracy


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["nesterov", "adagrad", "rmsprop", "adadelta", "adam"])
def test_accuracy_of_the_other_solvers(kind, tmp_path, monkeypatch):
    """Each with the settings of its file, 2,000 iterations."""
    monkeypatch.chdir(tmp_path)
    ours = Solver.create(LENET / f"solver_{kind}.prototxt")
    assert ours.param.max_iter == 2000
    ours.param.test_interval = 100000
    ours.step(2000)
    assert ours.test()["accuracy"][0] >= 0.985
