"""Random masks: every element's word is philox at the documented counter, in every half."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.device.cpu import CpuDevice
from minicaffe.kernels import random
from minicaffe.philox import philox

from ..support.devices import CUDA, each_device, make_device
from .test_micro import each_dtype, each_machine

KEY = (0x12345678, 0x9ABCDEF0)


def words(passes: int, batch: int, width: int) -> np.ndarray:
    """What random.py says, in NumPy."""
    sample, element = np.indices((batch, width))
    number = np.uint64(passes * batch) + sample.astype(np.uint64)
    counter = (
        (element // 4).astype(np.uint32),
        (number & np.uint64(0xFFFFFFFF)).astype(np.uint32),
        (number >> np.uint64(32)).astype(np.uint32),
        np.uint32(0),
    )
    with np.errstate(over="ignore"):
        drawn = philox(*counter, *map(np.uint32, KEY))
    return np.choose(element % 4, np.broadcast_arrays(*drawn)).astype(np.uint64)


def kept(device, passes: int, batch: int, width: int, ratio: float) -> np.ndarray:
    x, y, stream = (
        device.empty((batch * width,)),
        device.empty((batch * width,)),
        device.empty((4,), np.uint32),
    )
    device.put(np.ones(batch * width), x)
    device.put(np.array([*KEY, passes, 0], np.uint32), stream)
    device.bind(random).dropout(x, y, stream, batch, width, ratio, 2.0)
    y = device.get(y).reshape(batch, width)
    assert set(np.unique(y)) <= {0.0, 2.0}
    return y != 0


@each_device
@pytest.mark.parametrize("passes", [0, 3, 2**32 - 1])  # the last one: sample numbers of more than 32 bits
@pytest.mark.parametrize("batch, width", [(1, 1), (5, 3), (3, 4), (2, 41)])
def test_words(device, passes, batch, width):
    for ratio in (0.25, 0.7):
        wanted = words(passes, batch, width) >= round(ratio * 2**32)
        np.testing.assert_array_equal(kept(device, passes, batch, width, ratio), wanted)


@each_machine
@each_dtype
@pytest.mark.parametrize("batch, width", [(3, 4 * 37), (2, random.CHUNK + 67)])
def test_every_vector_width(machine, dtype, batch, width):
    """Whole vectors and what is left of one, in one piece and in two."""
    device = CpuDevice(dtype, machine=machine)
    for ratio in (0.0, 0.25, 1.0):
        wanted = words(2**32 - 1, batch, width) >= round(ratio * 2**32)
        np.testing.assert_array_equal(kept(device, 2**32 - 1, batch, width, ratio), wanted)


@each_device
def test_no_ratio_and_the_whole(device):
    assert kept(device, 1, 3, 9, 0.0).all()
    assert not kept(device, 1, 3, 9, 1.0).any()


@pytest.mark.parametrize("name", ["cpu", "python", *CUDA])
def test_the_threshold_is_exact_in_single_precision(name):
    """A ratio one float above a word's 2^-32 share drops it; the share itself, rounded down, keeps it."""
    device = make_device(name, np.float32)
    word = int(words(0, 1, 1)[0, 0])
    below = np.float32(word / 2**32)
    if int(float(below) * 2**32) > word:
        below = np.nextafter(below, np.float32(0))
    assert kept(device, 0, 1, 1, float(below)).all()
    assert not kept(device, 0, 1, 1, float(np.nextafter(below, np.float32(1)))).any()


def test_in_place_is_the_same(cpu):
    device = cpu
    x, stream = device.empty((30,)), device.empty((4,), np.uint32)
    device.put(np.ones(30), x)
    device.put(np.array([*KEY, 5, 0], np.uint32), stream)
    device.bind(random).dropout(x, x, stream, 3, 10, 0.5, 2.0)
    np.testing.assert_array_equal(device.get(x).reshape(3, 10) != 0, kept(device, 5, 3, 10, 0.5))
