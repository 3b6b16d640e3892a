"""What is recorded on the CPU and run again: the same calls, in their order, on the same arrays."""

from __future__ import annotations

import os

import numpy as np
import pytest

from minicaffe.device.cpu import CpuDevice
from minicaffe.errors import CaptureError
from minicaffe.kernels import cpu, memory
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

NET = """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 9 dim: 9 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "y" convolution_param {
  num_output: 5 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "y" top: "y" }
layer { name: "ip" type: "InnerProduct" bottom: "y" top: "z" inner_product_param {
  num_output: 7 weight_filler { type: "xavier" } } }"""

LOSS = """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 6 dim: 3 } } }
layer { name: "t" type: "Input" top: "t" input_param { shape { dim: 6 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "x" bottom: "t" top: "loss" }"""


@pytest.fixture
def device() -> CpuDevice:
    return CpuDevice(threads=2)


@pytest.fixture
def called(monkeypatch) -> list[str]:
    """The names of all loops that Python calls from here on."""
    names, call = [], cpu.Loops.__call__

    def noting(loops, *args):
        names.append(loops.py_func.__name__)
        call(loops, *args)

    monkeypatch.setattr(cpu.Loops, "__call__", noting)
    return names


def test_calls_keep_their_order(device, called):
    """Loops, and between them what NumPy does."""
    k = device.bind(memory)
    x, y, z = (device.zeros((100,)) for _ in range(3))

    def body() -> None:
        device.fill(y, 10)
        k.subtract_from(x, y, 100)  # y = x - y
        device.copy(y, z)
        device.fill(y, 1)
        k.subtract_from(z, y, 100)

    replay = device.capture(body)
    assert called == ["subtract_from"] * 2
    assert (y == 0).all() and (z == 0).all()  # recorded, not run
    for value in (3, 5):
        device.put(np.full(100, value), x)
        replay()
        assert (z == value - 10).all() and (y == value - 11).all()
    assert len(called) == 2


def test_a_net_runs_without_python_from_the_third_pass_on(called):
    net = Net(text.parse(NET, NetParameter), phase="TEST", keep="needed", seed=1)
    plain = Net(text.parse(NET, NetParameter), phase="TEST", seed=1)
    for number in range(4):
        x = np.random.default_rng(number).normal(size=(3, 4, 9, 9))
        called.clear()
        got = net.forward(x=x)["z"]
        assert bool(called) == (number < 2)
        plain.put_inputs({"x": x})
        plain.stage()
        plain.run_forward()
        np.testing.assert_array_equal(got, plain.blobs["z"].data)


def test_another_number_of_threads(called):
    """Composites cut up their memory for as many threads as there are."""
    net = Net(text.parse(NET, NetParameter), phase="TEST", seed=1)
    x = np.random.default_rng(0).normal(size=(3, 4, 9, 9))
    results = []
    for threads in (1, 1, 1, 5, 5, 2):
        net.device.threads = threads
        called.clear()
        results.append(net.forward(x=x)["z"])
    assert called  # recorded anew
    for result in results:
        np.testing.assert_array_equal(result, results[0])


def test_what_follows_a_loop_is_recorded_too(device):
    """softmax_loss_forward adds up behind its loop: a call of Python's."""
    net = Net(text.parse(LOSS, NetParameter), phase="TRAIN", seed=1, device=device)
    x, t = np.random.default_rng(0).normal(size=(6, 3)), np.arange(6) % 3
    for sign in (1, -1, 1, 2):
        loss = net.forward(x=sign * x, t=t)["loss"]
        p = np.exp(sign * x)
        assert loss == pytest.approx(-np.log(p[range(6), t] / p.sum(axis=1)).mean(), rel=1e-5)


@pytest.mark.parametrize(
    "body, message",
    [
        (
            lambda device, x: device.put(np.zeros(3), x),
            "cannot copy from the host while a capture is recording",
        ),
        (lambda device, x: device.get(x), "cannot copy to the host while a capture is recording"),
    ],
)
def test_the_host_takes_no_part(device, body, message):
    x = device.zeros((3,))
    with pytest.raises(CaptureError, match=message):
        device.capture(lambda: body(device, x))
    device.put(np.ones(3), x)  # nothing is recorded any more
    assert (device.get(x) == 1).all()


def test_interpreted_kernels_are_not_recorded():
    ran = []
    replay = CpuDevice(kernels="python").capture(lambda: ran.append(1))
    assert not ran
    replay()
    assert ran == [1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_in_a_process_that_was_forked_off(device):
    """Its team is another one, at the same place."""
    k = device.bind(memory)
    x, y = device.zeros((1000,)), device.zeros((1000,))
    replay = device.capture(lambda: k.subtract_from(x, y, 1000))
    x[:] = 4
    replay()
    child = os.fork()
    if not child:
        replay()  # y = 4 - 4
        os._exit(0 if (y == 0).all() else 1)
    assert os.waitpid(child, 0)[1] == 0 and (y == 4).all()
