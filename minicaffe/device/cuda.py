"""NVIDIA GPUs: CuPy's arrays, CUDA C kernels, one stream, graphs."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from ..errors import CaptureError, ConfigError, DeviceError
from ..kernels import convolution, cuda, memory
from ..kernels.registry import KernelSpec, family, unless_empty
from . import libraries
from .base import MATH, SLACK, Device
from .cublas import Cublas
from .cudnn import Convolutions, Cudnn
from .gpu_properties import ATTRIBUTES
from .gpus import check_number, count_gpus, import_cupy
from .staging import LARGE_BYTES, Lane, Staging, pinned

WORKSPACE_BYTES = {9: 32 << 20}  # that cuBLAS recommends, by the major compute capability
DEFAULT_WORKSPACE_BYTES = 4 << 20
MAX_LANES = 16  # arrays that batches are staged into, of all nets


class CudaDevice(Device):
    """A GPU.

    number    which one, as nvidia-smi counts those that CUDA may see
    math      "FP32": products and convolutions are as accurate as float32 is.  "TF32": on tensor cores, from
              compute capability 8.0 on, factors are rounded to 10 bits of mantissa
    libraries False: cuBLAS and cuDNN are left alone, all is done by the project's own kernels
    cupy      what stands for CuPy; tests have an emulation
    asked     what wants the GPU (--gpu 0), for errors

    Kernels and copies are queued in order on one stream, and nothing waits for them but `get`.  Batches
    travel on a second stream (`stage`).  Arrays are CuPy's.

    Raises DeviceError where there is no CuPy, no driver, a driver that is too old, no GPU, or not this one.
    """

    name = "cuda"
    synchronous = False
    transforms = True

    def __init__(
        self,
        dtype=np.float32,
        *,
        number: int = 0,
        math: str = "FP32",
        libraries: bool = True,
        cupy: Any = None,
        asked: str = "",
    ) -> None:
        super().__init__(dtype)
        asked = asked or f"GPU {number}"
        self.cupy = cupy = cupy or import_cupy(asked)
        self.runtime = cupy.cuda.runtime
        check_number(number, count_gpus(cupy, asked), asked)
        cupy.cuda.Device(number).use()
        self.number = number
        major, minor, self.multiprocessors = (
            self.runtime.deviceGetAttribute(ATTRIBUTES[name], number)
            for name in ("major", "minor", "multiprocessors")
        )
        self.arch = 10 * major + minor
        self.stream = cupy.cuda.Stream(non_blocking=True)
        self.copies = cupy.cuda.Stream(non_blocking=True)
        self.staging = Staging(cupy)
        self.math = _checked(math)
        self._libraries = libraries
        self._by_cudnn: dict[str, Convolutions] = {}  # by engine
        self._shared: dict[str, Any] = {"modules": {}, "lanes": {}, "outgrown": [], "recording": False}

    def describe(self):
        told = self.runtime.getDeviceProperties(self.number)
        driver = self.runtime.driverGetVersion()
        return {
            "Number": str(self.number),
            "GPU": told["name"].decode("utf-8", "replace"),
            "Compute capability": f"{self.arch // 10}.{self.arch % 10}",
            "Memory": f"{told['totalGlobalMem'] / 2**30:.1f} GiB",
            "Multiprocessors": str(self.multiprocessors),
            "Driver's CUDA": f"{driver // 1000}.{driver % 1000 // 10}",
            "CuPy": self.cupy.__version__,
            "Products": self.math,
        }

    def flags(self):
        return f"--gpu {self.number}" + (f" --math {self.math}" if self.math != MATH[0] else "")

    def with_math(self, math):
        """The same device, whose products and convolutions have another accuracy."""
        if math == self.math:
            return self
        other = copy.copy(self)
        other.math, other._families, other._by_cudnn = _checked(math), {}, {}
        return other

    # -- kernels

    def bind_family(self, module: ModuleType) -> SimpleNamespace:
        compiled = self.module(self.source(module))
        return SimpleNamespace(
            **{name: self._callable(spec, compiled) for name, spec in family(module).items()}
        )

    def source(self, module: ModuleType) -> str:
        """The CUDA text of a family."""
        return cuda.source(module, self.dtype)

    def module(self, text: str, names: Sequence[str] = ()) -> Any:
        """CUDA C++ compiled for this GPU; `names` are the template instances wanted.  Compiled code is kept:
        here for the process, by CuPy on the disk."""
        modules, key = self._shared["modules"], (text, tuple(names))
        if key not in modules:
            modules[key] = self.cupy.RawModule(
                code=text, options=("--std=c++17",), name_expressions=tuple(names) or None
            )
        return modules[key]

    def _callable(self, spec: KernelSpec, compiled: Any) -> Callable:
        composite, own = spec.cuda(self) if spec.cuda else None, self._launcher(spec, compiled)
        return unless_empty(spec, composite, own) if composite else own

    def _launcher(self, spec: KernelSpec, compiled: Any) -> Callable:
        prepare = cuda.Launch(spec, self.dtype, self.checked)
        function: Any = None

        def launch(*args) -> None:
            nonlocal function
            blocks, values = prepare(*args)
            if blocks:
                if function is None:  # only now: CuPy compiles, and loads every kernel by itself
                    self.refuse_while_recording("load a kernel", "run the body once before it is captured")
                    function = compiled.get_function(spec.name)
                self.launch(function, (blocks,), (cuda.BLOCK,), values)

        launch.__name__ = spec.name
        launch.__doc__ = spec.python.__doc__
        return launch

    def launch(self, function: Any, grid, block, args: Sequence, shared_bytes: int = 0) -> None:
        """Queue a kernel.  Arguments: arrays of the device, NumPy scalars, geometries (cuda.packed)."""
        function(tuple(grid), tuple(block), tuple(args), shared_mem=shared_bytes, stream=self.stream)

    def checked(self, array: Any) -> Any:
        """The array, if a kernel can take it by its address."""
        if not isinstance(array, self.cupy.ndarray):
            raise DeviceError(
                f"a kernel on the device got {type(array).__name__}, not an array of the device"
            )
        if not array.flags.c_contiguous:
            raise DeviceError(f"a kernel's arrays must be contiguous; got strides {array.strides}")
        return array

    def convolutions(self, engine):
        """CUDNN is cuDNN's, CAFFE our own; DEFAULT, as in Caffe, cuDNN's where that is installed, but for the
        geometries that it refuses.

        Raises DeviceError for CUDNN without cuDNN.
        """
        wanted = engine == "CUDNN" or (engine == "DEFAULT" and self.dtype == np.float32)
        if not wanted or (engine == "DEFAULT" and self.dnn is None):
            return self.bind(convolution)
        if self.dnn is None:
            raise DeviceError(
                "engine: CUDNN needs cuDNN, which is not found",
                hint=f"{libraries.install('cudnn')}; or set engine: CAFFE, the project's own kernels",
            )
        if engine not in self._by_cudnn:
            otherwise = self.bind(convolution) if engine == "DEFAULT" else None
            self._by_cudnn[engine] = Convolutions(self.dnn, self, otherwise=otherwise)
        return self._by_cudnn[engine]

    # -- libraries

    @property
    def blas(self) -> Cublas | None:
        """cuBLAS, None where it is not installed or not wanted."""
        if "blas" not in self._shared:
            self._shared["blas"] = self._open("cublas", self._open_cublas)
        return self._shared["blas"]

    @property
    def dnn(self) -> Cudnn | None:
        """cuDNN, None where it is not installed or not wanted."""
        if "dnn" not in self._shared:
            self._shared["dnn"] = self._open("cudnn", lambda found: Cudnn(found, self.stream.ptr))
        return self._shared["dnn"]

    def _open(self, name: str, opened: Callable) -> Any:
        library = self.find_library(name) if self._libraries else None
        return opened(library) if library is not None else None

    def find_library(self, name: str) -> Any:
        return libraries.find(name)

    def _open_cublas(self, library: Any) -> Cublas:
        nbytes = WORKSPACE_BYTES.get(self.arch // 10, DEFAULT_WORKSPACE_BYTES)
        block = self._shared["cublas workspace"] = self.empty((nbytes,), np.uint8)
        return Cublas(library, self.stream.ptr, block.data.ptr, nbytes)

    # -- memory

    def empty(self, shape, dtype=None):
        self.refuse_while_recording("allocate", "run the body once before it is captured")
        dtype = np.dtype(dtype or self.dtype)
        nbytes = math.prod(shape) * dtype.itemsize
        try:
            with self.stream:  # freed memory is given on at once, but only under the same stream
                block = self.cupy.cuda.alloc(nbytes + SLACK)
        except self.cupy.cuda.memory.OutOfMemoryError:
            free, total = self.runtime.memGetInfo()
            raise DeviceError(
                f"cannot allocate {nbytes} bytes for an array of shape {tuple(shape)}: of the GPU's {total}"
                f" bytes {free} are free"
            ) from None
        return self.cupy.ndarray(tuple(shape), dtype, block)

    def total_memory(self):
        return self.runtime.memGetInfo()[1]

    def workspace(self, nbytes):
        before = self._shared.get("workspace")
        if before is None or before.size < nbytes:
            self._shared["outgrown"].append(before)  # graphs that were captured go on using it
            self._shared["workspace"] = self.empty((nbytes,), np.uint8)
        return self._shared["workspace"]

    def host_empty(self, shape, dtype=None):
        dtype = np.dtype(dtype or self.dtype)
        return pinned(self.cupy, math.prod(shape) * dtype.itemsize).view(dtype).reshape(shape)

    def fill(self, array, value) -> None:
        array = self.checked(array)
        if not array.nbytes:
            return
        if value == 0:
            self.runtime.memsetAsync(array.data.ptr, 0, array.nbytes, self.stream.ptr)
        elif array.dtype == self.dtype:
            self.bind(memory).fill(array, value, array.size)
        else:
            self.bind(memory).fill_words(array.view(np.int32), int(value), array.size)

    def put(self, host, out) -> None:
        self.refuse_while_recording("copy from the host", "stage inputs before the captured part")
        out = self.checked(out)
        if not out.nbytes:
            return
        if out.nbytes < LARGE_BYTES:
            self.staging.send(host, out, self.stream)
            return
        converted = np.empty(out.shape, out.dtype)
        np.copyto(converted, host, casting="unsafe")
        self.staging.copy(converted, out.data.ptr, self.stream)
        self.stream.synchronize()

    def stage(self, host, out) -> None:
        self.refuse_while_recording("copy from the host", "stage inputs before the captured part")
        out, lanes = self.checked(out), self._shared["lanes"]
        if not out.nbytes:
            return
        key = out.data.ptr, out.nbytes
        if key not in lanes:
            self.synchronize()  # the memory of new buffers may still be read by what was queued before
            if len(lanes) == MAX_LANES:  # arrays come and go with the shapes of batches
                lanes.clear()
            lanes[key] = Lane(self, out.nbytes)
        lanes[key].carry(self, np.asarray(host), out)

    def get(self, array):
        self.refuse_while_recording("copy to the host", "read results after the captured part")
        array = self.checked(array)
        host = np.empty(array.shape, array.dtype)
        if array.nbytes:
            kind = self.runtime.memcpyDeviceToHost
            self.runtime.memcpyAsync(host.ctypes.data, array.data.ptr, array.nbytes, kind, self.stream.ptr)
        self.stream.synchronize()
        return host

    def copy(self, source, out) -> None:
        source, out = self.checked(source), self.checked(out)
        if source.dtype != out.dtype or source.size != out.size:
            raise DeviceError(
                f"cannot copy {source.size} elements of {source.dtype} to {out.size} of {out.dtype}"
            )
        if out.nbytes:
            self.move(source.data.ptr, out.data.ptr, out.nbytes)

    def move(self, source: int, to: int, nbytes: int) -> None:
        """Queue a copy between two addresses of the device."""
        self.runtime.memcpyAsync(to, source, nbytes, self.runtime.memcpyDeviceToDevice, self.stream.ptr)

    # -- execution

    def capture(self, body):
        """Record the launches of `body` as a CUDA graph, executing none; the result launches the graph."""
        self.refuse_while_recording("begin a capture", "capture the parts one after another")
        self.stream.begin_capture()
        self._shared["recording"] = True
        try:
            body()
        except BaseException:
            self._abandon_capture()
            raise
        finally:
            self._shared["recording"] = False
        try:
            graph = self.stream.end_capture()
        except self.runtime.CUDARuntimeError as error:
            raise CaptureError(
                f"CUDA gave the capture up: {error}",
                hint="some call in it cannot be captured; CudaDevice(libraries=False) makes none of NVIDIA's",
            ) from None
        return lambda: graph.launch(self.stream)

    def _abandon_capture(self) -> None:
        try:
            self.stream.end_capture()
        except self.runtime.CUDARuntimeError:  # the error that is on its way says more
            pass

    def refuse_while_recording(self, what: str, hint: str) -> None:
        """DeviceError in a capture: it would be done once, now, and not whenever the graph runs."""
        if self._shared["recording"]:
            raise DeviceError(f"cannot {what} while a capture is recording", hint=hint)

    def synchronize(self) -> None:
        self.refuse_while_recording("wait", "wait after the captured part")
        self.stream.synchronize()

    def clock(self):
        def mark():
            event = self.cupy.cuda.Event()
            event.record(self.stream)
            return event

        return mark

    def seconds(self, earlier, later):
        later.synchronize()
        return self.cupy.cuda.get_elapsed_time(earlier, later) / 1e3


def _checked(math: str) -> str:
    if math not in MATH:
        raise ConfigError(f"math must be one of {', '.join(MATH)}; got {math!r}")
    return math
