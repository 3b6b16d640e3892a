"""Rows copied between arrays of different row lengths."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.kernels import shape as family

from ..support.devices import each_device


@each_device
@given(
    count=st.integers(0, 5),
    length=st.integers(0, 7),
    gaps=st.tuples(*[st.integers(0, 3)] * 2),
    starts=st.tuples(*[st.integers(0, 3)] * 2),
)
def test_copies_nothing_but_the_rows(device, count, length, gaps, starts):
    steps = [length + gap for gap in gaps]
    sizes = [start + count * step + 1 for start, step in zip(starts, steps)]
    x, y = (device.zeros((size,)) for size in sizes)
    device.put(np.arange(1.0, sizes[0] + 1), x)
    wanted = np.zeros(sizes[1])
    for r in range(count):
        for j in range(length):
            wanted[starts[1] + r * steps[1] + j] = 1 + starts[0] + r * steps[0] + j
    g = family.Rows(count, length, starts[0], steps[0], starts[1], steps[1])
    device.bind(family).copy_rows(x, y, g)
    np.testing.assert_array_equal(device.get(y), wanted)


def test_rows_longer_than_a_piece(cpu):
    length = 2 * family.PIECE + 5
    x, y = np.arange(3.0 * length), np.zeros(3 * length)
    cpu.bind(family).copy_rows(x, y, family.Rows(2, length, length, length, 0, length))
    np.testing.assert_array_equal(y[: 2 * length], x[length:])
    assert (y[2 * length :] == 0).all()
