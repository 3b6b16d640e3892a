"""Device memory as the host sees it: shapes and addresses, but no values."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np

from minicaffe.errors import DeviceError

GET = "copy it to the host with device.get(array)"


class DeviceArray:
    """cupy.ndarray, without what would need a kernel of CuPy's own: views, and an address.

    CuPy computes with its arrays too, by kernels that it compiles on the GPU; here whoever tries learns that
    the engine does not rely on them.
    """

    __slots__ = ("_packed", "data", "memory")

    def __init__(self, shape: tuple[int, ...], dtype, memptr) -> None:
        dtype = np.dtype(dtype)
        self._bind(memptr.memory[: math.prod(shape) * dtype.itemsize].view(dtype).reshape(shape), memptr)

    def _bind(self, memory: np.ndarray, block: Any) -> None:
        self.memory = memory
        self.data = _Pointer(memory, block)
        self._packed: bytes | None = None

    shape = property(lambda self: self.memory.shape)
    dtype = property(lambda self: self.memory.dtype)
    size = property(lambda self: self.memory.size)
    ndim = property(lambda self: self.memory.ndim)
    nbytes = property(lambda self: self.memory.nbytes)
    itemsize = property(lambda self: self.memory.itemsize)
    strides = property(lambda self: self.memory.strides)
    flags = property(lambda self: self.memory.flags)

    @property
    def packed(self) -> bytes:
        """Address and size, as the emulator's runtime takes an array argument."""
        if self._packed is None:
            self._packed = pack_array(self.memory)
        return self._packed

    # -- views

    def _view(self, memory: np.ndarray) -> DeviceArray:
        array = DeviceArray.__new__(DeviceArray)
        array._bind(memory, self.data.block)
        return array

    def reshape(self, *shape) -> DeviceArray:
        return self._view(self.memory.reshape(*shape, copy=False))  # raises rather than copy

    def ravel(self) -> DeviceArray:
        return self.reshape(-1)

    def view(self, dtype) -> DeviceArray:
        return self._view(self.memory.view(dtype))

    def __getitem__(self, index) -> DeviceArray:
        found = self.memory[index]
        if found.size and not np.may_share_memory(found, self.memory):
            raise DeviceError(f"the index {index!r} reads values", hint=GET)
        return self._view(found)

    def __len__(self) -> int:
        return len(self.memory)

    # -- what only the host could answer

    def __array__(self, dtype=None, copy=None):
        raise TypeError(f"a device array has no values on the host; {GET}")

    def __array_ufunc__(self, *args, **options):
        raise TypeError("array operations on the device are kernels; bind a family that has it")

    __array_function__ = __array_ufunc__

    def __bool__(self) -> bool:
        raise TypeError(f"a device array has no truth value on the host; {GET}")

    def __repr__(self) -> str:
        return f"DeviceArray({self.shape}, {self.dtype})"


class _Pointer:
    """cupy.cuda.MemoryPointer of an array; keeps the block alive."""

    __slots__ = ("block", "ptr")

    def __init__(self, memory: np.ndarray, block: Any) -> None:
        self.ptr = memory.ctypes.data
        self.block = block


def pack_array(memory: np.ndarray) -> bytes:
    """Address and size of a NumPy array."""
    if not memory.flags.c_contiguous:
        raise DeviceError(f"a kernel's arrays must be contiguous; got strides {memory.strides}")
    return struct.pack("2Q", memory.ctypes.data, memory.nbytes)
