"""The CPU: NumPy arrays, Numba kernels, register tiles."""

from __future__ import annotations

import copy
import math
import os
import platform
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import CaptureError, DeviceError
from ..kernels import cpu
from ..kernels.micro.machine import Machine, host
from ..kernels.team import MOST
from ..kernels.threads import wanted
from .base import ALIGNMENT, MATH, SLACK, Device, known_math

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]


class CpuDevice(Device):
    """The processor we run on.

    kernels  "composite" (the default: every kernel's fastest form), "plain" (every kernel's own loops,
             compiled) or "python" (the loops, interpreted): the last two serve tests and benchmarks
    machine  what the register tiles are built for; tests narrow it
    math     see Device.with_math
    threads  how many share the work, 1 to MOST; None: as many as the process has processors, or Numba is told
             to use.  Results have the same bits with any number
    """

    name = "cpu"
    synchronous = True

    def __init__(
        self,
        dtype=np.float32,
        *,
        kernels: str = "composite",
        machine: Machine | None = None,
        math: str = MATH[0],
        threads: int | None = None,
    ) -> None:
        super().__init__(dtype)
        if threads is not None and not 1 <= threads <= MOST:
            raise DeviceError(f"threads is a number from 1 to {MOST}; got {threads}")
        self.threads = threads
        self.math = known_math(math)
        self._by_math = {self.math: self}  # devices that differ in nothing else
        self.machine = machine or host()
        self._bind = {"composite": cpu.bind, "plain": cpu.bind_plain, "python": cpu.bind_python}[kernels]
        self._compiles = kernels != "python"

    def describe(self) -> dict[str, str]:
        machine = self.machine
        affinity = getattr(os, "sched_getaffinity", None)
        usable = len(affinity(0)) if affinity else os.cpu_count()
        return {
            "Processor": f"{_model()}, {machine.cpu} to LLVM",
            "Processors usable": str(usable),
            "Threads used": str(self.threads or wanted()),
            "Vector width": f"{8 * machine.vector_bytes} bits, {machine.registers} registers",
            "Fused multiply-add": "yes" if machine.fma else "no",
            "Register tile": f"{machine.tile_rows} x {2 * machine.lanes(4)} (float32)",
        }

    def with_math(self, math):
        math = known_math(math)
        if math not in self._by_math:
            other = self._by_math[math] = copy.copy(self)
            other.math, other._families = math, {}
        return self._by_math[math]

    def total_memory(self):
        limits = [super().total_memory()]
        if hasattr(os, "sysconf"):
            limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        if resource is not None:
            limits += [limit for limit in resource.getrlimit(resource.RLIMIT_AS) if limit >= 0]
        if (group := Path("/sys/fs/cgroup/memory.max")).is_file():  # a container's
            limits += [int(limit) for limit in [group.read_text().strip()] if limit.isdigit()]
        return min(limits)

    def bind_family(self, family):
        return self._bind(family, self)

    def empty(self, shape, dtype=None):
        return self._allocated(np.empty, shape, dtype)

    def zeros(self, shape, dtype=None):
        # Zeros from the system take no memory until they are written: the arena of a net that never runs.
        return self._allocated(np.zeros, shape, dtype)

    def _allocated(self, make: Callable[..., np.ndarray], shape, dtype) -> np.ndarray:
        """An array of `shape` that starts on a cache line, in a block from np.empty or np.zeros."""
        dtype = np.dtype(dtype or self.dtype)
        nbytes = math.prod(shape) * dtype.itemsize
        try:
            block = make(nbytes + ALIGNMENT + SLACK, np.uint8)
        except (MemoryError, ValueError):  # ValueError: more than can be addressed
            raise DeviceError(f"cannot allocate {nbytes} bytes for an array of shape {shape}") from None
        start = -block.ctypes.data % ALIGNMENT
        return block[start : start + nbytes].view(dtype).reshape(shape)

    @property
    def rehearsing(self) -> bool:
        return cpu.REHEARSAL.wanted is not None

    def rehearse(self, body) -> None:
        if self._compiles:
            cpu.rehearse(body)

    def capture(self, body):
        return Recorded(self, body) if self._compiles else body

    def _now(self, function: Callable, *arguments) -> None:
        """Call it where calls run, or note it down."""
        if cpu.RECORDING.tape is not None:
            cpu.RECORDING.tape.call(function, *arguments)
        elif not self.rehearsing:
            function(*arguments)

    def _refuse_while_recording(self, what: str) -> None:
        """CaptureError in a recording: it would be done once, now, and not whenever that is replayed."""
        if cpu.RECORDING.tape is not None:
            raise CaptureError(f"cannot {what} while a capture is recording")

    def fill(self, array, value) -> None:
        self._now(np.copyto, array, value)

    def put(self, host, out) -> None:
        self._refuse_while_recording("copy from the host")
        if not self.rehearsing:
            out[...] = host

    def get(self, array):
        self._refuse_while_recording("copy to the host")
        return np.array(array)

    def copy(self, source, out) -> None:
        self._now(np.copyto, out.reshape(-1), source.reshape(-1))


class Recorded:
    """A body's calls on a device, to be called again; recorded anew for another number of threads."""

    def __init__(self, device: CpuDevice, body: Callable[[], None]) -> None:
        self.device, self.body = device, body
        self._record()

    def _record(self) -> None:
        self._threads = self._wanted
        self._replay = cpu.record(self.body)

    @property
    def _wanted(self) -> int:
        return self.device.threads or wanted()

    def __call__(self) -> None:
        if self._threads != self._wanted:
            self._record()
        self._replay()


def _model() -> str:
    """The processor's name, where the system tells, or else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
