"""An iteration on a GPU is one copy from the host and one graph: counted, without computing anything."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from minicaffe.proto import text
from minicaffe.proto.schema import SolverParameter
from minicaffe.solvers.callbacks import Callback
from minicaffe.solvers.solver import Solver

from ..support import emulator
from ..support.emulator import EmulatedCuda, capture, cupy
from ..support.running import PROTOTXT

pytestmark = pytest.mark.skipif(not emulator.available(), reason="the CUDA emulator needs Linux and g++")

NODES = {("lenet", "train_test"): 32, ("googlenet", "mnist_train_val"): 433}  # docs/gpu.md has them too


class Idle(EmulatedCuda):
    """A GPU whose kernels do nothing, so that none has to be compiled; `sent` and `graphs` say what is
    queued: the bytes of copies from the host, the nodes of graphs."""

    def __init__(self) -> None:
        super().__init__(np.float32)
        self.sent: list[int] = []
        self.graphs: list[int] = []
        memcpy = self.runtime.memcpyAsync

        def counted(to, source, nbytes, kind, stream) -> None:
            if kind == cupy.HOST_TO_DEVICE:
                self.sent.append(nbytes)
            memcpy(to, source, nbytes, kind, stream)

        self.runtime.memcpyAsync = counted

    def module(self, text, names=()):
        def kernel(grid, block, args, *, shared_mem=0, stream) -> None:
            stream.enqueue(lambda: None)

        return SimpleNamespace(get_function=lambda name: kernel)


@pytest.fixture
def device(monkeypatch):
    device = Idle()
    monkeypatch.setattr(capture.Graph, "launch", lambda graph, stream: device.graphs.append(len(graph.nodes)))
    return device


def solver(folder: Path, device, *callbacks, net=("lenet", "train_test"), settings: str = "") -> Solver:
    """Of a published net, with the embedded digits for its images."""
    description = (PROTOTXT / net[0] / f"{net[1]}.prototxt").read_text()
    if net[0] == "lenet":
        description = description.replace(
            "transform_param {", "transform_param { resize { height: 28 width: 28 }"
        )
    path = folder / "net.prototxt"
    path.write_text(re.sub('source: "mnist/[^"]*"', 'source: "digits/train"', description))
    param = text.parse(f'net: "{path}" base_lr: 0.01 lr_policy: "fixed" {settings}', SolverParameter)
    return Solver.create(param, device=device, callbacks=callbacks)


def one_more(solver: Solver) -> tuple[list[int], list[int]]:
    """What iterations are when graphs are captured."""
    device = solver.device
    for _ in range(4):
        solver._iterate()
    device.sent.clear()
    device.graphs.clear()
    solver._iterate()
    return device.sent, device.graphs


@pytest.mark.parametrize("net", NODES)
def test_one_copy_and_one_graph(net, device, tmp_path):
    copies, graphs = one_more(solver(tmp_path, device, net=net))
    assert len(copies) == 1 and graphs == [NODES[net]]


def test_passes_that_add_up(device, tmp_path):
    copies, graphs = one_more(solver(tmp_path, device, settings="iter_size: 3"))
    assert len(copies) == 3 and len(graphs) == 3


def test_callbacks_that_look_at_gradients_split_it(device, tmp_path):
    class Looking(Callback):
        may_lag = True

        def on_gradients(self, solver) -> bool:
            return False

    copies, graphs = one_more(solver(tmp_path, device, Looking()))
    assert len(copies) == 2 and len(graphs) == 3  # passes, verdict, update
