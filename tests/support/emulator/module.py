"""CUDA C++ run by the processor, behind the interface of cupy.RawModule and RawKernel."""

from __future__ import annotations

import ctypes
import functools
import math
import re
import struct
import subprocess
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from minicaffe.errors import DeviceError, suggest

from . import build
from .array import DeviceArray, pack_array

FORWARD, REVERSE, RANDOM = 0, 1, 2  # orders of threads: runtime/scheduler.h
END, START = 0, 1  # which end of an array meets an unreadable page: runtime/memory.h

MAX_PARAMETERS = 64
MAX_RUNS = 4  # runtime/launch.h
MAX_THREADS = 1024  # of a block
MAX_GRID = (2**31 - 1, 65535, 65535)
SHARED_BYTES = 48 << 10  # dynamic shared memory that a kernel has without asking


# What gives back the memory of modules that are gone: called before a launch, never while one is under way,
# as a collection of garbage in another thread would.
_unused: deque[Callable[[], None]] = deque()


class KernelError(DeviceError):
    """A kernel that does not compile, cannot be launched as asked, or went wrong."""


class Schedule(NamedTuple):
    """How one run of a launch goes about it; runtime/launch.h."""

    order: int = FORWARD
    seed: int = 0
    blocks: int = 0  # fewer than the grid has, for kernels that loop over the grid; 0: all
    side: int = END


# Schedules that differ in everything.
ORDERS = (
    Schedule(FORWARD),
    Schedule(REVERSE, side=START),
    Schedule(RANDOM, seed=1),
    Schedule(RANDOM, seed=2, side=START),
)


class Parameter(ctypes.Structure):
    """What a kernel declares for a parameter; runtime/arguments.h."""

    _fields_ = [(name, ctypes.c_int) for name in ("bytes", "pointer", "writable", "number")]


class EmuModule:
    """Kernels from a CUDA C++ text: those declared extern "C" or with KERNEL, or, if given, the template
    instances in `name_expressions`.

    flush  whether numbers below the smallest normal one count as 0, as in float32 under CuPy's -ftz=true; the
           processor does so in both types or in none
    races  True: a block that touches what another one writes is a fault; some times slower
    """

    def __init__(self, code: str, name_expressions: Sequence[str] = (), *, races: bool = False) -> None:
        self.flush, self.races = "typedef double real" not in code, races
        names = list(name_expressions) or declared(code)
        lines = ['#line 1 "kernels.cu"', code]
        for i, name in enumerate(names):
            quoted = ", ".join(f'"{p}"' for p in parameter_names(code, name))
            lines += [
                f"static const char* const emu_names_{i}[{MAX_PARAMETERS}] = {{{quoted}}};",
                f"EMU_EXPORT({i}, {name})",
            ]
        try:
            self.path = build.library("\n".join([*lines, ""]), races)
        except build.BuildError as error:
            raise KernelError(f"the CUDA source does not compile:\n{error}") from None
        self.library = ctypes.CDLL(str(self.path))
        self.library.emu_fault_message.restype = ctypes.c_char_p
        self.library.emu_fault_offset.restype = ctypes.c_uint64
        weakref.finalize(self, _unused.append, self.library.emu_release).atexit = False
        # Vectors and 16-byte copies need the alignment that arrays have on a device.  Without them alignment
        # is given up, so that an array of any size ends exactly at an unreadable page.
        vectors = re.search(r"\b(u?char|u?int|float|double)[24]\b|\bcp_async\b|\b__align__\b", code)
        self.alignment = 16 if vectors else 1
        self._functions = {name: EmuFunction(self, i, name) for i, name in enumerate(names)}

    def get_function(self, name: str) -> EmuFunction:
        if name not in self._functions:
            raise KernelError(f"there is no kernel {name}", hint=suggest(name, self._functions))
        return self._functions[name]

    def fault(self) -> str:
        """What the last launch died of, and where in the source if that is known."""
        message = self.library.emu_fault_message().decode()
        offset = self.library.emu_fault_offset()
        if not offset:
            return message
        command = ["addr2line", "-e", str(self.path), hex(offset)]
        found = subprocess.run(command, capture_output=True, text=True).stdout.strip()
        return message if "?" in found else f"{message}, at {found.rsplit('/', 1)[-1].split(' ')[0]}"


def declared(code: str) -> list[str]:
    """The kernels of a text that are no templates."""
    start = r'^(?:KERNEL|extern\s+"C"\s+__global__\s+void(?:\s+__launch_bounds__\([^)]*\))?)'
    return re.findall(start + r"\s+(\w+)\s*\(", code, re.MULTILINE)


def parameter_names(code: str, kernel: str) -> list[str]:
    """The names of a kernel's parameters, for messages; a template's from its definition."""
    name = re.escape(kernel.split("<")[0])
    found = re.search(rf"^[^/\n]*\b(?:KERNEL|void)\b[^;{{}}]*?\b{name}\s*\(([^)]*)\)", code, re.MULTILINE)
    return re.findall(r"(\w+)\s*(?:,|$)", found[1]) if found else []


class EmuFunction:
    """A kernel, called like a cupy.RawKernel.

    Where CuPy would pass on whatever it is given, this checks: the number of arguments, their sizes, the
    limits of grid, block and shared memory.

    max_dynamic_shared_size_bytes   as in CuPy: raise it for more than 48 KiB
    time_limit_s                    of processor time, after which a launch is taken to hang
    """

    def __init__(self, module: EmuModule, index: int, name: str) -> None:
        self.module, self.name = module, name
        self.max_dynamic_shared_size_bytes = SHARED_BYTES
        self.time_limit_s = 60
        self._launch = getattr(module.library, f"emu_launch_{index}")
        table = (Parameter * MAX_PARAMETERS)()
        self.parameters = table[: getattr(module.library, f"emu_signature_{index}")(table)]

    def __call__(
        self,
        grid: Sequence[int],
        block: Sequence[int],
        args: Sequence,
        *,
        shared_mem: int = 0,
        schedules: tuple[Schedule, ...] = (Schedule(),),
    ) -> None:
        """Run the kernel once per schedule, each time from the same values; all runs must agree.

        Arrays are NumPy arrays or None, values NumPy scalars or 0-d structured arrays; a Python int or float
        travels as 8 bytes, as with CuPy.
        """
        while _unused:
            _unused.popleft()()
        grid, block = (*grid, 1, 1)[:3], (*block, 1, 1)[:3]
        if any(not 1 <= size <= limit for size, limit in zip(grid, MAX_GRID)):
            raise KernelError(f"{self.name}: a grid of {grid}; the limits are 1 to {MAX_GRID}")
        if min(block) < 1 or block[0] * block[1] * block[2] > MAX_THREADS:
            raise KernelError(f"{self.name}: a block of {block}; it must have 1 to {MAX_THREADS} threads")
        if shared_mem > self.max_dynamic_shared_size_bytes:
            raise KernelError(
                f"{self.name}: {shared_mem} bytes of dynamic shared memory; "
                f"the limit is {self.max_dynamic_shared_size_bytes}",
                hint="set max_dynamic_shared_size_bytes first",
            )
        if not 1 <= len(schedules) <= MAX_RUNS:
            raise KernelError(f"{self.name}: {len(schedules)} schedules; the limits are 1 and {MAX_RUNS}")
        if len(args) != len(self.parameters):
            raise KernelError(f"{self.name}: takes {len(self.parameters)} arguments; got {len(args)}")
        packed = b"".join([self._pack(i, arg) for i, arg in enumerate(args)])
        head = struct.pack(
            "12I",
            *(*grid, *block, shared_mem, self.module.alignment, self.time_limit_s, len(schedules)),
            *(self.module.flush, self.module.races and math.prod(grid) > 1),
        )
        if self._launch(head + pack_schedules(schedules), packed):
            raise KernelError(f"{self.name}: {self.module.fault()}")

    def _pack(self, i: int, arg) -> bytes:
        """An argument as runtime/launch.h unpacks it."""
        parameter = self.parameters[i]
        if parameter.pointer:
            return self._pack_array(i, arg)
        data = _value_bytes(arg)
        if len(data) != parameter.bytes:
            raise KernelError(
                f"{self.name}: argument {i} must have {parameter.bytes} bytes; {arg!r} has {len(data)}",
                hint="a Python number travels as 8 bytes: pass np.int32 or np.float32",
            )
        return data

    def _pack_array(self, i: int, arg) -> bytes:
        if arg is None:
            return bytes(16)
        array = arg.memory if isinstance(arg, DeviceArray) else arg
        parameter = self.parameters[i]
        if not isinstance(array, np.ndarray):
            raise KernelError(f"{self.name}: argument {i} must be an array; got {arg!r}")
        if array.itemsize != parameter.bytes if parameter.number else array.nbytes % parameter.bytes:
            raise KernelError(
                f"{self.name}: argument {i} must have elements of {parameter.bytes} bytes; got {array.dtype}"
            )
        return arg.packed if array is not arg else pack_array(array)


def _value_bytes(arg) -> bytes:
    if isinstance(arg, np.generic | np.ndarray):
        return arg.tobytes()
    return struct.pack("d" if isinstance(arg, float) else "q", arg)


@functools.lru_cache(maxsize=4096)
def pack_schedules(schedules: tuple[Schedule, ...]) -> bytes:
    return b"".join(struct.pack("iIIi", *schedule) for schedule in schedules)
