"""Micro-kernels, called as C functions, on every vector width that this processor has."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from minicaffe.kernels.micro.columns import gather, scatter
from minicaffe.kernels.micro.copy import copy
from minicaffe.kernels.micro.machine import host, without
from minicaffe.kernels.micro.tile import best_rows, tile, tile_in_place
from minicaffe.kernels.micro.transpose import transpose

MACHINES = {m.vector_bytes: m for m in (host(), without(host(), "avx512"), without(host(), "avx", "fma"))}
each_machine = pytest.mark.parametrize("machine", MACHINES.values(), ids=lambda m: f"{8 * m.vector_bytes}bit")
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def call(address: int, *arguments) -> None:
    values = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * len(values))(address)(*values)


def fenced(shape, dtype, slack: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """An array of NaN with a fence of 777 behind its last element (and slack); returns array and fence."""
    count = int(np.prod(shape))
    block = np.full(count + slack + 64, 777, dtype)
    block[:count] = np.nan
    return block[:count].reshape(shape), block[count + slack :]


@each_machine
@each_dtype
@pytest.mark.parametrize(
    "finish",
    ["set", "add", "bias", "relu", "bias_relu", "scale", "scale_relu", "scale_bias", "scale_bias_relu"],
)
@pytest.mark.parametrize("rows, vectors", [(1, 1), (3, 2), (None, 2)])
def test_tile(machine, dtype, finish, rows, vectors):
    rng = np.random.default_rng(0)
    itemsize = np.dtype(dtype).itemsize
    rows, width, depth = rows or machine.tile_rows, vectors * machine.lanes(itemsize), 7
    a, b = rng.random((depth, rows)).astype(dtype), rng.random((depth, width + 3)).astype(dtype)
    bias, scale = -2 * rng.random(rows).astype(dtype), rng.standard_normal(rows).astype(dtype)
    c, fence = fenced((rows, width + 5), dtype)
    c[:] = rng.random(c.shape)
    before = c.copy()
    address = tile(tuple(range(rows)), rows, vectors, finish, itemsize, machine)
    call(address, depth, a, b, width + 3, c, width + 5, scale, bias)
    wanted = a.T @ b[:, :width]
    if finish == "add":
        wanted += before[:, :width]
    if "scale" in finish:
        wanted *= scale[:, None]
    if "bias" in finish:
        wanted += bias[:, None]
    if "relu" in finish:
        wanted = np.maximum(wanted, 0)
    np.testing.assert_allclose(c[:, :width], wanted, rtol=0, atol=1e-5 if itemsize == 4 else 1e-13)
    np.testing.assert_array_equal(c[:, width:], before[:, width:])
    assert (fence == 777).all()


@each_machine
def test_tile_reads_a_along_rows(machine):
    """Rows at multiples of a stride, step 1: the panel of columns in the gradient by weights."""
    rng = np.random.default_rng(1)
    lanes, stride = machine.lanes(4), 11
    a, b = rng.random((4, stride)).astype(np.float32), rng.random((stride, lanes)).astype(np.float32)
    c = np.zeros((4, lanes), np.float32)
    address = tile(tuple(m * stride for m in range(4)), 1, 1, "set", 4, machine)
    call(address, stride, a, b, lanes, c, lanes, 0, 0)
    np.testing.assert_allclose(c, a @ b, rtol=1e-5)
    in_place = np.zeros_like(c)
    call(tile_in_place(4, 1, "set", 4, machine), stride, a, stride, b, lanes, in_place, lanes, 0, 0)
    np.testing.assert_array_equal(in_place, c)


@each_machine
@each_dtype
def test_transpose_and_copy(machine, dtype):
    itemsize = np.dtype(dtype).itemsize
    lanes = machine.lanes(itemsize)
    source = np.random.default_rng(2).random((lanes, lanes + 3)).astype(dtype)
    turned, fence = fenced((lanes, lanes), dtype)
    call(transpose(itemsize, machine), source, lanes + 3, turned, lanes)
    np.testing.assert_array_equal(turned, source[:, :lanes].T)
    copied, other_fence = fenced((lanes, lanes), dtype)
    call(copy(1, itemsize, machine), lanes, source, lanes + 3, copied, lanes)
    np.testing.assert_array_equal(copied, source[:, :lanes])
    assert (fence == 777).all() and (other_fence == 777).all()


@each_machine
@each_dtype
def test_gather_and_scatter_are_transposes(machine, dtype):
    """Two channels of 3 x 6, taps of a 2 x 2 kernel, output 2 x 5, as one panel of 10 pixels."""
    itemsize = np.dtype(dtype).itemsize
    rng = np.random.default_rng(3)
    lanes = 8
    taps = np.array([0, 1, 6, 7])
    source, target, length = np.array([0, 6]), np.array([0, 5]), np.array([5, 5])
    tables = [np.ascontiguousarray(t, np.int64) for t in (taps, source, target, length)]
    image, fence = fenced((2, 18), dtype, slack=lanes)
    panel, panel_fence = fenced((8, 10), dtype, slack=lanes)

    def run(kernel) -> None:
        address = kernel(lanes, itemsize, machine)
        call(address, 2, 18, 4, tables[0], image, 2, *tables[1:], panel, 10)

    image[:] = rng.random(image.shape)
    run(gather)
    at = (source[:, None] + np.arange(5)).ravel()
    wanted = np.stack([image[c, at + tap] for c in range(2) for tap in taps])
    np.testing.assert_array_equal(panel, wanted)
    weights = rng.random(panel.shape).astype(dtype)
    panel[:] = weights
    before = image.copy()
    image[:] = 0
    run(scatter)
    assert float((image * before).sum()) == pytest.approx(float((weights * wanted).sum()), rel=1e-5)
    assert (fence == 777).all() and (panel_fence == 777).all()


@each_machine
@each_dtype
def test_gather_of_every_second_element(machine, dtype):
    """One channel of 25, output 11, as runs of 8 and 3; what is read behind the last pixel is not used."""
    rng = np.random.default_rng(3)
    tables = [np.array(table, np.int64) for table in ([1], [0, 16], [0, 8], [8, 3])]
    image, panel = rng.random(25 + 16).astype(dtype), np.empty(11 + 8, dtype)
    kernel = gather(8, np.dtype(dtype).itemsize, machine, 2)
    call(kernel, 1, 25, 1, tables[0], image, 2, *tables[1:], panel, 11)
    np.testing.assert_array_equal(panel[:11], image[1:23:2])


def test_best_rows_wastes_little():
    for machine in MACHINES.values():
        for count in range(1, 600):
            rows = best_rows(count, machine)
            assert 1 <= rows <= machine.tile_rows
            assert -(-count // rows) * rows < count + machine.tile_rows
