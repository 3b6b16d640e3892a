"""What the host hands over for a pass: pieces of any size and type, in one copy and few launches."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.device import slabs
from minicaffe.device.feed import Array
from minicaffe.kernels import delivery

from ..support import emulator
from ..support.emulator import EmulatedCuda
from ..support.emulator.module import KernelError

pytestmark = pytest.mark.skipif(not emulator.available(), reason="the CUDA emulator needs Linux and g++")

SIZES = [1, 15, 16, 17, 0, 33, 4099, 64, 7, 2 * slabs.LARGE_BYTES]  # more than one call of the kernel takes


def delivered(device, passes: int = 3) -> list[list[np.ndarray]]:
    """The arrays after each pass; pass p hands over (p + i) % 251.  Behind each are zeros."""
    feed, seen = device.feed(), []
    types = [np.uint8, device.dtype.type, np.int32]
    blocks = [device.zeros((size + 16,), types[i % 3]) for i, size in enumerate(SIZES)]
    arrays = [block[:size] for block, size in zip(blocks, SIZES)]
    apart = device.zeros((64,))[1:34]  # begins at no multiple of a unit
    for number in range(passes):
        feed.begin()
        for array in [*arrays, apart]:
            feed.put((number + np.arange(array.size)) % 251, Array(array))
        feed.send()
        feed.deliver()
        feed.delivered()
        seen.append([device.get(array) for array in [*arrays, apart]])
        for block, size in zip(blocks, SIZES):
            assert not device.get(block)[size:].any()
    return seen


def right(seen: list[list[np.ndarray]]) -> bool:
    return all(
        np.array_equal(array, (number + np.arange(array.size)) % 251)
        for number, arrays in enumerate(seen)
        for array in arrays
    )


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pieces_arrive(lazy, dtype):
    device = EmulatedCuda(dtype, lazy=lazy)
    assert right(delivered(device))
    assert device.cupy.launches == 3 * 2  # for the ten small pieces that have elements, two calls a pass


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(bytes + UNIT - 1) / UNIT", "bytes / UNIT"),
        ("b < bytes - i * UNIT", "b < bytes - i * UNIT - 1"),
        ("return i - units", "return i - units - 1"),
        ("(size_t(start) + i)", "size_t(i)"),
        ("i >= 0 && i < units", "i < units"),
    ],
)
def test_planted_faults_are_noticed(old, new):
    class Mutated(EmulatedCuda):
        def source(self, module):
            text = super().source(module)
            assert module is not delivery or old in text
            return text.replace(old, new, 1) if module is delivery else text

    try:
        noticed = not right(delivered(Mutated(np.float32), passes=1))
    except (KernelError, AssertionError):
        noticed = True
    assert noticed


def test_arrays_that_become_others_until_they_are_sent():
    """A layer behind may change shapes when the piece is put already: memory is then planned anew."""
    device = EmulatedCuda(np.float32)
    feed, blob, before = device.feed(), Array(device.zeros((5,))), device.zeros((5,))
    blob.data, now = before, device.zeros((5,))
    feed.begin()
    feed.put(np.arange(5), blob)
    blob.data = now
    feed.send()
    feed.deliver()
    feed.delivered()
    assert (device.get(now) == np.arange(5)).all() and not device.get(before).any()


def test_a_pass_that_was_cut_short_is_waited_for():
    device = EmulatedCuda(np.float32, lazy=True)
    feed, array = device.feed(), Array(device.zeros((4,)))
    for value in range(4):
        feed.begin()
        feed.put(np.full(4, value), array)
        feed.send()
        feed.deliver()
        if value % 2:
            feed.delivered()  # else an error came in between
    assert (device.get(array.data) == 3).all()
