"""Sums of losses: the same bits for any number of threads, and accurate in single precision."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest

from minicaffe.kernels import cuda, loss

from ..support.devices import each_device, make_device


@pytest.fixture
def threads():
    """Sets the number of threads, for one test."""
    before = numba.get_num_threads()
    yield numba.set_num_threads
    numba.set_num_threads(before)


def sigmoid_loss(device, x: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Loss and slopes of one batch of count positions."""
    k, chunks = device.bind(loss), loss.chunks(x.size)
    arrays = [device.empty(x.shape) for _ in range(3)]
    for array, values in zip(arrays, (x, t)):
        device.put(values, array)
    sums, tally = device.empty((chunks,)), device.empty((2 * chunks,), np.int32)
    y, divisor = device.empty((1,)), device.empty((1,))
    k.sigmoid_loss_forward(*arrays, sums, tally, loss.Labels(1, 1, x.size, 0, 0))
    k.divide_sum(sums, tally, y, divisor, chunks, 1.0)
    return device.get(y), device.get(arrays[2])


def test_the_number_of_threads_changes_no_bit(threads):
    rng = np.random.default_rng(3)
    x, t = rng.standard_normal(50_000), rng.random(50_000)
    device = make_device("cpu", np.float32)
    results = []
    for count in {1, min(2, numba.config.NUMBA_NUM_THREADS), numba.config.NUMBA_NUM_THREADS}:
        threads(count)
        results.append(sigmoid_loss(device, x, t))
    for y, slope in results[1:]:
        np.testing.assert_array_equal(y, results[0][0])
        np.testing.assert_array_equal(slope, results[0][1])


@each_device
@pytest.mark.parametrize("chunks", [1, 2, 255, 257, 600])
@pytest.mark.parametrize("fixed", [0.0, 7.0])
def test_divide_sum(device, chunks, fixed):
    """Of more partial sums than a block has threads, too."""
    rng = np.random.default_rng(chunks)
    host, counts = rng.standard_normal(chunks), rng.integers(0, 1024, chunks)
    sums, tally = device.empty((chunks,)), device.empty((2 * chunks,), np.int32)
    device.put(host, sums)
    device.put(np.stack([counts, np.full(chunks, loss.NONE)], 1).ravel(), tally)
    y, divisor = device.empty((1,)), device.empty((1,))
    device.bind(loss).divide_sum(sums, tally, y, divisor, chunks, fixed)
    wanted = fixed or max(1, counts.sum())
    np.testing.assert_allclose(device.get(divisor), wanted)
    np.testing.assert_allclose(device.get(y), math.fsum(host) / wanted, rtol=1e-12, atol=1e-14)


@each_device
def test_the_first_bad_label_of_all_chunks_is_noted_and_stays(device):
    k, chunks = device.bind(loss), 300
    labels, position, value = device.empty((chunks,)), device.empty((1,), np.int32), device.empty((1,))
    device.put(np.arange(chunks) + 0.5, labels)
    device.fill(position, loss.NONE)
    tally = device.empty((2 * chunks,), np.int32)

    def note(*bad: int) -> tuple[int, float]:
        firsts = np.full(chunks, loss.NONE)
        firsts[list(bad)] = bad
        device.put(np.stack([np.zeros(chunks), firsts], 1).ravel(), tally)
        k.note_label(labels, tally, position, value, chunks)
        return int(device.get(position)[0]), float(device.get(value)[0])

    assert note()[0] == loss.NONE
    assert note(299, 260, 270) == (260, 260.5)
    assert note(3) == (260, 260.5)
    assert note() == (260, 260.5)


def test_both_halves_agree_on_the_size_of_a_chunk():
    source = cuda.source(loss, np.dtype(np.float32))
    assert f"#define CHUNK {loss.CHUNK} " in source and f"#define NONE {loss.NONE}\n" in source
