"""EmulatedCuda: device memory, launches through the kernel contract, capture."""

import numpy as np
import pytest

from minicaffe.errors import DeviceError
from minicaffe.kernels import activation, gemm

from ..support.emulator import EmulatedCuda
from ..support.emulator.array import DeviceArray
from ..support.emulator.module import FORWARD, KernelError


@pytest.fixture(params=[np.float32, np.float64])
def device(request):
    return EmulatedCuda(request.param)


def to_device(device, values) -> DeviceArray:
    array = device.empty(np.shape(values))
    device.put(values, array)
    return array


# -- memory


def test_new_memory_is_nan_and_aligned(device):
    array = device.empty((3, 5))
    assert array.shape == (3, 5) and array.dtype == device.dtype and array.size == 15
    assert np.isnan(device.get(array)).all()
    assert array.memory.ctypes.data % 256 == 0
    assert (device.get(device.empty((4,), np.int32)) == -1).all()
    assert device.empty((0, 3)).size == 0


def test_copies_fills_and_views(device):
    array = to_device(device, np.arange(12))
    part = array.reshape(3, 4)[1:]
    device.fill(part[0], 7)
    device.copy(array[:4], part[1])
    np.testing.assert_array_equal(device.get(array), [0, 1, 2, 3, 7, 7, 7, 7, 0, 1, 2, 3])
    part[1] = 5
    np.testing.assert_array_equal(device.get(part[1]), [5] * 4)


def test_the_host_cannot_touch_device_memory_by_accident(device):
    array = to_device(device, [1, 2])
    for accident in (
        lambda: np.asarray(array),
        lambda: array + np.zeros(2),
        lambda: bool(array),
        lambda: float(array),
        lambda: [0, 0][array],
        lambda: np.testing.assert_array_equal(array, [1, 2]),
    ):
        with pytest.raises(TypeError):
            accident()
    with pytest.raises(DeviceError, match=r"reads values; hint: .* device.get"):
        array[[0, 1]]
    with pytest.raises(ValueError):  # a copy
        to_device(device, np.zeros((2, 3)))[:, :2].reshape(-1)


def test_numpy_functions_run_on_the_device(device):
    x, y = to_device(device, [1.0, 4.0]), device.zeros((2,))
    assert device.xp.multiply(x, 3, out=y) is y
    y += x
    np.testing.assert_array_equal(device.get(y), [4, 16])
    assert isinstance(np.sqrt(x), DeviceArray)
    total = device.zeros(())
    np.sum(x, out=total)
    assert device.get(total) == 5


# -- kernels


def test_gemm(device):
    rng = np.random.default_rng(4)
    a, b, c = rng.standard_normal((5, 20)), rng.standard_normal((7, 20)), rng.standard_normal((5, 7))
    out = to_device(device, c)
    device.gemm(to_device(device, a), to_device(device, b), out, tb=True, add=True)
    np.testing.assert_allclose(device.get(out), c + a @ b.T, rtol=1e-4)


def test_arguments_are_arrays_of_the_device_with_the_declared_type(device):
    k, x = device.bind(activation), device.zeros((4,))
    with pytest.raises(DeviceError, match="got ndarray, not an array of the device"):
        k.relu_forward(np.zeros(4, device.dtype), x, 0.0)
    other = np.float32 if device.dtype == np.float64 else np.float64
    with pytest.raises(TypeError, match=r"relu_forward: y must be .*; got"):
        k.relu_forward(x, device.zeros((4,), other), 0.0)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'slope'"):
        k.relu_forward(x, x)
    with pytest.raises(DeviceError, match="must be contiguous"):
        k.relu_forward(device.zeros((4, 2))[:, 0], x, 0.0)


def test_nothing_to_do_is_no_launch(device):
    device.bind(activation).relu_forward(device.empty((0,)), device.empty((0,)), 0.0)


def test_every_launch_runs_forward_and_in_another_order(device, monkeypatch):
    seen = []
    original = device._schedules
    monkeypatch.setattr(device, "_schedules", lambda blocks: seen.append(original(blocks)) or seen[-1])
    x = device.zeros((2000,))
    for _ in range(8):
        device.bind(activation).relu_forward(x, x, 0.5)
    assert all(first.order == FORWARD and first.blocks == 0 for first, _ in seen)
    assert len({other for _, other in seen}) >= 6 and len({other.order for _, other in seen}) == 2
    assert all(0 <= other.blocks <= 8 for _, other in seen)


# -- capture


def test_capture_records_and_replays(device):
    k, x, y = device.bind(activation), to_device(device, [-1.0, 2.0]), device.zeros((2,))
    total = device.zeros((2,))
    runs = []

    def body() -> None:
        runs.append(1)
        device.fill(total, 1)
        k.relu_forward(x, y, 0.5)
        np.add(total, y, out=total)
        device.copy(total, y)

    step = device.capture(body)
    np.testing.assert_array_equal(device.get(y), [0, 0])  # recorded, not run
    step()
    np.testing.assert_array_equal(device.get(y), [0.5, 3])
    device.put([4.0, -4.0], x)
    step()
    np.testing.assert_array_equal(device.get(y), [5, -1])
    assert runs == [1]


@pytest.mark.parametrize(
    "action, message",
    [
        (lambda d, x: d.get(x), "cannot copy to the host while a capture is recording"),
        (lambda d, x: d.put([1, 2], x), "cannot copy from the host while"),
        (lambda d, x: d.empty((3,)), "cannot allocate while"),
        (lambda d, x: d.workspace(100), "cannot allocate while"),
        (lambda d, x: x + x, "cannot allocate the result of an array operation while .* give out="),
        (lambda d, x: d.capture(lambda: None), "cannot begin a capture while"),
    ],
)
def test_what_a_capture_refuses(device, action, message):
    x = device.zeros((2,))
    with pytest.raises(DeviceError, match=message):
        device.capture(lambda: action(device, x))
    action(device, x)  # the failed capture is over


def test_captured_launches_are_checked_too(device):
    a = device.zeros((2, 2))
    g = gemm.Gemm(2, 2, 3, 0, 0, 0)
    step = device.capture(lambda: device.bind(gemm).gemm(a, a, a, g))
    with pytest.raises(KernelError, match=r"^gemm: .*\[\d\].*: block \(0, 0, 0\), thread .*, at gemm.cu:\d+"):
        step()
