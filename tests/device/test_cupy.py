"""CuPy as it is installed has what device/ uses of it, under these names; needs no GPU."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from ..support.emulator.cupy import EmulatedCupy

cupy = pytest.importorskip("cupy")

NAMES = [
    *("ndarray", "RawModule", "__version__", "cuda.Stream", "cuda.Event", "cuda.alloc"),
    *("cuda.alloc_pinned_memory", "cuda.get_elapsed_time", "cuda.memory.OutOfMemoryError"),
    *(f"cuda.Stream.{name}" for name in ("begin_capture", "end_capture", "synchronize", "wait_event")),
    *("cuda.Stream.__enter__", "cuda.Stream.__exit__"),
    *(f"cuda.Event.{name}" for name in ("record", "synchronize")),
    *(f"cuda.runtime.{name}" for name in ("getDeviceCount", "getDeviceProperties", "deviceGetAttribute")),
    *(f"cuda.runtime.{name}" for name in ("driverGetVersion", "runtimeGetVersion", "memGetInfo")),
    *(f"cuda.runtime.{name}" for name in ("memcpyAsync", "memsetAsync", "CUDARuntimeError")),
    *("cuda.runtime.setDevice", "cuda.driver.CUDADriverError", "cuda.compiler.CompileException"),
    *(f"cuda.runtime.memcpy{way}" for way in ("HostToDevice", "DeviceToHost", "DeviceToDevice")),
]


@pytest.mark.parametrize("name", NAMES)
def test_name(name):
    """It is there; and the emulation the other tests rely on has it too, but for methods of classes."""
    found = cupy
    for part in name.split("."):
        found = getattr(found, part)
    if name.count(".") < 2 or "runtime" in name:
        emulated = EmulatedCupy()
        for part in name.split("."):
            emulated = getattr(emulated, part)
        if isinstance(found, int):
            assert emulated == found


def test_parameters():
    assert "non_blocking" in inspect.signature(cupy.cuda.Stream.__init__).parameters
    assert "disable_timing" in inspect.signature(cupy.cuda.Event.__init__).parameters
    for parameter in ("str code", "tuple options", "name_expressions"):
        assert parameter in cupy.RawModule.__doc__


def test_a_module_is_made_without_a_gpu():
    cupy.RawModule(code="", options=("--std=c++17",), name_expressions=("f<1>",))


def test_a_geometry_is_an_argument_by_value():
    """CuPy takes arrays of one element so; see kernels/cuda.py."""
    from minicaffe.kernels.cuda import packed

    value = packed((1, 2, 3))
    assert isinstance(value, np.ndarray) and value.size == 1 and value.nbytes == 12
