"""cuBLAS by ctypes: against NumPy over a stand-in, and against the library where it is installed."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.device import cublas, libraries
from minicaffe.device.cublas import Cublas
from minicaffe.errors import CaptureError, DeviceError
from minicaffe.kernels import gemm as family

from ..support import emulator
from ..support.emulator.c_library import prototypes, tf32
from ..support.emulator.libraries import FakeCublas
from .headers import enumerators, parameters, wheel

STREAM = 0xABC0
WORKSPACE = 0x1000, 512  # an address that nobody writes to, and bytes
sizes = st.integers(1, 9)
flags = st.booleans()


class Recorder:
    """A stream: executes, or records what a capture would."""

    def __init__(self) -> None:
        self.queued: list | None = None
        self.streams: set[int] = set()

    def __call__(self, stream, action) -> None:
        self.streams.add(stream)
        if self.queued is None:
            action()
        else:
            self.queued.append(action)


def made(library=None) -> Cublas:
    return Cublas(library or FakeCublas(), STREAM, *WORKSPACE)


def operands(m, n, k, ta, tb, dtype, batch=1) -> list[np.ndarray]:
    rng = np.random.default_rng(m + 10 * n + 100 * k)
    shapes = (k, m) if ta else (m, k), (n, k) if tb else (k, n), (m, n)
    return [rng.standard_normal((batch, *shape)).astype(dtype) for shape in shapes]


def wanted(a, b, c, ta, tb, add) -> np.ndarray:
    product = (a.swapaxes(1, 2) if ta else a) @ (b.swapaxes(1, 2) if tb else b)
    return product + c if add else product


def multiply(blas, a, b, c, m, n, k, **options) -> None:
    blas.gemm(a.ctypes.data, b.ctypes.data, c.ctypes.data, m, n, k, dtype=c.dtype, **options)


@given(sizes, sizes, sizes, flags, flags, flags, st.sampled_from([np.float32, np.float64]))
def test_products_are_numpys(m, n, k, ta, tb, add, dtype):
    a, b, c = operands(m, n, k, ta, tb, dtype)
    right = wanted(a, b, c, ta, tb, add)
    if not add:
        c[...] = np.nan  # nothing may be read
    multiply(made(), a, b, c, m, n, k, ta=ta, tb=tb, add=add)
    np.testing.assert_allclose(c, right, rtol=0, atol=1e-5 if dtype == np.float32 else 1e-13)


@given(sizes, sizes, sizes, flags, flags, flags, st.integers(1, 4), st.integers(0, 2), flags)
def test_batches_lie_strides_apart(m, n, k, ta, tb, add, batch, gap, shared):
    """With `shared` all products have one a: the weights of a convolution by 1 x 1."""
    a, b, c = operands(m, n, k, ta, tb, np.float64, batch)
    if shared:
        a = a[:1]
    right = wanted(a, b, c, ta, tb, add)
    spaced = []
    for array in (a, b, c):
        room = np.full((len(array), array[0].size + gap), 7.0)
        room[:, : array[0].size] = array.reshape(len(array), -1)
        spaced.append(room)
    strides = [room.shape[1] for room in spaced]
    if shared:
        strides[0] = 0
    multiply(made(), *spaced, m, n, k, ta=ta, tb=tb, add=add, batch=batch, strides=tuple(strides))
    np.testing.assert_allclose(spaced[2][:, : m * n].reshape(batch, m, n), right, atol=1e-12)
    assert (spaced[2][:, m * n :] == 7).all()


@pytest.mark.parametrize(
    "fault",
    [
        lambda call, args: call(args[0], args[2], args[1], *args[3:]),  # ta and tb exchanged
        lambda call, args: call(*args[:9], args[9] + 1, *args[10:]),  # a row too long
        lambda call, args: call(*args[:15], ctypes.byref(ctypes.c_double(0)), *args[16:]),  # no beta
        lambda call, args: call(*args[:3], args[4], args[3], *args[5:]),  # m and n exchanged
        lambda call, args: call(*args[:18], args[18] + 1, *args[19:]),
    ],
)
def test_a_planted_fault_is_seen(fault):
    blas = made()
    original = blas._call.cublasGemmStridedBatchedEx
    blas._call.cublasGemmStridedBatchedEx = lambda *args: fault(original, args)
    a, b, c = operands(3, 4, 5, True, False, np.float64)
    a, b, c = (np.resize(x, 200) for x in (a, b, c))  # room for what goes astray
    right = wanted(
        a[:15].reshape(1, 5, 3), b[:20].reshape(1, 5, 4), c[:12].reshape(1, 3, 4), True, False, True
    )
    try:
        multiply(blas, a, b, c, 3, 4, 5, ta=True, add=True)
    except DeviceError:
        return
    assert not np.allclose(c[:12].reshape(1, 3, 4), right)


def test_tf32_rounds_factors_of_float32_alone():
    for dtype in (np.float32, np.float64):
        a, b, c = operands(4, 3, 5, False, False, dtype)
        multiply(made(), a, b, c, 4, 3, 5, tf32=True)
        rounded = tf32(a) @ tf32(b) if dtype == np.float32 else a @ b
        np.testing.assert_allclose(c, rounded, atol=1e-6 if dtype == np.float32 else 1e-13)
        assert np.allclose(c, a @ b, atol=1e-7) == (dtype == np.float64)


@pytest.mark.parametrize("m, n, k, batch", [(0, 3, 3, 1), (3, 0, 3, 1), (3, 3, 0, 1), (3, 3, 3, 0)])
def test_nothing_to_compute_is_no_call(m, n, k, batch):
    fake = FakeCublas()
    made(fake).gemm(1, 2, 3, m, n, k, add=True, batch=batch)
    assert fake.products == 0


def test_a_product_of_no_terms_is_for_the_caller():
    with pytest.raises(ValueError, match="a product of no terms: fill c with 0 instead"):
        made().gemm(1, 2, 3, 4, 5, 0)


def test_a_graph_holds_the_scalars_of_its_calls():
    """Recorded calls run later, on the stream that was given, with the numbers they were made with."""
    stream = Recorder()
    blas = made(FakeCublas(stream))
    stream.queued = []
    a, b, c = operands(2, 3, 4, False, False, np.float32)
    right = c + 2 * (a @ b)
    multiply(blas, a, b, c, 2, 3, 4, add=True)
    multiply(blas, a, b, c, 2, 3, 4, add=True)
    for action in stream.queued:
        action()
    np.testing.assert_allclose(c, right, rtol=1e-5, atol=1e-5)
    assert stream.streams == {STREAM}


def test_refusals_name_the_status():
    blas = made()
    a, b, c = operands(2, 2, 2, False, False, np.float32)
    with pytest.raises(DeviceError, match=r"^cublasGemmStridedBatchedEx: CUBLAS_STATUS_INVALID_VALUE$"):
        multiply(blas, a, b, c, 2, 2, 2, batch=2)  # the products would lie on one another
    with pytest.raises(DeviceError, match=r"^cublasSetWorkspace_v2: CUBLAS_STATUS_INVALID_VALUE$"):
        Cublas(FakeCublas(), STREAM, 0x1001, 512)
    assert cublas._describe(99) == "CUBLAS_STATUS_99"


def test_close_gives_the_handle_back():
    fake = FakeCublas()
    blas = made(fake)
    blas.close()
    blas.close()
    assert fake.streams == {}
    a, b, c = operands(2, 2, 2, False, False, np.float32)
    with pytest.raises(DeviceError, match="CUBLAS_STATUS_NOT_INITIALIZED"):
        multiply(blas, a, b, c, 2, 2, 2)


# -- the kernel of the family


def device(blas, math="FP32") -> SimpleNamespace:
    return SimpleNamespace(
        blas=blas,
        math=math,
        dtype=np.dtype(np.float32),
        checked=lambda array: SimpleNamespace(data=SimpleNamespace(ptr=array.ctypes.data)),
    )


def test_without_the_library_the_plain_kernel_serves():
    assert family.by_cublas(device(None)) is None


@given(sizes, sizes, st.integers(1, 9), flags, flags, flags, st.sampled_from(["FP32", "TF32"]))
def test_the_familys_product(m, n, k, ta, tb, add, math):
    a, b, c = operands(m, n, k, ta, tb, np.float32)
    rounded = (tf32(a), tf32(b)) if math == "TF32" else (a, b)
    right = wanted(*rounded, c, ta, tb, add)
    family.gemm.cuda(device(made(), math))(a, b, c, family.Gemm(m, n, k, ta, tb, add))
    np.testing.assert_allclose(c, right, atol=1e-5)


@pytest.fixture(params=[False, True], ids=["prompt", "lazy"])
def emulated(request):
    if not emulator.available():
        pytest.skip("the CUDA emulator needs Linux and g++")
    fake = FakeCublas(lambda stream, action: device.cupy.streams[stream].enqueue(action))
    device = emulator.EmulatedCuda(np.float32, lazy=request.param, libraries={"cublas": fake})
    device.fake = fake
    return device


def test_the_devices_product(emulated):
    """Through Device.gemm, eager and captured; a product of no terms clears."""
    a, b, c = operands(3, 4, 5, True, False, np.float32)
    placed = [emulated.empty(array.shape[1:]) for array in (a, b, c)]
    for host, array in zip((a, b, c), placed):
        emulated.put(host[0], array)

    def body():
        emulated.gemm(*placed, ta=True, add=True)

    body()
    replay = emulated.capture(body)
    replay()
    replay()
    np.testing.assert_allclose(emulated.get(placed[2]), (c + 3 * (a.swapaxes(1, 2) @ b))[0], atol=1e-5)
    assert emulated.fake.products == 2
    emulated.gemm(emulated.empty((3, 0)), emulated.empty((0, 4)), placed[2])
    assert not emulated.get(placed[2]).any() and emulated.fake.products == 2


def test_a_product_that_ends_a_capture(emulated):
    """Its status is the first to say that CUDA has given the capture up."""
    a, b = emulated.zeros((2, 2)), emulated.zeros((2, 2))

    def body():
        emulated.stream.invalid = emulated.stream.recording is not None
        emulated.gemm(a, a, b)

    body()
    with pytest.raises(
        CaptureError, match="gave the capture up: cublasGemmStridedBatchedEx: CUBLAS_STATUS_INT"
    ):
        emulated.capture(body)
    body()


# -- finding the library


def test_a_missing_library_says_what_to_install(monkeypatch):
    monkeypatch.setattr(libraries, "find", lambda name: None)
    with pytest.raises(DeviceError, match="cuBLAS is not found; hint: pip install nvidia-cublas-cu12, or "):
        libraries.require("cublas")
    with pytest.raises(DeviceError, match="cuDNN is not found; hint: pip install 'nvidia-cudnn-cu12>=9,<10'"):
        libraries.require("cudnn")


def test_a_library_that_lacks_a_function_is_refused():
    with pytest.raises(DeviceError, match="cuBLAS has no function cublasCreate_v2; hint: pip install"):
        Cublas(SimpleNamespace(), STREAM, 0x1000, 512)


@pytest.mark.parametrize("found", ["no pathfinder", "not found", "found"])
def test_find(found, monkeypatch):
    class DynamicLibNotFoundError(RuntimeError):
        pass

    def load(name):
        if found == "not found":
            raise DynamicLibNotFoundError(name)
        return SimpleNamespace(abs_path="here")

    pathfinder = SimpleNamespace(
        load_nvidia_dynamic_lib=load, DynamicLibNotFoundError=DynamicLibNotFoundError
    )
    monkeypatch.setitem(sys.modules, "cuda.pathfinder", None if found == "no pathfinder" else pathfinder)
    monkeypatch.setitem(sys.modules, "cuda", SimpleNamespace(pathfinder=pathfinder))
    monkeypatch.setattr(libraries, "_in_wheels", lambda name: [])
    monkeypatch.setattr(libraries.ctypes, "CDLL", lambda path: path)
    assert libraries.find("cublas") == ("here" if found == "found" else None)


@pytest.mark.parametrize("unknown", [ValueError, KeyError, "not found"])
def test_a_pathfinder_that_does_not_know_cudnn(unknown, monkeypatch, tmp_path):
    """CuPy is content with 1.3.4; cuDNN came later."""

    class DynamicLibNotFoundError(RuntimeError):
        pass

    loaded = []

    def load(name):
        if name == "cudnn":
            raise DynamicLibNotFoundError(name) if unknown == "not found" else unknown(name)
        loaded.append(name)
        return SimpleNamespace(abs_path=None)

    pathfinder = SimpleNamespace(
        load_nvidia_dynamic_lib=load, DynamicLibNotFoundError=DynamicLibNotFoundError
    )
    monkeypatch.setitem(sys.modules, "cuda.pathfinder", pathfinder)
    monkeypatch.setitem(sys.modules, "cuda", SimpleNamespace(pathfinder=pathfinder))
    wheels = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(libraries.importlib.util, "find_spec", lambda name: wheels)
    monkeypatch.setattr(libraries.ctypes, "CDLL", lambda path: path)
    assert libraries.find("cudnn") is None and not loaded
    file = tmp_path / "cudnn" / "lib" / "libcudnn.so.9"
    file.parent.mkdir(parents=True)
    file.touch()
    (file.parent / "libcudnn_ops.so.9").touch()
    assert libraries.find("cudnn") == str(file) and loaded == ["cublas"]


# -- the stand-in and the declarations against the real thing


def test_both_accounts_of_the_functions_agree():
    assert prototypes(FakeCublas) == cublas.PROTOTYPES


def test_the_header_agrees():
    text = wheel("cublas", "include/cublas_api.h")
    for name, types in cublas.PROTOTYPES.items():
        assert parameters(text, name) == types, name
    values = enumerators(text)
    for code, name in cublas.STATUS.items():
        assert values[f"CUBLAS_STATUS_{name}"] == code
    assert values["CUBLAS_GEMM_DEFAULT"] == cublas.DEFAULT_ALGORITHM
    assert values["CUBLAS_POINTER_MODE_HOST"] == cublas.HOST_SCALARS
    assert values["CUBLAS_COMPUTE_32F"] == cublas.TYPES[np.dtype(np.float32)][1]
    assert values["CUBLAS_COMPUTE_64F"] == cublas.TYPES[np.dtype(np.float64)][1]
    assert values["CUBLAS_COMPUTE_32F_FAST_TF32"] == cublas.TF32
    assert (values["CUBLAS_OP_N"], values["CUBLAS_OP_T"]) == (0, 1)


def test_the_library_has_every_function():
    library = libraries.find("cublas")
    if library is None:
        pytest.skip("cuBLAS is not installed")
    libraries.functions("cublas", library, cublas.PROTOTYPES, cublas._describe)
