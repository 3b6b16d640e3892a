"""The limits of a machine: measured, and what a piece of work reaches of them."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.bench import subject
from minicaffe.bench.ours import Ours
from minicaffe.bench.roof import Roof, measure
from minicaffe.device.cpu import CpuDevice
from minicaffe.proto import upgrade

from ..support import emulator
from ..support.running import PROTOTXT


def test_a_machine_is_measured():
    """Whatever it can do: some operations, some bytes, and no more than is possible."""
    roof = measure(CpuDevice(), nbytes=1 << 20, rounds=2, flops=1e5)
    assert 1e6 < roof.flops_per_s < 1e15
    assert 1e6 < roof.moved_bytes_per_s < 1e15 and 1e6 < roof.read_bytes_per_s < 1e15


def test_what_is_reached():
    roof = Roof(100e9, 10e9, 20e9)
    assert roof.ridge == 5
    assert roof.share(50_000_000_000, 0, 1.0) == pytest.approx(0.5)  # operations are the limit
    assert roof.share(1, 10_000_000_000, 1.0) == pytest.approx(0.5)  # bytes are
    assert roof.share(None, None, 1.0) is None and roof.share(5, 5, 0.0) is None


@pytest.mark.skipif(not emulator.available(), reason="the CUDA emulator needs Linux and g++")
def test_a_gpu():
    """Its limits, and steps of a net between two marks of its clock."""
    device = emulator.EmulatedCuda(np.float32)
    roof = measure(device, nbytes=1 << 12, rounds=1, edge=16)
    assert roof.flops_per_s > 0 and roof.read_bytes_per_s == roof.moved_bytes_per_s > 0
    made = subject.inference(upgrade.read_net(PROTOTXT / "digits" / "deploy.prototxt"), {})
    ran = Ours("minicaffe", made, device).run(1, 2)
    assert len(ran.seconds) == 2 and min(ran.seconds) >= 0
