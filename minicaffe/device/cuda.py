"""NVIDIA GPUs: CUDA C kernels, libraries and graphs, on the arrays and the stream of gpu_memory.py."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from .. import log
from ..errors import CaptureError, DeviceError, MiniCaffeError
from ..kernels import convolution, cuda, siblings
from ..kernels.registry import KernelSpec, family, unless_empty
from . import faults, libraries
from .base import MATH, known_math
from .branching import MOST, SideBySide
from .cublas import Cublas
from .cudnn import Convolutions, Cudnn
from .gpu_memory import GpuMemory, on_gpu
from .gpu_properties import ATTRIBUTES

WORKSPACE_BYTES = {9: 32 << 20}  # that cuBLAS recommends, by the major compute capability
DEFAULT_WORKSPACE_BYTES = 4 << 20


class CudaDevice(GpuMemory):
    """A GPU.

    number    which one, as nvidia-smi counts those that CUDA may see
    math      see Device.with_math; EXACT and FAST are the same here
    libraries False: cuBLAS and cuDNN are left alone, all is done by the project's own kernels
    cupy      what stands for CuPy; tests have an emulation
    asked     what wants the GPU (--gpu 0), for errors

    Kernels and copies are queued in order on one stream, and nothing waits for them but `get`.  Batches
    travel on a second stream (`stage`).  Arrays are CuPy's.

    A process may have several, of one GPU or of more.  Any thread may use one, but not two at the same time;
    every call makes the device's GPU the current one of its thread and leaves it so.

    Raises DeviceError where there is no CuPy, no driver, a driver that is too old, no GPU, or not this one;
    from then on, for whatever CUDA reports.
    """

    name = "cuda"
    synchronous = False
    transforms = True
    max_elements = cuda.INT_MAX
    most_branches = MOST

    def __init__(
        self,
        dtype=np.float32,
        *,
        number: int = 0,
        math: str = MATH[0],
        libraries: bool = True,
        cupy: Any = None,
        asked: str = "",
    ) -> None:
        super().__init__(dtype, number, cupy, asked)
        self.math = known_math(math)
        self._libraries = libraries
        self._by_cudnn: dict[str, Convolutions] = {}  # by engine
        self._shared["modules"] = {}
        self._find_out()

    @on_gpu
    def _find_out(self) -> None:
        major, minor, self.multiprocessors = (
            self.runtime.deviceGetAttribute(ATTRIBUTES[name], self.number)
            for name in ("major", "minor", "multiprocessors")
        )
        self.arch = 10 * major + minor
        self.cuda_major = self.runtime.runtimeGetVersion() // 1000
        if self.arch < faults.OLDEST_ARCH.get(self.cuda_major, 0):
            raise faults.unknown_arch(self.asked, self.arch, f"CUDA {self.cuda_major}")

    @on_gpu
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
        return f"--gpu {self.number} {super().flags()}".strip()

    def with_math(self, math):
        """The same device, whose products and convolutions have another accuracy."""
        math = known_math(math)
        if math == self.math:
            return self
        other = copy.copy(self)
        other.math, other._families, other._by_cudnn = math, {}, {}
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

    @on_gpu
    def load(self, compiled: Any, name: str) -> Any:
        """A kernel of a module: compiled, if need be, and on the GPU."""
        self.refuse_while_recording("load a kernel", "run the body once before it is captured")
        try:
            return compiled.get_function(name)
        except (MiniCaffeError, *self.cuda_errors):
            raise
        except (self.cupy.cuda.compiler.CompileException, RuntimeError, ImportError, OSError) as error:
            raise faults.not_compiled(error, self.asked, self.arch) from None

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
                    function = self.load(compiled, spec.name)
                self.launch(function, (blocks,), (cuda.BLOCK,), values)

        launch.__name__ = spec.name
        launch.__doc__ = spec.python.__doc__
        return launch

    @on_gpu
    def launch(self, function: Any, grid, block, args: Sequence, shared_bytes: int = 0) -> None:
        """Queue a kernel.  Arguments: arrays of the device, NumPy scalars, geometries (cuda.packed)."""
        function(tuple(grid), tuple(block), tuple(args), shared_mem=shared_bytes, stream=self.stream)

    def convolutions(self, engine):
        """CUDNN is cuDNN's, CAFFE our own; DEFAULT, as in Caffe, cuDNN's where that is installed, but for the
        geometries that it refuses.

        Raises DeviceError for CUDNN without cuDNN.
        """
        wanted = engine == "CUDNN" or (engine == "DEFAULT" and self.dtype == np.float32)
        if not wanted or (engine == "DEFAULT" and self.dnn is None):
            return self.bind(convolution)
        if self.dnn is None:
            missing = self._shared["missing"]["cudnn"]
            raise DeviceError(
                f"engine: CUDNN needs cuDNN: {missing.message}",
                hint="; or ".join(
                    [*filter(None, [missing.hint]), "set engine: CAFFE, the project's own kernels"]
                ),
            )
        if engine not in self._by_cudnn:
            own = self.bind(convolution)
            self._by_cudnn[engine] = Convolutions(self.dnn, self, own, strict=engine == "CUDNN")
        return self._by_cudnn[engine]

    def siblings(self, engine):
        return siblings.one_by_one(self.convolutions(engine))

    # -- libraries

    @property
    def blas(self) -> Cublas | None:
        """cuBLAS; None where it is not wanted, or cannot be had, which the log says once."""
        self.use()
        if "blas" not in self._shared:
            self._shared["blas"] = self._open("cublas", self._open_cublas)
            if self._libraries and self._shared["blas"] is None:
                without = self._shared["missing"]["cublas"]
                log.warning(f"Matrix products by the project's own kernels, which are slower: {without}")
        return self._shared["blas"]

    @property
    def dnn(self) -> Cudnn | None:
        """cuDNN; None where it is not wanted, not installed, or broken, which the log says once."""
        self.use()
        if "dnn" not in self._shared:
            self._shared["dnn"] = self._open("cudnn", lambda found: Cudnn(found, self.stream.ptr))
            without = self._shared["missing"].get("cudnn")
            if self._libraries and without is not None and not isinstance(without, libraries.NotFound):
                log.warning(f"Convolutions by the project's own kernels: {without}")
        return self._shared["dnn"]

    def _open(self, name: str, opened: Callable) -> Any:
        """A library's calls; None, and the reason noted, where that cannot be."""
        missing = self._shared.setdefault("missing", {})
        if not self._libraries:
            missing[name] = DeviceError("the device was made with libraries=False")
            return None
        self.refuse_while_recording("load a library", "run the body once before it is captured")
        try:
            library = self.find_library(name)
            if library is None:
                raise libraries.NotFound(name)
            return opened(library)
        except DeviceError as error:
            missing[name] = error.with_traceback(None)  # its frames would hold the net that is being built
            return None

    def find_library(self, name: str) -> Any:
        return libraries.find(name, self.cuda_major)

    def _open_cublas(self, library: Any) -> Cublas:
        block = self._cublas_workspace()
        return Cublas(library, self.stream.ptr, self.address(block), block.nbytes, self.use)

    def _cublas_workspace(self) -> Any:
        """That of the branch in use."""
        blocks, branch = self._shared.setdefault("cublas workspaces", {}), self.branching.branch
        if branch not in blocks:
            nbytes = WORKSPACE_BYTES.get(self.arch // 10, DEFAULT_WORKSPACE_BYTES)
            blocks[branch] = self.empty((nbytes,), np.uint8)
        return blocks[branch]

    # -- execution

    @on_gpu
    def capture(self, body):
        """Record the launches of `body` as a CUDA graph, executing none; the result launches the graph.

        Raises CaptureError for whatever cannot be recorded: what this class refuses, what a library or CUDA
        answers with an error while recording or after CUDA has given the capture up."""
        self.refuse_while_recording("begin a capture", "capture the parts one after another")
        try:
            self.stream.begin_capture()
            self.branching.recording = True
            body()
            graph = self.stream.end_capture()
        except BaseException as error:
            self._abandon_capture()
            if isinstance(error, CaptureError) or not isinstance(error, (DeviceError, *self.cuda_errors)):
                raise
            raise CaptureError(
                f"CUDA gave the capture up: {error}",
                hint="some call in it cannot be captured; CudaDevice(libraries=False) makes none of NVIDIA's",
            ) from None
        finally:
            self.branching.recording = False
        return lambda: self._replay(graph)

    @on_gpu
    def _replay(self, graph: Any) -> None:
        graph.launch(self.stream)

    def branches(self, turns):
        return SideBySide(self, turns) if turns else super().branches(turns)

    @on_gpu
    def open_branches(self, count: int) -> None:
        """Have a stream for each of so many branches."""
        while len(self.branching.streams) < count:
            self.branching.streams.append(self.cupy.cuda.Stream(non_blocking=True))

    @on_gpu
    def use_branch(self, branch: int) -> None:
        """Queue what follows on the stream of a branch, with workspaces of its own."""
        if branch == self.branching.branch:
            return
        self.branching.branch = branch
        if (blas := self._shared.get("blas")) is not None:
            blas.queue_on(self.stream.ptr, self.address(self._cublas_workspace()))
        if (dnn := self._shared.get("dnn")) is not None:
            dnn.queue_on(self.stream.ptr)

    def _abandon_capture(self) -> None:
        try:
            self.stream.end_capture()
        except self.cuda_errors:  # it is over; the error that is on its way says more
            pass

    def clock(self):
        return self._mark

    @on_gpu
    def _mark(self) -> Any:
        event = self.cupy.cuda.Event()
        event.record(self.stream)
        return event

    @on_gpu
    def seconds(self, earlier, later):
        later.synchronize()
        return self.cupy.cuda.get_elapsed_time(earlier, later) / 1e3
