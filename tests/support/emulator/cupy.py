"""What device/ uses of CuPy, on the processor: streams, events, graphs, memory, modules.

Streams execute what is queued on them either at once, or, `lazy`, only when somebody waits for it: the latest
moment that CUDA allows, at which every missing wait shows.  Names, arguments and errors are CuPy's.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import sys
import threading
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from minicaffe.device.base import ALIGNMENT

from .array import DeviceArray
from .capture import INVALIDATED, Capture, CUDARuntimeError, Graph
from .module import FORWARD, RANDOM, REVERSE, START, EmuModule, Schedule

POISON = 0xFF  # every byte of new memory: NaN in every floating type
SEEDS = 61  # random schedules tried in turn
HOST_TO_DEVICE, DEVICE_TO_HOST, DEVICE_TO_DEVICE = 1, 2, 3  # cudaMemcpyKind


class CUDADriverError(RuntimeError):
    pass


class CompileException(Exception):
    pass


class OutOfMemoryError(MemoryError):
    pass


class Stream:
    """cupy.cuda.Stream."""

    numbers = itertools.count(1)

    def __init__(self, cupy: EmulatedCupy, non_blocking: bool) -> None:
        if not non_blocking:
            raise ValueError("a stream that waits for the default stream")
        self.ptr = next(Stream.numbers)
        self.cupy, self.lazy = cupy, cupy.lazy
        self.device_id = cupy.cuda.runtime.getDevice()
        self.queue: list[Callable[[], object]] = []
        self.recording: Capture | None = None
        cupy.streams[self.ptr] = self

    def __enter__(self) -> Stream:
        if self.device_id != self.cupy.cuda.runtime.getDevice():
            raise RuntimeError(
                "The device that the stream is created on does not match with the current device"
            )
        self.cupy.current.append(self)
        return self

    def __exit__(self, *error) -> None:
        self.cupy.current.pop()

    @property
    def invalid(self) -> bool:
        """The capture: whatever follows fails until it is ended."""
        return self.recording is not None and self.recording.invalid

    @invalid.setter
    def invalid(self, value: bool) -> None:
        if self.recording is not None:
            self.recording.invalid = value

    def enqueue(self, action: Callable[[], object]) -> None:
        if self.recording is not None:
            self.recording.record(self, action)
            return
        self.queue.append(action)
        if not self.lazy:
            self.synchronize()

    def synchronize(self, count: int | None = None) -> None:
        """Execute what is queued, or only so much of it."""
        self._outside("cudaStreamSynchronize")
        for _ in range(len(self.queue) if count is None else count):
            if self.queue:
                self.queue.pop(0)()

    def wait_event(self, event: Event) -> None:
        capture = self.recording or event.capture
        if capture is None:
            self.enqueue(event.pending())
        else:
            capture.wait(self, event)

    def begin_capture(self) -> None:
        self._outside("cudaStreamBeginCapture")
        self.check_device("cudaStreamBeginCapture")
        self.recording = Capture(self)

    def end_capture(self) -> Graph:
        if self.recording is None:
            raise CUDARuntimeError("cudaErrorIllegalState: the stream is not capturing")
        return self.recording.end(self)

    def check_device(self, what: str) -> None:
        """CUDA fails, or works on another GPU than was meant, unless the stream's is the thread's current."""
        current = self.cupy.cuda.runtime.getDevice()
        if self.device_id != current:
            raise CUDARuntimeError(
                f"cudaErrorInvalidResourceHandle: {what} on a stream of GPU {self.device_id}, but GPU"
                f" {current} is current"
            )

    def _outside(self, what: str) -> None:
        if self.recording is not None:
            self.recording.fail("Unsupported", f"{what} while capturing")


class Event:
    """cupy.cuda.Event: done when its stream has executed what was queued before it was recorded.  One that
    a capture records stands for the nodes so far of its stream, and nobody else can wait for it.

    capture  that records it
    ends     its nodes
    """

    def __init__(self, cupy: EmulatedCupy, block: bool = False, disable_timing: bool = False) -> None:
        self.device_id = cupy.cuda.runtime.getDevice()
        self.timed = not disable_timing
        self.done = True
        self.stream: Stream | None = None
        self.capture: Capture | None = None

    def record(self, stream: Stream) -> None:
        if self.device_id != stream.device_id:
            raise CUDARuntimeError("cudaErrorInvalidResourceHandle: an event and a stream of two GPUs")
        self.stream, mark = stream, SimpleNamespace(done=False)
        self.mark, self.done = mark, False
        self.capture = stream.recording
        if self.capture is None:
            stream.enqueue(lambda: self._reach(mark))
        else:
            self.capture.check()
            self.ends = self.capture.ends[stream]

    def _reach(self, mark: Any) -> None:
        mark.done = True
        self.done = self.done or mark is self.mark

    def pending(self) -> Callable[[], None]:
        """Waits for the event as it is recorded now, whatever is recorded later."""
        stream, mark = self.stream, getattr(self, "mark", None)

        def wait() -> None:
            while stream is not None and not mark.done:
                stream.synchronize(1)

        return wait

    def synchronize(self) -> None:
        if self.capture is not None:
            self.capture.invalid = True
            raise CUDARuntimeError("cudaErrorCapturedEvent: a wait for an event of a capture")
        self.pending()()


class MemoryPointer:
    """cupy.cuda.MemoryPointer."""

    def __init__(self, memory: np.ndarray, device_id: int) -> None:
        self.memory, self.device_id = memory, device_id
        self.ptr = memory.ctypes.data


class Runtime:
    """cupy.cuda.runtime of a machine with some GPUs, all alike."""

    CUDARuntimeError = CUDARuntimeError
    memcpyHostToDevice, memcpyDeviceToHost, memcpyDeviceToDevice = 1, 2, 3

    def __init__(self, cupy: EmulatedCupy, arch: int, count: int) -> None:
        self.cupy, self.arch, self.count = cupy, arch, count
        self.thread = threading.local()  # every thread has a current GPU, 0 at first

    def getDeviceCount(self) -> int:
        return self.count

    def getDevice(self) -> int:
        return getattr(self.thread, "current", 0)

    def setDevice(self, number: int) -> None:
        if not 0 <= number < self.count:
            raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
        self.thread.current = number

    def driverGetVersion(self) -> int:
        return 13000

    def runtimeGetVersion(self) -> int:
        return 13000 if self.arch >= 75 else 12090

    def deviceGetAttribute(self, attribute: int, device: int) -> int:
        return {16: 4, 75: self.arch // 10, 76: self.arch % 10}[attribute]

    def getDeviceProperties(self, device: int) -> dict:
        return {"name": b"emulated GPU", "totalGlobalMem": self.cupy.memory_bytes}

    def memGetInfo(self) -> tuple[int, int]:
        return self.cupy.memory_bytes, self.cupy.memory_bytes

    def memcpyAsync(self, to: int, source: int, nbytes: int, kind: int, stream: int) -> None:
        queue = self.cupy.streams[stream]
        queue.check_device("cudaMemcpyAsync")
        if queue.recording is not None and kind != DEVICE_TO_DEVICE:
            raise AssertionError("a copy from or to the host would be recorded with its address")
        if kind not in (HOST_TO_DEVICE, DEVICE_TO_HOST, DEVICE_TO_DEVICE) or not (to and source and nbytes):
            raise CUDARuntimeError("cudaErrorInvalidValue: invalid argument")
        queue.enqueue(lambda: ctypes.memmove(to, source, nbytes))

    def memsetAsync(self, to: int, value: int, nbytes: int, stream: int) -> None:
        queue = self.cupy.streams[stream]
        queue.check_device("cudaMemsetAsync")
        queue.enqueue(lambda: ctypes.memset(to, value, nbytes))


class RawModule:
    """cupy.RawModule."""

    def __init__(self, cupy: EmulatedCupy, code: str, options: tuple, name_expressions) -> None:
        if options != ("--std=c++17",):
            raise ValueError(f"unknown options {options}")
        self.cupy = cupy
        self.compiled = EmuModule(code, name_expressions or (), races=cupy.races)
        self.strides = not name_expressions  # the kernels loop over the grid: a rule for kernel families

    def get_function(self, name: str) -> RawKernel:
        return RawKernel(self, name)


class RawKernel:
    """cupy.RawKernel.

    Every launch runs twice from the same values, and both runs must give the same bits: forward over the
    whole grid, then in another order of threads, another from launch to launch, and if the kernel loops over
    the grid over fewer blocks.
    """

    def __init__(self, module: RawModule, name: str) -> None:
        self.cupy, self.strides = module.cupy, module.strides
        self.device_id = self.cupy.cuda.runtime.getDevice()
        self.function = module.compiled.get_function(name)

    @property
    def max_dynamic_shared_size_bytes(self) -> int:
        return self.function.max_dynamic_shared_size_bytes

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, nbytes: int) -> None:
        self.function.max_dynamic_shared_size_bytes = nbytes

    def __call__(self, grid, block, args, *, shared_mem: int = 0, stream: Stream) -> None:
        places = [
            stream.device_id,
            *(arg.data.block.device_id for arg in args if isinstance(arg, DeviceArray)),
        ]
        if set(places) != {self.cupy.cuda.runtime.getDevice()} or self.device_id not in places:
            raise CUDADriverError("CUDA_ERROR_INVALID_HANDLE: a kernel, stream or array of another GPU")
        if stream.invalid:
            raise CUDADriverError(f"CUDA_ERROR_{INVALIDATED}")
        schedules = self.cupy.schedules(math.prod(grid), self.strides)
        stream.enqueue(lambda: self.function(grid, block, args, shared_mem=shared_mem, schedules=schedules))


class EmulatedCupy:
    """The module `cupy`.

    arch          compute capability times ten
    lazy          streams execute as late as they may
    orders        in which every launch runs, 1 or 2
    memory_bytes  what the GPU has
    count         how many GPUs there are
    races         blocks are watched for races
    """

    __version__ = "emulated"
    ndarray = DeviceArray

    def __init__(
        self,
        arch: int = 80,
        *,
        lazy: bool = False,
        orders: int = 2,
        memory_bytes: int = 8 << 30,
        count: int = 1,
        races: bool = False,
    ) -> None:
        self.races = races
        self.lazy, self.orders, self.memory_bytes = lazy, orders, memory_bytes
        self.streams: dict[int, Stream] = {}
        self.current: list[Stream] = []  # entered by `with`
        self.launches = 0
        self.blocks: list[np.ndarray] = []
        self.cuda = SimpleNamespace(
            runtime=Runtime(self, arch, count),
            driver=SimpleNamespace(CUDADriverError=CUDADriverError),
            compiler=SimpleNamespace(CompileException=CompileException),
            Stream=lambda non_blocking=False: Stream(self, non_blocking),
            Event=lambda **options: Event(self, **options),
            alloc=self._alloc,
            alloc_pinned_memory=lambda nbytes: bytearray(b"\xff" * nbytes),
            get_elapsed_time=self._elapsed_ms,
            memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
        )

    def RawModule(self, code: str, options: tuple = (), name_expressions: Iterable[str] | None = None):
        return RawModule(self, code, options, name_expressions)

    def _alloc(self, nbytes: int) -> MemoryPointer:
        if not self.current:
            raise AssertionError("memory of the default stream, which knows nothing of what uses it")
        if nbytes > self.memory_bytes:
            raise OutOfMemoryError
        block = np.full(nbytes + ALIGNMENT, POISON, np.uint8)
        if self.lazy:  # what is queued may use it after its array is gone: CuPy gives no memory back
            self.blocks.append(block)
        start = -block.ctypes.data % ALIGNMENT
        return MemoryPointer(block[start : start + nbytes], self.cuda.runtime.getDevice())

    def _elapsed_ms(self, earlier: Event, later: Event) -> float:
        if not (earlier.timed and later.timed and later.done):
            raise CUDARuntimeError("cudaErrorInvalidResourceHandle: an event without a time")
        return 1e-3

    def schedules(self, blocks: int, strides: bool) -> tuple[Schedule, ...]:
        """The orders for the next launch; a kernel that loops over the grid must do with fewer blocks."""
        self.launches += 1
        turn, seed = self.launches % 3, self.launches % SEEDS
        if turn == 0:
            other = Schedule(REVERSE, 0, -(-blocks // 2) if strides else 0, START)
        else:
            other = Schedule(RANDOM, seed, 1 + seed % blocks if strides else 0, START)
        return (Schedule(FORWARD), other)[: self.orders]


def install(monkeypatch, **options) -> EmulatedCupy:
    """Let `import cupy` give a new EmulatedCupy for the rest of a test, with no libraries beside it."""
    from minicaffe.device import libraries

    cupy = EmulatedCupy(**options)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(libraries, "find", lambda name, cuda: None)
    return cupy
