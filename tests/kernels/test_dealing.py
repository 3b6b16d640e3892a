"""Loops dealt to threads: every iteration is run once, whatever the number of parts."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from numba import prange

from minicaffe.kernels.cpu import Loops, launcher_address
from minicaffe.kernels.micro import dealing


def count(x, rows, stop):
    if stop:
        return
    one = x.dtype.type(1)
    for i in prange(x.size // rows):
        for j in range(rows):
            x[i * rows + j] += one
        x[i] += 0 * i  # by the loop's variable itself


def reshapes(x, rows):
    x = x.reshape(rows, 2)
    for i in prange(rows):
        x[i, 0] = 1


def two(x, y):
    for i in prange(x.size):
        x[i] = 2
    for i in prange(x.size):
        x[i] += 1
    y[0] += x.sum()


def nested(x, y):
    for k in range(3):
        for i in prange(x.size):
            x[i] = k + 1
    y[0] += x.sum()


def sums(x, y):
    count = x.size
    for i in prange(count):
        x[i] = 3
    for i in range(count):
        y[0] += x[i]


COUNT = Loops(count, parallel=True)


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 40])
def test_every_iteration_is_run_once(parts):
    x = np.zeros(33, np.float32)
    COUNT.dispatcher(launcher_address(), parts, x, 3, False)
    np.testing.assert_array_equal(x, 1)


def test_the_parts_are_equal_shares_in_order():
    (loops, rest), seen = dealing.loops(count), []
    assert rest is None
    for part in range(3):
        x = np.zeros(11, np.float32)
        loops(part, 3, x, 1, False)
        seen.append(x.nonzero()[0].tolist())
    assert seen == [[0, 1, 2], [3, 4, 5, 6], [7, 8, 9, 10]]


def test_a_part_may_have_nothing_to_do():
    x = np.zeros(6, np.float32)
    COUNT(x, 3, True)
    np.testing.assert_array_equal(x, 0)


def test_what_fails_in_a_part_is_an_error():
    with pytest.raises(ValueError, match="reshapes: the arrays do not fit the geometry"):
        Loops(reshapes, parallel=True)(np.zeros(9, np.float32), 4)


@pytest.mark.parametrize("function, dealt", [(sums, True), (two, False), (nested, False)])
def test_what_comes_after_the_loop_is_done_once_and_other_kernels_are_compiled_by_numba(function, dealt):
    assert (dealing.loops(function) is not None) == dealt
    x, y = np.zeros(7, np.float32), np.ones(1, np.float32)
    Loops(function, parallel=True)(x, y)
    assert (x == 3).all() and y[0] == 22


def test_the_loop_becomes_vector_code():
    def scale(x, y):
        for i in prange(x.size):
            y[i] = x[i] + x[i]

    code = numba.njit(dealing.loops(scale)[0])
    code.compile((numba.int64, numba.int64, numba.float32[::1], numba.float32[::1]))
    assert " x float> " in code.inspect_llvm(code.signatures[0])
