"""What the engine asks of a device: the only classes that know where arrays live."""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from ..errors import ConfigError, ShapeError
from ..files import LARGEST_BYTES
from ..kernels import convolution as convolution_family
from ..kernels import gemm as gemm_family
from ..kernels import siblings as siblings_family
from ..kernels.cuda import TOO_MANY
from .feed import Feed

# Accuracies of matrix products and convolutions, see Device.with_math; the first where nothing is said.
MATH = ("FAST", "EXACT", "TF32")
OLD_MATH = {"FP32": "EXACT"}  # names of before
ALIGNMENT = 256  # bytes: buffers start on a boundary that suits every vector width and memory controller


class Turn(NamedTuple):
    """When part of a body runs, see Device.branches: on which branch, behind which parts of other branches,
    and whether others wait for it."""

    branch: int
    waits: tuple[int, ...]
    awaited: bool


class Device(ABC):
    """A place where arrays live and kernels run.

    name         "cpu", "cuda"
    math         one of MATH, see with_math
    dtype        the floating type of nets on it: float32, or float64 for gradient checks
    max_elements how many an array may have
    most_branches  how many parts of a captured body it runs at the same time, see branches
    synchronous  True if a value can be read as soon as the call that computes it returns
    transforms   True if images travel as bytes and become floats, cropped and scaled, on the device
    largest_bytes  what one file that is read for it may become in the host's memory (see files.check_room)
    """

    name: str
    math: str = MATH[0]
    synchronous: bool
    transforms = False
    largest_bytes = LARGEST_BYTES
    max_elements = sys.maxsize
    most_branches = 1

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

    def convolutions(self, engine: str) -> Any:
        """The convolution family as an engine of Caffe's computes it: DEFAULT, CAFFE or CUDNN."""
        return self.bind(convolution_family)

    def siblings(self, engine: str) -> Any:
        """The family of 1x1 convolutions of one blob, as an engine of Caffe's computes it."""
        return self.bind(siblings_family)

    def with_math(self, math: str) -> Device:
        """The same device, with matrix products and convolutions of another accuracy:

        FAST   that of float32, about 1e-5, for 5x5 windows 4e-5; the CPU may compute convolutions by Winograd
        EXACT  each sum is that of its products, and no factor is rounded
        TF32   from compute capability 8.0 on, a GPU rounds factors to 10 bits of mantissa; the CPU: as FAST
        """
        return self

    def describe(self) -> dict[str, str]:
        """What the device is made of, for people."""
        return {}

    def flags(self) -> str:
        """What asks for this device on the command line."""
        return f"--math {self.math}" if self.math != MATH[0] else ""

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

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """ShapeError if an array of this shape has more elements than kernels can count."""
        count = math.prod(shape)
        if count > self.max_elements:
            raise ShapeError(
                f"shape {tuple(shape)} has {count} elements; on device {self.name!r} it can be"
                f" {self.max_elements} at most",
                hint=TOO_MANY,
            )

    def address(self, array) -> int:
        """Where an array of the device begins."""
        return array.ctypes.data

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

    def host_empty(self, shape: tuple[int, ...], dtype=None) -> np.ndarray:
        """A new array on the host that travels to the device fast; contents undefined."""
        return np.empty(shape, dtype or self.dtype)

    def feed(self) -> Feed:
        """What hands over to a net's passes."""
        return Feed(self)

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
        """`body` as one replayable unit: a CUDA graph on a GPU, a tape of loops on the CPU.

        `body` ran before, so that nothing in it allocates or compiles any more; it launches the same kernels
        on the same arrays whenever it runs, and reads nothing back.
        """
        return body

    def branches(self, turns: Mapping[int, Turn]) -> AbstractContextManager[Callable[[int], object]]:
        """For a body with parts that need not wait for each other: entered, it gives a function to be called
        with a part's number before that part; `turns` says when the part runs, and knows all that launch
        something.  The body calls the parts in an order in which they could run one after the other, and a
        device may do just that."""
        return nullcontext(lambda part: None)

    @property
    def rehearsing(self) -> bool:
        """Whether calls are noted down and not run, see `rehearse`."""
        return False

    def rehearse(self, body: Callable[[], None]) -> None:  # noqa: B027  (right where calls compile what they need)
        """Compile all that `body`, as in `capture`, launches, as fast as the machine can.  It computes
        nothing: no array changes."""

    def synchronize(self) -> None:  # noqa: B027  (right for all that is synchronous)
        """Wait for everything launched before."""

    def clock(self) -> Callable[[], Any]:
        """Makes marks in the course of the device's work; `seconds` tells how far two of them are apart."""
        return perf_counter

    def seconds(self, earlier: Any, later: Any) -> float:
        """Between two marks of `clock`."""
        return later - earlier


def known_math(name: str) -> str:
    """One of MATH by its name, in any case, or by an old one.  ConfigError for another."""
    math = OLD_MATH.get(name.upper(), name.upper())
    if math not in MATH:
        raise ConfigError(f"math must be one of {', '.join(MATH)}; got {name!r}")
    return math


SLACK = 256  # bytes after every array that vector loads may read, never use
