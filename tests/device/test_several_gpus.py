"""Several GPUs in one process, and several threads: CUDA's current GPU is every thread's own."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from minicaffe.device.cuda import CudaDevice
from minicaffe.errors import DeviceError
from minicaffe.kernels import activation, memory

from ..support import emulator
from ..support.devices import hand_over
from ..support.emulator import EmulatedCuda
from ..support.emulator.cupy import EmulatedCupy
from ..support.emulator.libraries import FakeCublas, FakeCudnn
from ..support.solving import tiny_solver

pytestmark = pytest.mark.skipif(not emulator.available(), reason="the CUDA emulator needs Linux and g++")


def two_gpus(**options) -> list[EmulatedCuda]:
    cupy = EmulatedCupy(count=2)
    return [EmulatedCuda(number=number, cupy=cupy, **options) for number in (0, 1)]


def in_a_thread(action) -> None:
    """Run it in a new thread, whose current GPU is 0; its error is ours."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            action()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


def everything(device) -> list:
    """What the engine asks of a device, each a step that can be taken elsewhere than the one before."""
    have = SimpleNamespace(host=np.arange(6.0))
    k = device.bind(activation)

    def allocate() -> None:
        have.x, have.y = device.empty((6,)), device.zeros((6,))
        have.other = device.workspace(24)
        have.feed = device.feed()
        device.host_empty((3,))
        assert device.total_memory() == 8 << 30

    def compute() -> None:
        k.relu_forward(have.x, have.y, 0.5)
        device.bind(memory).subtract_from(have.y, have.y, 6)

    def timed() -> None:
        mark = device.clock()
        assert device.seconds(mark(), mark()) > 0

    return [
        allocate,
        lambda: device.put(have.host, have.x),
        lambda: device.fill(have.y, 1),
        lambda: device.fill(have.y, 0),
        compute,  # which loads the kernels too,
        compute,
        lambda: hand_over(have.feed, have.host, have.x),
        lambda: device.copy(have.x, have.y),
        lambda: device.describe(),
        lambda: setattr(have, "replay", device.capture(compute)),
        lambda: have.replay(),
        timed,
        lambda: np.testing.assert_array_equal(device.get(have.y), 0),
        lambda: device.synchronize(),
    ]


@pytest.mark.parametrize("elsewhere", ["another GPU", "another thread"])
def test_every_call_finds_its_gpu(elsewhere):
    one, two = two_gpus()
    for step, between in zip(everything(two), everything(one), strict=True):
        if elsewhere == "another GPU":
            between()
            step()
        else:
            in_a_thread(step)


def test_a_call_that_does_not_is_noticed(monkeypatch):
    """The emulation tells one GPU from another: without the call that makes it current no step passes."""
    for name in ("empty", "fill", "put", "launch", "capture", "_replay", "_mark"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(CudaDevice, name, getattr(CudaDevice, name).__wrapped__)
            with pytest.raises((DeviceError, RuntimeError), match=r"GPU|HANDLE|current device"):
                test_every_call_finds_its_gpu("another GPU")


def test_two_solvers_on_two_gpus_take_turns():
    """Interleaved, with libraries, and in threads of their own they train as one alone does."""

    def with_libraries(device):
        def enqueue(stream: int, action) -> None:
            queue = device.cupy.streams[stream]
            queue.check_device("a library's call")
            queue.enqueue(action)

        device._libraries = True
        device.found = {"cublas": FakeCublas(enqueue), "cudnn": FakeCudnn(enqueue)}
        return device

    solvers = [tiny_solver(device=with_libraries(device)) for device in two_gpus()]
    alone = tiny_solver(device=with_libraries(EmulatedCuda()))
    for step in range(4):
        alone.step(1)
        for solver in solvers:
            (in_a_thread if step % 2 else lambda action: action())(lambda solver=solver: solver.step(1))
    weights = [s.net.device.get(s.net.parameters.data) for s in (alone, *solvers)]
    for other in weights[1:]:
        np.testing.assert_array_equal(other, weights[0])
