"""What goes wrong with an installation or on the GPU: one line that names the remedy, or a way round it."""

from __future__ import annotations

import sys
from ctypes import CFUNCTYPE
from types import SimpleNamespace

import numpy as np
import pytest

from minicaffe.device import faults, libraries
from minicaffe.device.cuda import CudaDevice
from minicaffe.errors import DeviceError
from minicaffe.kernels import activation, convolution

from ..kernels.test_convolution import CASES, run
from ..support import emulator
from ..support.emulator import EmulatedCuda
from ..support.emulator.cupy import CompileException, CUDADriverError, CUDARuntimeError, EmulatedCupy
from ..support.emulator.libraries import FakeCublas, FakeCudnn

pytestmark = pytest.mark.skipif(not emulator.available(), reason="the CUDA emulator needs Linux and g++")


def raising(error: Exception):
    def call(*args, **kwargs):
        raise error

    return call


# -- faults of CUDA's


@pytest.mark.parametrize(
    "error, message",
    [
        (
            CUDARuntimeError("cudaErrorIllegalAddress: an illegal memory access was encountered\nmore"),
            "GPU 0: cudaErrorIllegalAddress: an illegal memory access was encountered; hint: this process",
        ),
        (
            CUDADriverError("CUDA_ERROR_LAUNCH_FAILED: unspecified"),
            "hint: this process cannot use the GPU any",
        ),
        (CUDARuntimeError("cudaErrorLaunchTimeout: timed out"), "hint: the watchdog of a display"),
        (CUDADriverError("CUDA_ERROR_OUT_OF_MEMORY: out of memory"), "hint: make the batch smaller"),
        (CUDARuntimeError("cudaErrorDevicesUnavailable: busy"), "hint: another process has the GPU"),
        (CUDADriverError("CUDA_ERROR_NO_BINARY_FOR_GPU: none"), "pip install --upgrade 'minicaffe.cuda13.'"),
        (CUDARuntimeError("cudaErrorUnknown: unknown error"), "GPU 0: cudaErrorUnknown: unknown error$"),
    ],
)
def test_a_fault_is_one_line(error, message, monkeypatch):
    """Whichever call it comes out of: one that waits, a launch, a replay."""
    device = EmulatedCuda()
    x = device.zeros((2,))
    kernels = device.bind(activation)
    kernels.relu_forward(x, x, 0.5)
    replay = device.capture(lambda: kernels.relu_forward(x, x, 0.5))
    monkeypatch.setattr(device.stream, "enqueue", raising(error))
    monkeypatch.setattr(device.stream, "synchronize", raising(error))
    for call in (device.synchronize, lambda: device.get(x), lambda: kernels.relu_forward(x, x, 0.5), replay):
        with pytest.raises(DeviceError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "error, message",
    [
        (
            RuntimeError("Failed to find CUDA headers. Please install CUDA toolkit headers (e.g., pip ..."),
            "CuPy finds no CUDA headers, .*; hint: pip install 'minicaffe.cuda13.', or 'minicaffe.cuda12.'",
        ),
        (RuntimeError('Failure finding "libnvrtc.so.13 or libnvrtc.so.12": No such file'), "finds no NVRTC"),
        (
            CompileException("nvrtc: error: invalid value for --gpu-architecture (-arch)\n"),
            r"GPU 0: this NVRTC does not compile for its compute capability, 7.0; hint: pip uninstall cupy",
        ),
        (
            CompileException("k.cu(3): error: x\n1 error"),
            r"a kernel cannot be compiled: k.cu\(3\): error: x$",
        ),
        (CUDADriverError("CUDA_ERROR_INVALID_IMAGE: image"), r"GPU 0: CUDA_ERROR_INVALID_IMAGE: image$"),
    ],
)
def test_kernels_that_cannot_be_compiled(error, message):
    device = EmulatedCuda(arch=70)
    with pytest.raises(DeviceError, match=message) as caught:
        device.load(SimpleNamespace(get_function=raising(error)), "kernel")
    assert "\n" not in str(caught.value)


def test_cuda_13_does_not_compile_for_old_gpus(monkeypatch):
    cupy = EmulatedCupy(70)
    cupy.cuda.runtime.runtimeGetVersion = lambda: 13000
    with pytest.raises(
        DeviceError, match=r"CUDA 13 does not compile for .* 7.0; hint: .*'minicaffe.cuda12.'"
    ):
        CudaDevice(cupy=cupy)
    assert "--upgrade" in faults.unknown_arch("GPU 0", 130, "this NVRTC").hint


# -- optional libraries


def losing(function: str, status: int, library):
    """A library one of whose functions always fails."""
    result, parameters = getattr(type(library), function).prototype
    setattr(library, function, CFUNCTYPE(result, *parameters)(lambda *args: status))
    return library


def test_a_broken_cublas_is_done_without(caplog):
    """Said once; and products are right."""
    device = EmulatedCuda(libraries={"cublas": losing("cublasCreate_v2", 1, FakeCublas())})
    a, out = device.empty((2, 2)), device.empty((2, 2))
    device.put([[1, 2], [3, 4]], a)
    for _ in range(2):
        device.gemm(a, a, out)
    np.testing.assert_array_equal(device.get(out), [[7, 10], [15, 22]])
    wanted = "by the project's own kernels, which are slower: cublasCreate_v2: CUBLAS_STATUS_NOT_INITIALIZED"
    assert caplog.text.count(wanted) == 1


def test_a_missing_cublas_is_said(caplog):
    device = EmulatedCuda(libraries={"cudnn": FakeCudnn()})
    assert device.blas is None and device.blas is None
    assert caplog.text.count("slower: cuBLAS is not found; hint: pip install nvidia-cublas-cu12") == 1
    unwanted = EmulatedCuda()
    assert unwanted.blas is None and unwanted.dnn is None
    assert caplog.text.count("own kernels") == 1


@pytest.mark.parametrize(
    "library, message",
    [
        (losing("cudnnCreate", 1001, FakeCudnn()), "cudnnCreate: "),
        (FakeCudnn(version=100000), "cuDNN 9 is needed; this is cuDNN 10"),
        (losing("cudnnSetTensorNdDescriptor", 1008, FakeCudnn()), "Forward of .*cudnnSetTensor"),
    ],
)
def test_a_broken_cudnn_is_done_without(library, message, caplog):
    """Under DEFAULT, once for all geometries; CUDNN itself is an error that says why."""
    device = EmulatedCuda(libraries={"cudnn": library})
    wanted = run(EmulatedCuda(), CASES["lenet conv2"])
    device._families[convolution] = device.convolutions("DEFAULT")
    for one, other in zip(run(device, CASES["lenet conv2"]), wanted, strict=True):
        np.testing.assert_array_equal(one, other)
    run(device, CASES["stride 2"])
    said = [r.getMessage() for r in caplog.records if "own kernels: " in r.getMessage()]
    assert len(said) == 1
    with pytest.raises(DeviceError, match=message):
        device._families[convolution] = device.convolutions("CUDNN")
        run(device, CASES["stride 2"])


def pathfinder(monkeypatch, answer) -> None:
    """cuda.pathfinder that gives a path, or raises."""

    class DynamicLibNotFoundError(RuntimeError):
        pass

    def load(name):
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(abs_path=answer)

    module = SimpleNamespace(load_nvidia_dynamic_lib=load, DynamicLibNotFoundError=DynamicLibNotFoundError)
    monkeypatch.setitem(sys.modules, "cuda.pathfinder", module)
    monkeypatch.setitem(sys.modules, "cuda", SimpleNamespace(pathfinder=module))


@pytest.fixture
def wheels(monkeypatch):
    """Libraries of wheels: path -> the version of CUDA they are made for, or what loading them raises."""

    def install(found: dict[str, int | Exception]) -> None:
        def load(path):
            if isinstance(found[path], Exception):
                raise found[path]
            return SimpleNamespace(cublasGetCudartVersion=lambda: found[path], path=path)

        monkeypatch.setattr(libraries, "_in_wheels", lambda name: [p for p in found if p != "elsewhere"])
        monkeypatch.setattr(libraries.ctypes, "CDLL", load)

    return install


@pytest.mark.parametrize("error", [RuntimeError("Failed to dlopen\nx"), ChildProcessError("x"), OSError("x")])
def test_a_search_that_fails(error, wheels, monkeypatch):
    """What cuda-pathfinder raises is the reason, unless a wheel does."""
    pathfinder(monkeypatch, error)
    wheels({})
    with pytest.raises(DeviceError, match=r"^cuBLAS cannot be used: (Failed to dlopen|x); hint: pip install"):
        libraries.find("cublas", 13)
    wheels({"here": 13000})
    assert libraries.find("cublas", 13).path == "here"


def test_a_library_for_another_cuda(wheels, monkeypatch):
    """It is passed over; alone it is as good as broken."""
    pathfinder(monkeypatch, "elsewhere")
    wheels({"elsewhere": 12090, "cut": OSError("cut: file too short"), "right": 13000})
    assert libraries.find("cublas", 13).path == "right" and libraries.find("cublas", 12).path == "elsewhere"
    wheels({"elsewhere": 12090, "cut": OSError("cut: file too short")})
    message = (
        "elsewhere is made for CUDA 12, and CuPy for CUDA 13, cut: file too short; hint: pip install nvidia"
    )
    with pytest.raises(DeviceError, match=message):
        libraries.find("cublas", 13)


def test_a_cudnn_whose_parts_cannot_be_loaded(tmp_path, monkeypatch):
    """It would end the process; so they are loaded first."""
    loaded = []

    def load(path):
        loaded.append(path)
        if "cnn" in path.replace("libcudnn.", ""):
            raise OSError("libcudnn_cnn.so.9: cannot open shared object file")
        return SimpleNamespace()

    (tmp_path / "libcudnn_ops.so.9").touch()
    pathfinder(monkeypatch, str(tmp_path / "libcudnn.so.9"))
    monkeypatch.setattr(libraries, "_in_wheels", lambda name: [])
    monkeypatch.setattr(libraries.ctypes, "CDLL", load)
    with pytest.raises(DeviceError, match=r"cuDNN cannot be used: libcudnn_cnn\.so\.9: cannot op.*hint"):
        libraries.find("cudnn", 13)
    assert str(tmp_path / "libcudnn_ops.so.9") in loaded and "libcudnn_graph.so.9" in loaded
