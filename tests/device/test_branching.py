"""Parts of a body on branches: one stream outside captures, others beside it inside."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.device.base import Turn
from minicaffe.device.cpu import CpuDevice
from minicaffe.errors import CaptureError, DeviceError
from minicaffe.kernels import activation

from ..support import emulator
from ..support.emulator import EmulatedCuda

pytestmark = pytest.mark.skipif(not emulator.available(), reason="the CUDA emulator needs Linux and g++")

# 0, then 1 and 2 side by side, then 3.
FAN = {0: Turn(0, (), True), 1: Turn(0, (), False), 2: Turn(1, (0,), True), 3: Turn(0, (2,), False)}


@pytest.fixture
def device() -> EmulatedCuda:
    return EmulatedCuda(orders=1)


def copying(device, x, seen=None, fault=None):
    """A body of FAN: all of x becomes x[0], x[3] by way of x[2]."""
    k = device.bind(activation)

    def body() -> None:
        with device.branches(FAN) as begins:
            for part in range(4):
                begins(part)
                if part == fault:
                    raise DeviceError("a fault")
                if seen is not None:
                    seen.append((device.stream, device.workspace(100)))
                source = (0, 0, 0, 2)[part]
                k.relu_forward(x[source : source + 1], x[part : part + 1], 0.0)

    return body


def test_outside_captures_all_is_on_one_stream_but_workspaces_differ(device):
    seen: list = []
    copying(device, device.zeros((4,)), seen)()
    streams, blocks = zip(*seen)
    assert set(streams) == {device.stream} and device.branching.branch == 0
    assert blocks[0] is blocks[1] is blocks[3] and blocks[2] is not blocks[0]


def test_a_capture_spreads_over_streams_and_comes_back(device):
    x, seen = device.zeros((4,)), []
    body = copying(device, x, seen)
    body()
    seen.clear()
    replay = device.capture(body)
    streams, blocks = zip(*seen)
    assert streams[0] is streams[1] is streams[3] is device.stream and streams[2] is not device.stream
    assert blocks[2] is not blocks[0] and device.branching.branch == 0
    device.put([5, 0, 0, 0], x)
    replay()
    np.testing.assert_array_equal(device.get(x), [5, 5, 5, 5])


def test_what_follows_waits_for_all_parts(device):
    """Also for a branch that no part has waited for, and so for the next body's."""
    x, k = device.zeros((4,)), device.bind(activation)
    turns = {0: Turn(0, (), False), 1: Turn(1, (), True)}

    def body() -> None:
        for source in (0, 2):
            with device.branches(turns) as begins:
                begins(0)
                k.relu_forward(x[source : source + 1], x[3:], 0.0)
                begins(1)
                k.relu_forward(x[source : source + 1], x[source + 1 : source + 2], 0.0)
            k.relu_forward(x[source + 1 : source + 2], x[2:3], 0.0)

    body()
    replay = device.capture(body)
    for value in range(1, 6):
        device.put([value, 0, 0, 0], x)
        replay()
        np.testing.assert_array_equal(device.get(x), [value] * 4)


@pytest.mark.parametrize("fault", range(4))
def test_an_error_in_a_branch_leaves_nothing_behind(device, fault):
    x = device.zeros((4,))
    copying(device, x)()
    with pytest.raises(DeviceError, match="a fault"):
        copying(device, x, fault=fault)()
    with pytest.raises(CaptureError, match="a fault"):
        device.capture(copying(device, x, fault=fault))
    assert device.branching.branch == 0 and device.stream is device.branching.streams[0]
    assert all(stream.recording is None for stream in device.branching.streams)
    device.capture(copying(device, x))()


def test_accuracies_share_the_branches(device):
    other = device.with_math("TF32")
    seen: list = []
    copying(other, other.zeros((4,)), seen)()
    assert other.branching is device.branching
    with device.branches(FAN) as begins:
        begins(2)
        assert device.workspace(100) is other.workspace(100) is seen[2][1]


def test_nothing_is_side_by_side_on_the_cpu():
    device = CpuDevice()
    assert device.most_branches == 1
    with device.branches(FAN) as begins:
        assert begins(2) is None
