"""The CPU half: a kernel's loops compiled by Numba, or interpreted as the oracle.

Compiled code is kept on disk (cache.py), so only the first run on a machine compiles (compiler.py).
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from types import ModuleType, SimpleNamespace

import numba
import numpy as np

from ..errors import DeviceError
from . import cache
from .compiler import KernelCache
from .registry import KernelSpec, family, unless_empty

# OpenMP launches cost 2 us; TBB's, Numba's first choice, 50.  The work queue, the last resort, must never be
# entered by two Python threads at once, which is why only the thread that runs the net launches kernels.
numba.config.THREADING_LAYER_PRIORITY = ["omp", "tbb", "workqueue"]

# Sums may be reordered and contracted to fused multiply-adds; NaN and infinity keep their meaning, so that a
# diverging loss is seen.
FAST_MATH = {"nsz", "arcp", "contract", "afn", "reassoc"}


class Threads:
    """Numba's, as far as this process has them.

    cut_off  the process was forked off one in which OpenMP's had started: they did not come along, and
             GNU's OpenMP ends a process that asks for them all the same
    """

    cut_off = False

    def note_fork(self) -> None:
        try:
            self.cut_off = numba.threading_layer() == "omp"
        except ValueError:  # none had started
            pass


THREADS = Threads()
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=THREADS.note_fork)


def bind(module: ModuleType, device) -> SimpleNamespace:
    """The kernels of a family as functions of NumPy arrays, compiled on first call."""
    return _bind(module, device, lambda spec: composite(spec, device) if spec.cpu else compiled(spec))


def bind_plain(module: ModuleType, device) -> SimpleNamespace:
    """The same with every kernel's own loops compiled: the reference of the composites' speed and results."""
    return _bind(module, device, compiled)


def bind_python(module: ModuleType, device) -> SimpleNamespace:
    """The same, interpreted: slow, and the oracle the other halves are held to."""
    return _bind(module, device, lambda spec: spec.python)


def _bind(module: ModuleType, device, implementation: Callable[[KernelSpec], Callable]) -> SimpleNamespace:
    return SimpleNamespace(
        **{name: launcher(spec, implementation(spec), device.dtype) for name, spec in family(module).items()}
    )


def launcher(spec: KernelSpec, function: Callable, dtype: np.dtype) -> Callable:
    """`function` behind the contract of registry.py: arrays flattened, scalars in the net's floating type.

    DeviceError in a process without threads to run it.
    """

    def flat(array: np.ndarray) -> np.ndarray:
        return array.reshape(-1, copy=False)  # raises rather than hand the kernel a copy

    def same(value):
        return value

    convert = tuple(flat if p.is_array else dtype.type if p.kind is float else same for p in spec.parameters)

    def launch(*args) -> None:
        if THREADS.cut_off:
            raise DeviceError(
                "a process that was forked off another in which nets have run cannot run nets on the CPU",
                hint="multiprocessing.get_context('spawn'), or fork before the first pass",
            )
        function(*[f(a) for f, a in zip(convert, args, strict=True)])

    launch.__name__ = spec.name
    launch.__doc__ = spec.python.__doc__
    return launch


def composite(spec: KernelSpec, device) -> Callable:
    """What the CPU uses instead of a kernel's loops; these, interpreted, where there is next to nothing to
    do."""
    return unless_empty(spec, spec.cpu(device), spec.python)


@functools.cache
def compiled(spec: KernelSpec) -> Callable:
    """The Numba dispatcher of a kernel's loops, shared by every device."""
    return jit(spec.python, parallel=spec.parallel)


def jit(function: Callable, **options) -> Callable:
    """numba.njit with the project's options; the machine code is kept in cache.folder()."""
    dispatcher = numba.njit(function, nogil=True, error_model="numpy", fastmath=FAST_MATH, **options)
    folder = cache.folder()
    if folder:  # None: no place is writable, so every process compiles
        dispatcher._cache = KernelCache(function, folder)  # what dispatcher.enable_caching() does
    return dispatcher
