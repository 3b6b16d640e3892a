"""CudaDevice over the emulated CuPy: memory, copies, launches through the kernel contract, capture."""

import functools

import numpy as np
import pytest

from minicaffe.device import slabs, staging
from minicaffe.device.arena import Arena
from minicaffe.errors import CaptureError, ConfigError, DeviceError, ShapeError
from minicaffe.kernels import activation, gemm, memory
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support import emulator
from ..support.devices import hand_over
from ..support.emulator import EmulatedCuda
from ..support.emulator.array import DeviceArray
from ..support.emulator.module import FORWARD, KernelError

pytestmark = pytest.mark.skipif(not emulator.available(), reason="the CUDA emulator needs Linux and g++")


@pytest.fixture(params=[np.float32, np.float64])
def device(request):
    return EmulatedCuda(request.param)


@pytest.fixture
def lazy():
    """A device that does everything as late as it may."""
    return EmulatedCuda(np.float32, lazy=True)


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
    words = device.empty((3,), np.uint32)
    for value in (0, 9):
        device.fill(words, value)
        assert (device.get(words) == value).all()
    device.put(2.5, part)  # of any shape that fits, and of any type
    assert (device.get(part) == 2.5).all()
    for action in (device.fill, device.put):
        with pytest.raises(DeviceError, match="arrays must be contiguous"):
            action(*[array.reshape(3, 4)[:, 1], 1][:: 1 if action == device.fill else -1])
    with pytest.raises(DeviceError, match=r"cannot copy 4 elements of float.. to 3 of float"):
        device.copy(array[:4], array[4:7])
    nothing = device.empty((0, 3))
    device.fill(nothing, 1)
    device.put(np.zeros((0, 3)), nothing)
    device.copy(nothing, nothing)
    assert device.get(nothing).shape == (0, 3)


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


def test_what_numpy_does_by_itself(device):
    k, words, values = device.bind(memory), device.empty((5,), np.int32), to_device(device, [1, 2, 3, 4, 5])
    device.put(np.arange(5), words)
    k.subtract_from(values, values, 5)
    assert (device.get(values) == 0).all()
    k.convert(words, values, 5)
    np.testing.assert_array_equal(device.get(values), np.arange(5))


def test_memory_runs_out(device):
    device.cupy.memory_bytes = 1 << 20
    with pytest.raises(
        DeviceError, match=r"cannot allocate \d+ bytes for an array of shape \(999, 999\): of"
    ):
        device.empty((999, 999))


def test_arrays_that_kernels_cannot_count(device):
    """They count in int; bytes that others cut up are no array of theirs."""
    device.cupy.memory_bytes = 1 << 40
    wanted = r"shape \(32768, 65536\) has 2147483648 elements; on device 'cuda-emulated' it can be 2147483647"
    with pytest.raises(ShapeError, match=wanted + " at most; hint: make the batch or"):
        device.empty((32768, 65536))
    view = Arena.__new__(Arena)
    view.device = device
    with pytest.raises(ShapeError, match=wanted):
        view.view(0, (32768, 65536), np.float32)
    one, k = device.zeros((1, 1)), device.bind(gemm)
    with pytest.raises(ShapeError, match="Gemm: a count of 2147483648; kernels on a GPU count to 2147483647"):
        k.gemm(one, one, one, gemm.Gemm(1, 1 << 31, 0, 0, 0, 1))
    with pytest.raises(ShapeError, match="add_bias: a count of 4294967296; kernels on a GPU count to"):
        k.add_bias(one, one, 1 << 16, 1 << 16, 0)


def test_a_net_with_more_parameters_than_kernels_can_count():
    device = EmulatedCuda()
    device.cupy.memory_bytes = 1 << 40
    layers = """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 40000 } } }
    layer { name: "y" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 40000 } }
    layer { name: "z" type: "InnerProduct" bottom: "y" top: "z" inner_product_param { num_output: 20000 } }"""
    with pytest.raises(
        ShapeError, match=r"^the parameters of the net.*: shape \(24000600\d\d,\) has 24000600"
    ):
        Net(text.parse(layers, NetParameter), device=device)


def test_the_workspace_grows_and_graphs_keep_what_they_had(device):
    small = device.workspace(100)
    assert device.workspace(50) is small
    large = device.workspace(200)
    assert device.workspace(100) is large and any(small is kept for kept in device._shared["outgrown"])


# -- copies: on a device that executes as late as it may, a wait that is missing shows


@pytest.mark.parametrize("count", [3, staging.LARGE_BYTES // 4])  # through a slot, or from where it is
def test_the_host_may_change_what_it_sent(lazy, count):
    host, feed = np.ones(count, np.float32), lazy.feed()
    for send in (lazy.put, functools.partial(hand_over, feed)):
        arrays = [lazy.empty((count,)) for _ in range(2 * staging.SLOTS)]
        for value, array in enumerate(arrays):
            host[...] = value
            send(host, array)
            host[...] = -1
        for value, array in enumerate(arrays):
            assert (lazy.get(array) == value).all()


@pytest.mark.parametrize("ahead", [False, True])  # the copy stream is as late as it may be, or early
def test_batches_overtake_no_computation(lazy, ahead):
    lazy.copies.lazy = not ahead
    k, batch, results = lazy.bind(activation), lazy.empty((4,)), [lazy.empty((4,)) for _ in range(6)]
    feed = lazy.feed()
    for i, result in enumerate(results):
        hand_over(feed, np.full(4, i + 1), batch)
        k.relu_forward(batch, result, 0.0)
    for i, result in enumerate(results):
        assert (lazy.get(result) == i + 1).all()


@pytest.mark.parametrize("missing", ["emptied", "filled", "event"])
def test_a_missing_wait_is_noticed(lazy, monkeypatch, missing):
    """The two tests above can fail: with one of the waits taken out they do."""

    class Never:
        capture = None

        def __init__(self, *args, **options) -> None:
            pass

        def record(self, stream) -> None:
            pass

        def synchronize(self) -> None:
            pass

        def pending(self):
            return lambda: None

    original = slabs.Slab.__init__

    def broken(slab, *args) -> None:
        original(slab, *args)
        setattr(slab, missing, Never())

    if missing == "event":
        for slot in lazy.staging.slots:
            slot.event = Never()
        check, argument = test_the_host_may_change_what_it_sent, 3
    else:
        monkeypatch.setattr(slabs.Slab, "__init__", broken)
        check, argument = test_batches_overtake_no_computation, missing == "emptied"
    with pytest.raises(AssertionError):
        check(lazy, argument)


def test_arrays_of_the_host_that_travel_fast(device):
    host = device.host_empty((3, 4), np.uint8)
    assert host.shape == (3, 4) and host.dtype == np.uint8 and device.host_empty((0,)).size == 0
    host[...] = 7
    array = device.empty((3, 4), np.uint8)
    device.put(host, array)
    assert (device.get(array) == 7).all()


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
    original = device.cupy.schedules
    monkeypatch.setattr(device.cupy, "schedules", lambda *args: seen.append(original(*args)) or seen[-1])
    x = device.zeros((2000,))
    for _ in range(8):
        device.bind(activation).relu_forward(x, x, 0.5)
    assert all(first.order == FORWARD and first.blocks == 0 for first, _ in seen)
    assert len({other for _, other in seen}) >= 6 and len({other.order for _, other in seen}) == 2
    assert all(0 <= other.blocks <= 8 for _, other in seen)


def test_template_kernels_get_their_whole_grid(device):
    text = """template <int k> __global__ void times(float* x) { x[blockIdx.x] *= k; }"""
    module = device.module(text, ["times<3>"])
    assert module is device.module(text, ["times<3>"])
    x = device.empty((4,), np.float32)
    device.put(np.arange(4), x)
    device.launch(module.get_function("times<3>"), (4,), (1,), (x,))
    np.testing.assert_array_equal(device.get(x), [0, 3, 6, 9])


def test_math_is_a_setting_of_a_view(device):
    other = device.with_math("TF32")
    assert other.math == "TF32" and device.math == "FAST" and device.with_math("fast") is device
    assert device.with_math("FP32").math == "EXACT"  # its old name
    assert other.stream is device.stream and other.bind(gemm) is not device.bind(gemm)
    with pytest.raises(ConfigError, match="math must be one of FAST, EXACT, TF32; got 'FP16'"):
        device.with_math("FP16")


def test_what_the_device_says_of_itself(device):
    told = device.describe()
    assert (told["GPU"], told["Compute capability"], told["Products"]) == ("emulated GPU", "8.0", "FAST")
    assert device.total_memory() == 8 << 30
    mark = device.clock()
    assert device.seconds(mark(), mark()) > 0


# -- capture


def test_capture_records_and_replays(device):
    k, x, y = device.bind(activation), to_device(device, [-1.0, 2.0]), device.zeros((2,))
    total = device.zeros((2,))
    runs = []

    def body() -> None:
        runs.append(1)
        device.fill(total, 1)
        k.relu_forward(x, y, 0.5)
        device.bind(memory).subtract_from(total, y, 2)

    body()
    device.fill(y, 0)
    step = device.capture(body)
    np.testing.assert_array_equal(device.get(y), [0, 0])  # recorded, not run
    step()
    np.testing.assert_array_equal(device.get(y), [1.5, -1])
    device.put([4.0, -4.0], x)
    step()
    np.testing.assert_array_equal(device.get(y), [-3, 3])
    assert runs == [1, 1]


def test_a_capture_uses_what_was_loaded_before(device):
    x = device.zeros((2,))
    with pytest.raises(DeviceError, match="cannot load a kernel while a capture is recording; hint: run the"):
        device.capture(lambda: device.bind(activation).relu_forward(x, x, 0.5))


@pytest.mark.parametrize(
    "action, message",
    [
        (lambda d, x: d.get(x), "cannot copy to the host while a capture is recording"),
        (lambda d, x: d.put([1, 2], x), "cannot copy from the host while"),
        (lambda d, x: d.empty((3,)), "cannot allocate while"),
        (lambda d, x: d.workspace(100), "cannot allocate while"),
        (lambda d, x: hand_over(d.feed(), [1, 2], x), "cannot wait while"),
        (lambda d, x: d.synchronize(), "cannot wait while"),
        (lambda d, x: d.capture(lambda: None), "cannot begin a capture while"),
    ],
)
def test_what_a_capture_refuses(device, action, message):
    x = device.zeros((2,))
    with pytest.raises(CaptureError, match=message):
        device.capture(lambda: action(device, x))
    action(device, x)  # the failed capture is over


def invalidated(device):
    """What a library does that makes a call which cannot be captured."""
    device.stream.invalid = True


def raises(error: Exception):
    raise error


@pytest.mark.parametrize(
    "body, message",
    [
        (invalidated, "cudaErrorStreamCaptureInvalidated"),  # noticed at the end,
        (
            lambda d: (invalidated(d), d.bind(memory).fill(d.x, 2, 2)),
            "CUDA_ERROR_StreamCaptureInv",
        ),  # a launch,
        (lambda d: (invalidated(d), d.fill(d.x, 0)), "cudaErrorStreamCaptureInvalidated"),  # a call of CUDA's
        (lambda d: raises(DeviceError("cublasGemm: EXECUTION_FAILED")), "cublasGemm: EXECUTION_FAILED"),
        (lambda d: d.stream.synchronize(), "cudaErrorStreamCaptureUnsupported"),
    ],
)
def test_a_capture_that_cuda_gives_up(device, body, message):
    """Whichever call brings it to light."""
    device.x = device.zeros((2,))
    device.bind(memory).fill(device.x, 1, 2)
    with pytest.raises(
        CaptureError, match=rf"CUDA gave the capture up: .*{message}.*; hint: some call in it"
    ):
        device.capture(lambda: body(device))
    device.bind(memory).fill(device.x, 3, 2)  # and goes on
    assert (device.get(device.x) == 3).all()


def test_an_error_of_the_bodys_own_is_its_error(device):
    with pytest.raises(ZeroDivisionError):
        device.capture(lambda: 1 // 0)
    assert device.capture(lambda: None)() is None


def test_captured_launches_are_checked_too(device):
    a = device.zeros((2, 2))
    g = gemm.Gemm(2, 2, 3, 0, 0, 0)
    k = device.bind(gemm)
    k.gemm(device.zeros((1, 3)), device.zeros((3, 1)), a, gemm.Gemm(1, 1, 3, 0, 0, 0))
    step = device.capture(lambda: k.gemm(a, a, a, g))
    with pytest.raises(KernelError, match=r"^gemm: .*\[\d\].*: block \(0, 0, 0\), thread .*, at gemm.cu:\d+"):
        step()
