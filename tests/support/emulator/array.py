"""Device memory as the host sees it: shapes and addresses, but no values."""

from __future__ import annotations

import functools
import struct
from typing import TYPE_CHECKING

import numpy as np

from minicaffe.errors import DeviceError

if TYPE_CHECKING:
    from .device import EmulatedCuda

GET = "copy it to the host with device.get(array)"


class DeviceArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of an EmulatedCuda device, or a view of one.

    As with CuPy, NumPy's functions work on device arrays and give device arrays; an operation that mixes in a
    host array is refused, and so is everything that needs values on the host.
    """

    __slots__ = ("_packed", "device", "memory")

    def __init__(self, device: EmulatedCuda, memory: np.ndarray) -> None:
        self.device = device
        self.memory = memory
        self._packed: bytes | None = None

    shape = property(lambda self: self.memory.shape)
    dtype = property(lambda self: self.memory.dtype)
    size = property(lambda self: self.memory.size)
    ndim = property(lambda self: self.memory.ndim)
    nbytes = property(lambda self: self.memory.nbytes)
    itemsize = property(lambda self: self.memory.itemsize)

    @property
    def packed(self) -> bytes:
        """Address and size, as the emulator's runtime takes an array argument."""
        if self._packed is None:
            self._packed = pack_array(self.memory)
        return self._packed

    # -- views

    def _view(self, memory: np.ndarray) -> DeviceArray:
        return DeviceArray(self.device, memory)

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

    # -- operations on the device

    def __setitem__(self, index, value) -> None:
        self.device.execute(functools.partial(np.copyto, self.memory[index], unwrap(value), casting="unsafe"))

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        return self._compute(getattr(ufunc, method), inputs, options, out and out[0])

    def __array_function__(self, function, types, args, options):
        options = dict(options)
        out = options.pop("out", None)
        return self._compute(function, args, options, out)

    def _compute(self, function, args, options, out):
        args = [unwrap(arg) for arg in args]
        options = {name: unwrap(value) for name, value in options.items()}
        if out is not None:
            self.device.execute(functools.partial(function, *args, out=unwrap(out), **options))
            return out
        self.device.refuse_while_recording("allocate the result of an array operation", "give out=")
        result = function(*args, **options)
        return self._view(np.asarray(result)) if isinstance(result, np.ndarray | np.generic) else result

    # -- what only the host could answer

    def __array__(self, dtype=None, copy=None):
        raise TypeError(f"a device array has no values on the host; {GET}")

    def __bool__(self) -> bool:
        raise TypeError(f"a device array has no truth value on the host; {GET}")

    def __repr__(self) -> str:
        return f"DeviceArray({self.shape}, {self.dtype})"


def unwrap(value):
    """The memory behind a device array; other values as they are, but for host arrays."""
    if isinstance(value, DeviceArray):
        return value.memory
    if isinstance(value, np.ndarray) and value.ndim:
        raise TypeError("an operation mixes device and host arrays; hint: device.put(host, out) first")
    return value


def pack_array(memory: np.ndarray) -> bytes:
    """Address and size of a NumPy array."""
    if not memory.flags.c_contiguous:
        raise DeviceError(f"a kernel's arrays must be contiguous; got strides {memory.strides}")
    return struct.pack("2Q", memory.ctypes.data, memory.nbytes)
