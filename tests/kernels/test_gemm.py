"""Matrix products: composite against NumPy, on every vector width and with every edge."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.device.cpu import CpuDevice
from minicaffe.kernels import gemm as family
from minicaffe.kernels.tiled import a_in_place, few_rows
from minicaffe.kernels.tiled import gemm as tiled

from ..support.devices import each_device
from .test_micro import MACHINES

sizes = st.integers(1, 70)
flags = st.booleans()


def product(device, m, n, k, ta, tb, add, seed=0):
    """out of gemm and of NumPy, for random operands."""
    rng = np.random.default_rng(seed)
    host = [rng.standard_normal(s) for s in ((k, m) if ta else (m, k), (n, k) if tb else (k, n), (m, n))]
    a, b, out = (device.empty(h.shape) for h in host)
    for array, values in zip((a, b, out), host):
        device.put(values, array)
    host = [device.get(x).astype(np.float64) for x in (a, b, out)]
    device.gemm(a, b, out, ta=ta, tb=tb, add=add)
    wanted = (host[0].T if ta else host[0]) @ (host[1].T if tb else host[1])
    return device.get(out), wanted + host[2] if add else wanted


@given(sizes, sizes, sizes, flags, flags, flags)
def test_any_size(m, n, k, ta, tb, add):
    for dtype, tolerance in ((np.float32, 3e-5), (np.float64, 1e-12)):
        got, wanted = product(CpuDevice(dtype), m, n, k, ta, tb, add)
        np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * np.sqrt(k))


@pytest.mark.parametrize("machine", MACHINES.values(), ids=lambda m: f"{8 * m.vector_bytes}bit")
@pytest.mark.parametrize("ta", [False, True])
@pytest.mark.parametrize("tb", [False, True])
def test_blocks_of_every_kind(machine, ta, tb):
    """More than one block of depth, of rows and of columns."""
    m, k, n = 28 * tiled.TILES + 3, tiled.DEPTH + 5, 100
    got, wanted = product(CpuDevice(np.float32, machine=machine), m, n, k, ta, tb, True)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-3)


@pytest.mark.parametrize("tb", [False, True])
def test_wide_products_are_cut_into_column_blocks(tb, monkeypatch):
    monkeypatch.setattr(tiled, "KEPT_BYTES", 0)
    got, wanted = product(CpuDevice(np.float64), 35, 2 * tiled.COLUMNS + 7, 3, False, tb, False)
    np.testing.assert_allclose(got, wanted, atol=1e-12)


LONG = a_in_place.SHORT + 30  # sums that are no short ones, and
DEEP = few_rows.DEPTH + 5  # such as are made in several pieces

# m, n, k for each way to a product whose a is small: m next to a vector and a tile, n next to a panel.
SMALL = [
    *((m, 75, k) for m in (1, 4, 16, 17, 35) for k in (3, LONG)),
    (5, 70, DEEP),
    (35, 6, DEEP),
    (9, 700, LONG),
    (70, 130, LONG),
    (6, 2070, 9),
]


@pytest.mark.parametrize("machine", MACHINES.values(), ids=lambda m: f"{8 * m.vector_bytes}bit")
def test_small_products_have_the_same_bits_on_any_number_of_threads(machine):
    devices = [CpuDevice(np.float32, machine=machine, threads=threads) for threads in (1, 3)]
    for m, n, k in SMALL:
        for ta, tb, add in np.ndindex(2, 2, 2):
            (one, wanted), (three, _) = (product(d, m, n, k, bool(ta), bool(tb), bool(add)) for d in devices)
            np.testing.assert_allclose(
                one, wanted, rtol=0, atol=2e-5 * np.sqrt(k), err_msg=f"{m, n, k, ta, tb, add}"
            )
            np.testing.assert_array_equal(one, three)


@pytest.mark.parametrize("machine", MACHINES.values(), ids=lambda m: f"{8 * m.vector_bytes}bit")
@pytest.mark.parametrize("m, n", [(1, 80), (5, 77)])
def test_large_matrices_are_read_as_they_lie(machine, m, n, monkeypatch):
    monkeypatch.setattr(a_in_place, "LARGE_BYTES", 0)
    monkeypatch.setattr(a_in_place, "STREAM_PANELS", 2)
    device = CpuDevice(np.float32, machine=machine)
    for ta, add in np.ndindex(2, 2):
        got, wanted = product(device, m, n, a_in_place.STREAM * 3 + 1, bool(ta), False, bool(add))
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-4)


def test_results_are_written_where_they_belong():
    """Whatever lies around c stays, also beside the last tile and the last square of every row."""
    device, rng = CpuDevice(np.float32), np.random.default_rng(0)
    for m, n, k in SMALL:
        for ta, tb in np.ndindex(2, 2):
            a, b = (rng.standard_normal(s).astype(np.float32) for s in ((m, k), (k, n)))
            fenced = device.zeros((64 + m * n + 64,))
            fenced[...] = 777
            a, b = (np.ascontiguousarray(x.T if turned else x) for x, turned in ((a, ta), (b, tb)))
            device.gemm(a, b, fenced[64 : 64 + m * n].reshape(m, n), ta=bool(ta), tb=bool(tb))
            assert (fenced[:64] == 777).all() and (fenced[64 + m * n :] == 777).all(), (m, n, k, ta, tb)


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 16])
def test_any_number_of_parts_covers_the_whole(parts):
    for m, n in ((1, 1), (5, 1000), (1000, 5), (200, 300)):
        cut = tiled.blocking(m, n, 40, 14, 32, parts)
        assert cut.grid_m * cut.grid_n == parts


@each_device
@pytest.mark.parametrize("m, n, k", [(8, 5, 0), (3, 5, 0), (0, 5, 3), (8, 0, 3)])
def test_products_without_elements(device, m, n, k):
    """A sum of no terms is 0, and is written as any other."""
    for ta, tb, add in np.ndindex(2, 2, 2):
        np.testing.assert_array_equal(*product(device, m, n, k, ta, tb, add))


@each_device
def test_bias_and_column_sums(device):
    rng = np.random.default_rng(4)
    y, bias, total = (device.empty(s) for s in ((5, 70), (70,), (70,)))
    host = [rng.standard_normal(a.shape) for a in (y, bias, total)]
    for array, values in zip((y, bias, total), host):
        device.put(values, array)
    kernels = device.bind(family)
    kernels.add_bias(bias, y, 5, 70, 0)
    np.testing.assert_allclose(device.get(y), host[0] + host[1], rtol=1e-12)
    kernels.add_column_sums(y, total, 5, 70)
    np.testing.assert_allclose(device.get(total), host[2] + (host[0] + host[1]).sum(0), rtol=1e-12)


@each_device
def test_bias_and_column_sums_with_relu(device):
    rng = np.random.default_rng(4)
    y, dy, bias, total = (device.empty(s) for s in ((5, 70), (5, 70), (70,), (70,)))
    host = [rng.standard_normal(a.shape) for a in (y, dy, bias, total)]
    for array, values in zip((y, dy, bias, total), host):
        device.put(values, array)
    kernels = device.bind(family)
    kernels.add_bias(bias, y, 5, 70, 1)
    rectified = np.maximum(host[0] + host[2], 0)
    np.testing.assert_allclose(device.get(y), rectified, rtol=1e-12)
    kernels.relu_add_column_sums(y, dy, total, 5, 70)
    slope = host[1] * (rectified > 0)
    np.testing.assert_array_equal(device.get(dy), slope)
    np.testing.assert_allclose(device.get(total), host[3] + slope.sum(0), rtol=1e-12)


def test_the_same_bits_every_time():
    device = CpuDevice(np.float32)
    first, _ = product(device, 65, 130, 500, False, True, False)
    again, _ = product(device, 65, 130, 500, False, True, False)
    np.testing.assert_array_equal(first, again)
