"""The CUDA halves where they go different ways by geometry, size or address, against the Python halves.

What every layer of the catalogue runs at small sizes runs here beyond one tile, group, stretch or warp.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from minicaffe.device.cpu import CpuDevice
from minicaffe.kernels import (
    activation,
    batch_norm,
    cuda,
    eltwise,
    gemm,
    loss,
    lrn,
    partial_sums,
    pooling,
    prelu,
    scale,
    shape,
    softmax,
)

from ..support.emulator import EmulatedCuda, available
from ..support.emulator.module import EmuModule

pytestmark = pytest.mark.skipif(not available(), reason="the CUDA emulator needs g++")

RNG = np.random.default_rng(5)
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-11}

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def real(*shape: int) -> np.ndarray:
    return RNG.uniform(-1, 1, shape)


def outcome(device, family: ModuleType, name: str, arguments: tuple, shift: int = 0) -> list[np.ndarray]:
    """The arrays of a call, afterwards; each starts `shift` elements into memory of the device."""
    arrays, placed = [], []
    for argument in arguments:
        if isinstance(argument, np.ndarray):
            dtype = np.int32 if argument.dtype == np.int32 else device.dtype
            memory = device.zeros((argument.size + shift,), dtype)[shift:]
            device.put(argument.reshape(-1), memory)
            arrays.append(memory)
            argument = memory
        placed.append(argument)
    getattr(device.bind(family), name)(*placed)
    return [device.get(array) for array in arrays]


def compare(family: ModuleType, name: str, *arguments, dtype=np.float64, shift: int = 0) -> None:
    wanted = outcome(CpuDevice(dtype, kernels="plain"), family, name, arguments)
    for array, other in zip(outcome(EmulatedCuda(dtype), family, name, arguments, shift), wanted):
        np.testing.assert_allclose(array, other, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


# -- divisor.cuh


def test_a_divisor_divides_exactly():
    """Where the product is closest to a whole number: around multiples, up to 2^31 - 1."""
    source = """
KERNEL divide(const int* i, const int* d, int* quotient, int* rest, int n) {
  FOR(k, n) {
    const Divisor by(d[k]);
    quotient[k] = i[k] / by;
    rest[k] = i[k] % by;
  }
}"""
    head = f"typedef float real;\n#define BLOCK {cuda.BLOCK}\n{cuda.COMMON.read_text()}"
    text = "\n".join([head, cuda.COMMON.with_name("divisor.cuh").read_text(), source])
    most = 2**31 - 1
    round_ones = [784, 3136, 12544, 65535, 65536, 65537, 2**30 - 1, 2**30, 2**30 + 1, most - 1, most]
    by = [*range(1, 130), *round_ones, *RNG.integers(1, most, 100).tolist()]
    pairs = [(d * t + e, d) for d in by for t in (0, 1, 2, 3, 1000, 2**20, most // d) for e in (-1, 0, 1)]
    pairs += [(i, d) for d in by for i in RNG.integers(0, most, 5).tolist()]
    i, d = np.array([(i, d) for i, d in pairs if 0 <= i <= most], np.int32).T.copy()
    quotient, rest = np.zeros(i.size, np.int32), np.zeros(i.size, np.int32)
    EmuModule(text).get_function("divide")((4,), (cuda.BLOCK,), (i, d, quotient, rest, np.int32(i.size)))
    np.testing.assert_array_equal(quotient, i // d)
    np.testing.assert_array_equal(rest, i % d)


# -- map.cuh


@each_dtype
@pytest.mark.parametrize("n", [1, 255, 256, 257, 1024, 1025, 5000])
def test_maps_of_any_size(n, dtype):
    compare(activation, "relu_forward", real(n), real(n), 0.0, dtype=dtype)
    for relu, add in np.ndindex(2, 2):
        compare(eltwise, "sum_backward", real(n), real(n), real(n), 0.5, relu, add, dtype=dtype)
    compare(activation, "elu_backward", real(n), real(n), real(n), real(n), 0.5, dtype=dtype)


@pytest.mark.parametrize("g", [scale.Extent(3, 7, 100), scale.Extent(1, 900, 1), scale.Extent(900, 3, 1)])
def test_maps_with_an_operand(g):
    count = g.outer * g.size * g.inner
    compare(scale, "scale_bias_forward", real(count), real(g.size), real(g.size), real(count), g, 1)
    slopes = prelu.Planes(g.outer, g.size, g.inner, 0)
    compare(prelu, "prelu_forward", real(count), real(g.size), real(count), slopes)


# -- channel_sums.cuh


@each_dtype
@pytest.mark.parametrize("shift", [0, 1, 4])
@pytest.mark.parametrize("outer, inner", [(1, 1), (3, 49), (700, 1), (5, 64), (2, 4096), (3, 3000)])
def test_channel_sums(outer, inner, shift, dtype):
    """Long and short, by vectors and, where a row or the array starts between them, without."""
    count = outer * 3 * inner
    g = scale.Extent(outer, 3, inner)
    x, dy = real(count), real(count) / inner
    compare(scale, "bias_gradient", dy, real(3), g, 1, dtype=dtype, shift=shift)
    compare(scale, "scale_gradient", x, dy, real(3), g, 0, dtype=dtype, shift=shift)
    compare(scale, "relu_bias_gradient", x, dy, real(3), g, 1, dtype=dtype, shift=shift)
    channels = batch_norm.Channels(outer, 3, inner, 0)
    compare(batch_norm, "channel_moments", x, real(3), real(3), channels, dtype=dtype, shift=shift)
    moments = real(3), real(3) ** 2 + 1
    affine = real(3), real(3)
    settings = channels, 1e-5, 1
    arrays = x, *moments, *affine, np.zeros(count)
    compare(batch_norm, "batch_norm_forward", *arrays, *settings, dtype=dtype, shift=shift)
    arrays = x, *moments, *affine, dy, np.zeros(count), real(3), real(3)
    wanted = batch_norm.Wanted(1, 1, 1)
    compare(batch_norm, "batch_norm_backward", *arrays, *settings, wanted, dtype=dtype, shift=shift)


# -- families


@each_dtype
@pytest.mark.parametrize("rows, columns", [(1, 1), (64, 10), (7, 33), (100, 64)])
def test_column_sums(rows, columns, dtype):
    y, dy, bias = real(rows, columns), real(rows, columns), real(columns)
    compare(gemm, "add_column_sums", dy, bias, rows, columns, dtype=dtype)
    compare(gemm, "relu_add_column_sums", y, dy, bias, rows, columns, dtype=dtype)
    compare(gemm, "add_bias", bias, y, rows, columns, 1, dtype=dtype)


WINDOWS = [
    (13, 11, 6, 5, 3, 3, 2, 2, 0, 0, 0, 0),
    (7, 8, 7, 8, 3, 3, 1, 1, 1, 1, 1, 1),
    (9, 7, 5, 4, 2, 3, 2, 2, 1, 1, 1, 1),
    (7, 8, 4, 4, 3, 3, 2, 2, 0, 1, 2, 0),
]


@each_dtype
@pytest.mark.parametrize("planes, channels", [(1, 1), (4, 4), (5, 5), (11, 11), (15, 3), (12, 1), (9, 9)])
@pytest.mark.parametrize("window", WINDOWS)
def test_pooling_of_planes_in_groups(planes, channels, window, dtype):
    """Images in one piece, and 5 elements apart."""
    g = pooling.Pool(planes, *window)
    gap = 5 if channels < planes else 0
    g = g._replace(channels=channels, x_step=channels * g.h * g.w + gap, y_step=channels * g.oh * g.ow + gap)
    images = planes // channels
    x, y, mask = real(images, g.x_step), real(images, g.y_step), np.zeros(planes * g.oh * g.ow, np.int32)
    numbers = x.copy()
    x[RNG.random(x.shape) < 0.1] = np.nan
    compare(pooling, "max_pool_forward", x, y, mask, g, dtype=dtype)
    mask = outcome(CpuDevice(dtype, kernels="plain"), pooling, "max_pool_forward", (x, y, mask, g))[2]
    for add in range(2):
        compare(pooling, "max_pool_backward", y, mask, real(*x.shape), g, add, dtype=dtype)
        compare(pooling, "ave_pool_backward", y, real(*x.shape), g, add, dtype=dtype)
        compare(pooling, "ave_pool_backward", y, real(*x.shape), bare(g), add, dtype=dtype)
    for means in g, bare(g):
        compare(pooling, "ave_pool_forward", numbers, y, means, dtype=dtype)


def bare(g):
    """The means of what lies in the image."""
    return g._replace(eh=0, ew=0, bare=1)


@each_dtype
@pytest.mark.parametrize("beta", [0.75, 0.6])
@pytest.mark.parametrize("h", [1, 2, 4, 31, 32, 33, 67])
def test_lrn_walks_over_lines(h, beta, dtype):
    g = lrn.Lrn(2, h, 5, lrn.REACH, 0)
    arrays = real(2 * h * 5), real(2 * h * 5), real(2 * h * 5)
    compare(lrn, "lrn_forward", *arrays, g, 1.0, 0.5, beta, dtype=dtype)
    x, y, inverse = outcome(CpuDevice(dtype), lrn, "lrn_forward", (*arrays, g, 1.0, 0.5, beta))
    compare(lrn, "lrn_backward", x, y, inverse, real(x.size), real(x.size), g, 0.7, beta, dtype=dtype)


@pytest.mark.parametrize("beta", [0.75, 0.6])
def test_lrn_does_not_remember_large_values(beta):
    """Float32 against float64 on values of all sizes side by side: a running sum would fail."""
    g = lrn.Lrn(2, 40, 7, lrn.REACH, 0)
    x = (real(560) * 10.0 ** RNG.integers(-3, 4, 560)).astype(np.float32).astype(np.float64)
    call = lrn, "lrn_forward", (x, np.zeros(560), np.zeros(560), g, 1.0, 0.25, beta)
    for one, exact in zip(outcome(EmulatedCuda(np.float32), *call), outcome(CpuDevice(np.float64), *call)):
        np.testing.assert_allclose(one, exact, rtol=2e-6)


@each_dtype
@pytest.mark.parametrize("inner", [1, 3])
@pytest.mark.parametrize("classes", [1, 2, 10, 33, 255, 256, 600])
def test_softmax_by_blocks_warps_and_threads(classes, inner, dtype):
    g = softmax.Columns(11, classes, inner)
    arrays = [real(11 * classes * inner) * 3 for _ in range(3)]
    compare(softmax, "softmax_forward", *arrays[:2], g, dtype=dtype)
    compare(softmax, "softmax_backward", arrays[0] / classes, *arrays[1:], g, dtype=dtype)


ROWS = [(5, 8, 4, 12, 8, 16), (5, 8, 3, 12, 8, 16), (9, 1, 0, 3, 1, 2)]


@each_dtype
@pytest.mark.parametrize("shift", [0, 1])
@pytest.mark.parametrize("rows", ROWS)
def test_rows_are_copied_by_vectors_or_not(rows, shift, dtype):
    compare(shape, "copy_rows", real(100), real(120), shape.Rows(*rows), dtype=dtype, shift=shift)


@pytest.mark.parametrize("inner", [1, 2])
@pytest.mark.parametrize("classes", [3, 300])
def test_accuracy_by_warps_and_threads(classes, inner):
    g = loss.Labels(700, classes, inner, 1, 2)  # two chunks at least where inner is 2
    labels = RNG.integers(-1, classes + 1, 700 * inner).astype(np.float64)
    x = np.round(real(700 * classes * inner), 1)  # with ties
    ends = results(partial_sums.chunks(g.positions))
    compare(loss, "accuracy_forward", x, labels, *ends, g, 3 if classes < 9 else 99, 0.0)


@each_dtype
@pytest.mark.parametrize("inner", [1, 3])
@pytest.mark.parametrize("classes", [1, 10, 33, 256, 300])
def test_softmax_loss_by_blocks_warps_and_threads(classes, inner, dtype):
    """Several blocks of each kind; the partial sums differ, what becomes of them does not."""
    outer = 300 // inner if classes < 99 else 11
    g = loss.Labels(outer, classes, inner, 1, 2)
    x = real(outer * classes * inner) * 3
    labels = RNG.integers(0, classes, outer * inner).astype(np.float64)
    for bad in ([], [5, 8]):
        labels[bad] = classes
        call = (
            loss,
            "softmax_loss_forward",
            (x, labels, x, np.zeros(labels.size, np.int32), *results(g.pieces), g, 0.0),
        )
        wanted, got = outcome(CpuDevice(dtype, kernels="plain"), *call), outcome(EmulatedCuda(dtype), *call)
        for i in (2, 3, 6, 7, 8, 9):  # all but sums and tally
            np.testing.assert_allclose(got[i], wanted[i], rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
        assert (wanted[8][0] == 5) == bool(bad) and wanted[8][1] == 0


def results(pieces: int) -> list[np.ndarray]:
    """The arrays `sums` to `value` of a measure's kernel."""
    tally, noted = np.zeros(2 * pieces, np.int32), np.array([partial_sums.NONE, 0], np.int32)
    return [real(pieces), tally, real(1), real(2), noted, real(1)]
