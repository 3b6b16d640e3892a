"""What the engine asks of a device: the only classes that know where arrays live."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import ModuleType, SimpleNamespace

import numpy as np

from ..kernels import gemm as gemm_family

ALIGNMENT = 256  # bytes: buffers start on a boundary that suits every vector width and memory controller


class Device(ABC):
    """A place where arrays live and kernels run.

    name         "cpu", "cuda"
    xp           the array module of its arrays (numpy, cupy)
    dtype        the floating type of nets on it: float32, or float64 for gradient checks
    synchronous  True if a value can be read as soon as the call that computes it returns
    """

    name: str
    xp: ModuleType
    synchronous: bool

    def __init__(self, dtype: np.dtype | type = np.float32) -> None:
        self.dtype = np.dtype(dtype)
        self._families: dict[ModuleType, SimpleNamespace] = {}
        self._workspace = None

    # -- kernels

    def bind(self, family: ModuleType) -> SimpleNamespace:
        """The kernels of a family module, ready to call on arrays of this device."""
        if family not in self._families:
            self._families[family] = self.bind_family(family)
        return self._families[family]

    def describe(self) -> dict[str, str]:
        """What the device is made of, for people."""
        return {}

    @abstractmethod
    def bind_family(self, family: ModuleType) -> SimpleNamespace: ...

    def gemm(self, a, b, out, *, ta: bool = False, tb: bool = False, add: bool = False) -> None:
        """out = op(a) op(b), or out += with add; 2-axis arrays, op transposes where ta or tb is set."""
        m, n = out.shape
        k = a.shape[0] if ta else a.shape[1]
        self.bind(gemm_family).gemm(a, b, out, gemm_family.Gemm(m, n, k, int(ta), int(tb), int(add)))

    # -- memory

    @abstractmethod
    def empty(self, shape: tuple[int, ...], dtype=None):
        """A new array, aligned to ALIGNMENT, followed by at least SLACK readable bytes; contents
        undefined."""

    def total_memory(self) -> int:
        """Bytes that all arrays together can have at most."""
        return sys.maxsize

    @abstractmethod
    def fill(self, array, value: float) -> None:
        """Set every element."""

    @abstractmethod
    def put(self, host: np.ndarray, out) -> None:
        """Copy from the host into an array of the device, converting the type."""

    @abstractmethod
    def get(self, array) -> np.ndarray:
        """A copy on the host; waits for everything launched before."""

    @abstractmethod
    def copy(self, source, out) -> None:
        """Copy between two arrays of the device, of equal size."""

    def zeros(self, shape: tuple[int, ...], dtype=None):
        array = self.empty(shape, dtype)
        self.fill(array, 0)
        return array

    def workspace(self, nbytes: int):
        """A block of bytes for one call: contents do not outlive it.  It only ever grows, so that after the
        first training step no call allocates."""
        if self._workspace is None or self._workspace.size < nbytes:
            self._workspace = self.empty((nbytes,), np.uint8)
        return self._workspace

    # -- execution

    def capture(self, body: Callable[[], None]) -> Callable[[], None]:
        """`body` as one replayable unit: a CUDA graph on a GPU, the body itself elsewhere."""
        return body


SLACK = 256  # bytes after every array that vector loads may read, never use
