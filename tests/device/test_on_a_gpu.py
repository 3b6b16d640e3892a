"""What everything else on a GPU stands on, piece by piece: the first thing to run on a new machine
(-m gpu tests/device).  The emulated device passes it too."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.device import staging
from minicaffe.device.cpu import CpuDevice
from minicaffe.errors import DeviceError
from minicaffe.kernels import activation, memory, pooling, power, random, shape
from minicaffe.kernels import convolution as convolution_family

from ..kernels.test_convolution import geometry, run
from ..support.devices import CUDA, hand_over, make_device

G = geometry(4, 1, 20, 50, (1, 12, 12), (1, 3, 3), pad=(0, 1, 1))


@pytest.fixture(params=CUDA)
def device(request):
    return make_device(request.param, np.float32)


def sent(device, values, dtype=None):
    array = device.empty(np.shape(values), dtype)
    device.put(values, array)
    return array


def test_memory_and_views(device):
    block = device.zeros((256,), np.uint8)
    part = block[16:80].view(np.float32).reshape(4, 4)
    device.put(np.arange(16).reshape(4, 4), part)
    device.fill(part[2], 7)
    device.copy(part[0], part[3])
    wanted = np.array([[0, 1, 2, 3], [4, 5, 6, 7], [7, 7, 7, 7], [0, 1, 2, 3]], np.float32)
    np.testing.assert_array_equal(device.get(part), wanted)
    np.testing.assert_array_equal(device.get(block[16:80]), wanted.reshape(-1).view(np.uint8))
    assert not device.get(block[:16]).any() and not device.get(block[80:]).any()
    assert device.get(sent(device, 2.5)).shape == () and device.get(sent(device, 2.5).reshape(-1)) == [2.5]
    for nothing in (device.zeros((0, 3)), block[5:5].view(np.float32).reshape(0, 2)):
        device.fill(nothing, 1)
        assert device.get(nothing).size == 0
    for dtype in (np.int32, np.uint32):
        words = device.empty((3,), dtype)
        device.fill(words, 2**31 - 1)
        assert (device.get(words) == 2**31 - 1).all() and words.dtype == dtype
    large = np.arange(staging.LARGE_BYTES // 4 + 3)
    np.testing.assert_array_equal(device.get(sent(device, large)), large)


def test_kernels_get_their_arguments(device):
    """Arrays of four types, numbers of both, geometries of few fields and of many."""
    x, y = sent(device, [[1, 2, 3, 4], [5, 6, 7, 8]]), device.zeros((2, 4))
    device.bind(power).power_forward(x, y, 3.0, 0.5, -0.25)
    np.testing.assert_allclose(device.get(y), (0.5 * np.arange(1, 9).reshape(2, 4) - 0.25) ** 3, rtol=1e-6)
    device.bind(shape).copy_rows(x, y, shape.Rows(2, 2, 1, 4, 0, 4))
    np.testing.assert_array_equal(device.get(y)[:, :2], [[2, 3], [6, 7]])
    tops, mask = device.empty((1, 2)), device.empty((1, 2), np.int32)
    device.bind(pooling).max_pool_forward(x, tops, mask, pooling.Pool(1, 2, 4, 1, 2, 2, 2, 2, 2, 0, 0, 0, 0))
    np.testing.assert_array_equal(device.get(tops), [[6, 8]])
    np.testing.assert_array_equal(device.get(mask), [[5, 7]])
    stream = sent(device, np.array([1, 2, 3, 0], np.uint32), np.uint32)
    here, there = CpuDevice(), device
    host = np.ones((5, 9), np.float32)
    a, b = np.empty_like(host), there.empty(host.shape)
    here.bind(random).dropout(host, a, np.array([1, 2, 3, 0], np.uint32), 5, 9, 0.4, 2.0)
    there.bind(random).dropout(sent(there, host), b, stream, 5, 9, 0.4, 2.0)
    np.testing.assert_array_equal(there.get(b), a)


def test_memory_is_given_on_in_the_order_of_the_stream(device):
    k, count = device.bind(memory), 1 << 16
    results = [device.empty((count,)) for _ in range(20)]
    for value, result in enumerate(results):
        passing = device.empty((count,))
        k.fill(passing, value, count)
        device.copy(passing, result)
    for value, result in enumerate(results):
        assert (device.get(result) == value).all()


@pytest.mark.parametrize("count", [100, staging.LARGE_BYTES // 4])  # through a slot, or from where it is
def test_batches_travel_while_the_device_computes(device, count):
    k, batch, host = device.bind(activation), device.empty((count,)), device.host_empty((count,))
    results, feed = [device.empty((count,)) for _ in range(3 * staging.SLOTS)], device.feed()
    for value, result in enumerate(results):
        host[...] = value + 1
        hand_over(feed, host, batch)
        host[...] = -1
        for _ in range(5):
            k.relu_forward(batch, result, 0.0)
    for value, result in enumerate(results):
        assert (device.get(result) == value + 1).all()


def test_a_graph_repeats_what_ran(device):
    """Kernels, a fill, a copy, a product, and convolutions of every engine that is there."""
    rng = np.random.default_rng(2)
    k, add = device.bind(activation), device.bind(memory)
    a, b = (sent(device, rng.standard_normal((16, 16))) for _ in range(2))
    product, kept, sums = device.empty((16, 16)), device.empty((16, 16)), device.empty((16, 16))
    families = [device.convolutions(engine) for engine in ("CAFFE", "DEFAULT")]
    w, bias = sent(device, rng.standard_normal(50 * 20 * 9)), sent(device, rng.standard_normal(50))
    x = sent(device, rng.standard_normal(4 * 20 * 144))
    y, dx = device.empty((4 * 50 * 144,)), device.empty((4 * 20 * 144,))
    gradients = [device.zeros((50 * 20 * 9,)) for _ in families]

    def body() -> None:
        device.fill(sums, 2)
        device.gemm(a, b, product, tb=True)
        device.copy(product, kept)
        k.relu_forward(product, product, 0.5)
        add.subtract_from(product, sums, sums.size)
        for family, dw in zip(families, gradients):
            device.fill(dw, 0)
            family.conv_forward(x, w, bias, bias, y, G)
            family.conv_backward_data(y, w, dx, G)
            family.conv_backward_weights(x, y, dw, G)

    results = [product, kept, sums, y, dx, *gradients]
    body()
    replay = device.capture(body)
    for _ in range(3):
        device.put(rng.standard_normal((16, 16)), a)
        device.put(rng.standard_normal(4 * 20 * 144), x)
        body()
        wanted = [device.get(array) for array in results]
        for array in results:
            device.fill(array, 9)
        replay()
        for array, host in zip(results, wanted):
            np.testing.assert_array_equal(device.get(array), host)
        np.testing.assert_allclose(wanted[1], device.get(a) @ device.get(b).T, atol=1e-4)


def test_a_capture_that_fails_is_over(device):
    x = sent(device, [1.0, -1.0])
    device.bind(activation).relu_forward(x, x, 1.0)

    def body() -> None:
        device.bind(activation).relu_forward(x, x, 1.0)
        device.get(x)

    with pytest.raises(DeviceError, match="while a capture is recording"):
        device.capture(body)
    device.bind(activation).relu_forward(x, x, 0.5)
    np.testing.assert_array_equal(device.get(x), [1, -0.5])


@pytest.mark.parametrize("engine", ["CAFFE", "DEFAULT"])
def test_float32_and_tf32_are_as_accurate_as_they_are_called(device, engine):
    """Relative to the norm.  Own kernels on tensor cores do round for TF32; cuDNN may, and in float32 it may
    take an algorithm of Winograd's."""
    wanted = run(CpuDevice(np.float64, kernels="plain"), G)
    for math, most in (("FP32", 3e-6 if engine == "CAFFE" else 3e-5), ("TF32", 2e-3)):
        other = device.with_math(math)
        own = other.bind(convolution_family)
        other._families[convolution_family] = other.convolutions(engine)
        try:
            errors = [np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in zip(run(other, G), wanted)]
        finally:
            other._families[convolution_family] = own
        assert max(errors) < most, (math, errors)
        if math == "TF32" and engine == "CAFFE" and other.arch >= 80:
            assert min(errors[:3]) > 1e-5, errors  # the sums; masks and the bias gradient do not round so


def test_products_of_every_layout(device):
    rng = np.random.default_rng(4)
    for ta in (False, True):
        for tb in (False, True):
            a, b, c = (rng.standard_normal(s) for s in ((33, 70), (70, 41), (33, 41)))
            out = sent(device, c)
            device.gemm(
                sent(device, a.T if ta else a), sent(device, b.T if tb else b), out, ta=ta, tb=tb, add=True
            )
            np.testing.assert_allclose(device.get(out), c + a @ b, atol=1e-4)


def test_marks_measure(device):
    mark = device.clock()
    first = mark()
    device.fill(device.empty((1 << 20,)), 1)
    assert 0 < device.seconds(first, mark()) < 10


@pytest.mark.gpu
def test_the_libraries_are_there():
    """Else the device `cuda` of other tests is no other than `cuda-own`."""
    device = make_device("cuda", np.float32)
    missing = [name for name, found in (("cuBLAS", device.blas), ("cuDNN", device.dnn)) if found is None]
    if missing:
        pytest.skip(f"not found: {', '.join(missing)}")
    assert device.dnn.version >= 90000
