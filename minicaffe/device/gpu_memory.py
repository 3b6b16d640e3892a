"""The memory of an NVIDIA GPU: arrays and copies, queued on one stream."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import CaptureError, DeviceError
from ..kernels import memory
from . import faults
from .base import SLACK, Device
from .branching import Branching
from .gpus import check_number, count_gpus, import_cupy
from .slabs import SlabFeed
from .staging import LARGE_BYTES, Staging, pinned


def on_gpu(method: Callable) -> Callable:
    """A method that works on the GPU: makes it the calling thread's current one, as CUDA has one for each
    thread, and turns CUDA's errors into ours."""

    @functools.wraps(method)
    def call(self, *args, **kwargs):
        try:
            self.runtime.setDevice(self.number)
            return method(self, *args, **kwargs)
        except self.cuda_errors as error:
            raise faults.explained(error, self.asked) from None

    return call


class GpuMemory(Device):
    """A GPU as far as arrays and copies go; CudaDevice adds kernels, libraries and graphs.

    number, cupy, asked  as of CudaDevice

    branching    the streams on which all is queued that touches the device's arrays
    copies       the stream on which batches travel
    cuda_errors  what CuPy raises for what CUDA reports
    """

    def __init__(self, dtype, number: int, cupy: Any, asked: str) -> None:
        super().__init__(dtype)
        self.asked = asked = asked or f"GPU {number}"
        self.cupy = cupy = cupy or import_cupy(asked)
        self.runtime = cupy.cuda.runtime
        self.cuda_errors = self.runtime.CUDARuntimeError, cupy.cuda.driver.CUDADriverError
        check_number(number, count_gpus(cupy, asked), asked)
        self.number = number
        # What devices that differ in nothing but their accuracy have in common, see CudaDevice.with_math.
        self._shared: dict[str, Any] = {"outgrown": [], "workspaces": {}}
        self._open_streams()

    @on_gpu
    def _open_streams(self) -> None:
        self.branching = Branching(self.cupy)
        self.copies = self.cupy.cuda.Stream(non_blocking=True)
        self.staging = Staging(self.cupy)

    @property
    def stream(self) -> Any:
        """The one that work is queued on."""
        return self.branching.stream

    @on_gpu
    def use(self) -> None:
        """Make the GPU the calling thread's current one, for what is called beside these methods."""

    def refuse_while_recording(self, what: str, hint: str) -> None:
        """CaptureError in a capture: it would be done once, now, and not whenever the graph runs."""
        if self.branching.recording:
            raise CaptureError(f"cannot {what} while a capture is recording", hint=hint)

    def checked(self, array: Any) -> Any:
        """The array, if a kernel can take it by its address."""
        if not isinstance(array, self.cupy.ndarray):
            raise DeviceError(
                f"a kernel on the device got {type(array).__name__}, not an array of the device"
            )
        if not array.flags.c_contiguous:
            raise DeviceError(f"a kernel's arrays must be contiguous; got strides {array.strides}")
        return array

    @on_gpu
    def empty(self, shape, dtype=None):
        self.refuse_while_recording("allocate", "run the body once before it is captured")
        dtype = np.dtype(dtype or self.dtype)
        if dtype != np.uint8:  # bytes are blocks that others cut up
            self.check_shape(shape)
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

    @on_gpu
    def total_memory(self):
        return self.runtime.memGetInfo()[1]

    def address(self, array):
        return self.checked(array).data.ptr

    def workspace(self, nbytes):
        blocks, branch = self._shared["workspaces"], self.branching.branch
        before = blocks.get(branch)
        if before is None or before.size < nbytes:
            self._shared["outgrown"].append(before)  # graphs that were captured go on using it
            blocks[branch] = self.empty((nbytes,), np.uint8)
        return blocks[branch]

    @on_gpu
    def host_empty(self, shape, dtype=None):
        dtype = np.dtype(dtype or self.dtype)
        return pinned(self.cupy, math.prod(shape) * dtype.itemsize).view(dtype).reshape(shape)

    @on_gpu
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

    @on_gpu
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

    def feed(self):
        return SlabFeed(self)

    @on_gpu
    def event(self) -> Any:
        """Something to wait for, once `mark` has put it behind what is queued."""
        return self.cupy.cuda.Event(disable_timing=True)

    @on_gpu
    def mark(self, event: Any) -> None:
        event.record(self.stream)

    @on_gpu
    def wait(self, event: Any) -> None:
        """Let the host wait."""
        self.refuse_while_recording("wait", "wait after the captured part")
        event.synchronize()

    @on_gpu
    def carry(self, host: np.ndarray, out, emptied: Any, filled: Any) -> None:
        """Queue out = the pinned bytes `host`, while the device computes: once `emptied` is reached, and
        `filled` before all that is queued from now on."""
        self.refuse_while_recording("copy from the host", "stage inputs before the captured part")
        self.copies.wait_event(emptied)
        self.staging.copy(host, out.data.ptr, self.copies)
        filled.record(self.copies)
        self.stream.wait_event(filled)

    @on_gpu
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

    @on_gpu
    def move(self, source: int, to: int, nbytes: int) -> None:
        """Queue a copy between two addresses of the device."""
        self.runtime.memcpyAsync(to, source, nbytes, self.runtime.memcpyDeviceToDevice, self.stream.ptr)

    @on_gpu
    def synchronize(self) -> None:
        self.refuse_while_recording("wait", "wait after the captured part")
        self.stream.synchronize()
