"""Captured: which passes run as they stand, and which are replayed."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.device.cpu import CpuDevice
from minicaffe.net import Net
from minicaffe.net.captured import Captured
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from .support import emulator
from .support.emulator import EmulatedCuda

pytestmark = pytest.mark.skipif(not emulator.available(), reason="the CUDA emulator needs Linux and g++")

INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }'
RELU = 'layer { name: "relu" type: "ReLU" bottom: "x" top: "y" }'
SELECTOR = 'layer { name: "s" type: "Input" top: "s" input_param { shape { dim: 2 } } }'
FILTER = 'layer { name: "filter" type: "Filter" bottom: "x" bottom: "s" top: "y" }'


def net(*layers: str, device=None) -> Net:
    return Net(text.parse("\n".join(layers), NetParameter), device=device or EmulatedCuda(), seed=1)


def spied(part: Captured) -> list[str]:
    """What happens from now on: "ran", "captured"."""
    seen, body, capture = [], part.body, part.runs.device.capture
    part.body = lambda: seen.append("ran") or body()
    part.runs.device.capture = lambda body: seen.append("captured") or capture(body)
    return seen


def test_run_then_captured_then_replayed():
    one = net(INPUT, RELU)
    part = Captured(one.executor, one.executor.run_forward)
    seen = spied(part)
    for value in range(-2, 3):
        one.put_inputs({"x": np.full((2, 3), value)})
        part()
        assert (one.device.get(one.blobs["y"].data) == max(value, 0)).all()
    assert seen == ["ran", "captured", "ran"]


def test_arrays_that_move_begin_it_anew():
    one = net(INPUT, RELU)
    part = Captured(one.executor, one.executor.run_forward)
    seen = spied(part)
    for count in (2, 2, 2, 4, 4, 4, 4):
        one.put_inputs({"x": np.full((count, 3), count)})
        part()
        assert (one.device.get(one.blobs["y"].data) == count).all()
    assert seen == ["ran", "captured", "ran"] * 2


def test_outputs_of_forward_are_replayed():
    one = net(INPUT, RELU)
    launches = []
    for value in range(1, 5):
        before = one.device.cupy.launches
        assert (one.forward(x=np.full((2, 3), value))["y"] == value).all()
        launches.append(one.device.cupy.launches - before)
    assert launches == [1, 1, 0, 0]  # a replay launches no kernel by itself


def test_a_layer_that_needs_the_host_is_named(caplog):
    with caplog.at_level("INFO", "minicaffe"):
        one = net(INPUT, SELECTOR, FILTER)
    assert "Layer by layer, not as a graph: the host takes part in 'filter' (Filter)" in caplog.text
    part = Captured(one.executor, one.executor.run_forward)
    seen = spied(part)
    for kept in (2, 1, 1):
        one.put_inputs({"s": np.array([1, kept - 1])})
        part()
    assert seen == ["ran"] * 3
    caplog.clear()
    with caplog.at_level("INFO", "minicaffe"):
        net(INPUT, SELECTOR, FILTER, device=CpuDevice())
    assert "graph" not in caplog.text


def test_debug_info_is_not_captured():
    one = net(INPUT, RELU)
    one.debug_info = True
    part = Captured(one.executor, one.executor.run_forward)
    seen = spied(part)
    part()
    part()
    assert seen == ["ran", "ran"]


def test_a_body_that_fails_leaves_nothing_behind():
    one = net(INPUT, RELU)
    part = Captured(one.executor, one.executor.run_forward)
    part()
    right, part.body = part.body, lambda: {}[0]
    with pytest.raises(KeyError):
        part()
    part.body = right
    one.put_inputs({"x": np.full((2, 3), 7)})
    part()
    assert (one.device.get(one.blobs["y"].data) == 7).all()


@pytest.mark.parametrize(
    "call, reason",
    [
        (
            lambda device: setattr(device.stream, "invalid", device.stream.recording is not None),
            "CUDA gave the",
        ),
        (lambda device: device.synchronize(), "cannot wait while a capture is recording"),
    ],
)
def test_what_cuda_will_not_record_runs_as_it_stands(call, reason, caplog):
    """Layers before and after the call that cannot be recorded."""
    one = net(INPUT, RELU)

    part = Captured(one.executor, one.executor.run_forward)
    forward = part.body

    def body() -> None:
        forward()
        call(one.device)
        forward()

    part.body = body
    with caplog.at_level("INFO", "minicaffe"):
        for value in (1, 2, 3):
            one.put_inputs({"x": np.full((2, 3), value)})
            part()
            assert (one.device.get(one.blobs["y"].data) == value).all()
    assert caplog.text.count(f"Layer by layer, not as a graph: {reason}") == 1
