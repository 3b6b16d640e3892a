"""LeNet trains on the emulated GPU: batches staged as bytes, passes and update replayed as graphs,
convolutions on tensor cores; or by NVIDIA's libraries, whose calls are emulated too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minicaffe.device.cpu import CpuDevice
from minicaffe.proto import upgrade
from minicaffe.solvers.solver import Solver

from ..support.emulator import EmulatedCuda
from ..support.emulator.libraries import FakeCublas, FakeCudnn

LENET = Path(__file__).parent.parent.parent / "prototxt" / "lenet"


def lenet(device, batch: int, side: int = 28, **settings) -> Solver:
    """The solver of prototxt/lenet on the digits that come with minicaffe, enlarged to this many pixels."""
    param = upgrade.read_solver(LENET / "solver.prototxt")
    net = upgrade.read_net(LENET / "train_test.prototxt")
    for layer in net.layer:
        if layer.type == "Data":
            layer.data_param.source = layer.data_param.source.replace("mnist", "digits")
            layer.data_param.batch_size = batch
            layer.data_param.shuffle = True
            layer.transform_param.scale = 1 / 16  # pixels are 0 to 16
            layer.transform_param.resize.height = layer.transform_param.resize.width = side
    for name in ("net", "test_iter", "test_interval", "snapshot", "display"):
        param.ClearField(name)
    param.train_net_param.CopyFrom(net)
    param.random_seed, param.snapshot_after_train = 1, False
    for name, value in settings.items():
        setattr(param, name, value)
    return Solver.create(param, device=device)


def with_libraries(**options) -> EmulatedCuda:
    def enqueue(stream: int, action) -> None:
        device.cupy.streams[stream].enqueue(action)

    device = EmulatedCuda(libraries={"cublas": FakeCublas(enqueue), "cudnn": FakeCudnn(enqueue)}, **options)
    return device


DEVICES = {
    "own kernels": lambda: EmulatedCuda(),
    "own kernels, lazy": lambda: EmulatedCuda(lazy=True),
    "before tensor cores": lambda: EmulatedCuda(arch=70),
    "cuBLAS and cuDNN": with_libraries,
}


@pytest.mark.parametrize("name", DEVICES)
def test_three_steps_as_on_the_cpu(name):
    """The first runs as it stands, the second is captured, the third replayed; all with the CPU's numbers."""
    gpu = DEVICES[name]()
    assert (gpu.blas is None) == (gpu.dnn is None) == (name != "cuBLAS and cuDNN")
    here, there = lenet(CpuDevice(), 4), lenet(gpu, 4)
    for _ in range(3):
        here.step(1)
        there.step(1)
        assert there.net.loss() == pytest.approx(here.net.loss(), rel=1e-5)
        for mine, theirs in ((here.net.parameters.data, there.net.parameters.data),
                             (here.net.parameters.diff, there.net.parameters.diff)):  # fmt: skip
            np.testing.assert_allclose(gpu.get(theirs), mine, rtol=1e-4, atol=1e-4 * np.abs(mine).max())


def test_fifty_steps_learn():
    """Smaller images: of the usual ones a step takes half a second here."""
    solver = lenet(EmulatedCuda(orders=1), 4, side=16)
    losses = []
    for _ in range(50):
        solver.step(1)
        losses.append(solver.net.loss())
    assert np.mean(losses[:5]) > 2 and np.mean(losses[-15:]) < 1.4


def test_less_accurate_products_where_the_net_says_so():
    """TF32 rounds the factors: near the CPU, but not as near as without."""
    errors = {}
    for math in ("FAST", "TF32"):
        here, there = lenet(CpuDevice(), 2), lenet(EmulatedCuda(math=math), 2)
        here.step(1)
        there.step(1)
        errors[math] = abs(there.net.loss() / here.net.loss() - 1)
    assert errors["FAST"] < 1e-6 < errors["TF32"] < 1e-3
