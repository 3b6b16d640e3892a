"""The CPU half: a kernel's loops compiled by Numba, or interpreted as the oracle.

Compiled code is kept on disk (cache.py), so only the first run on a machine compiles (compiler.py).
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numba
import numpy as np

from . import cache
from .compiler import compile_all, order
from .micro import dealing
from .registry import KernelSpec, family, unless_empty
from .stored import Stored, storable
from .tape import RECORDING, Tape
from .team import REPLAY, RUN, SERVE, replay, run, serve
from .threads import Team, limited, wanted

# Sums may be reordered and contracted to fused multiply-adds; NaN and infinity keep their meaning, so that a
# diverging loss is seen.
FAST_MATH = {"nsz", "arcp", "contract", "afn", "reassoc"}


def bind(module: ModuleType, device) -> SimpleNamespace:
    """The kernels of a family as functions of NumPy arrays, compiled on first call."""
    return _bind(module, device, lambda spec: composite(spec, device) if spec.cpu else compiled(spec))


def bind_plain(module: ModuleType, device) -> SimpleNamespace:
    """The same with every kernel's own loops compiled: the reference of the composites' speed and results."""
    return _bind(module, device, compiled)


def bind_python(module: ModuleType, device) -> SimpleNamespace:
    """The same, interpreted: slow, and the oracle the other halves are held to."""
    return SimpleNamespace(
        **{name: launcher(spec, spec.python, device.dtype) for name, spec in family(module).items()}
    )


def _bind(module: ModuleType, device, implementation: Callable[[KernelSpec], Callable]) -> SimpleNamespace:
    def with_threads(function: Callable) -> Callable:
        return lambda *args: limited(device.threads, function, args)

    return SimpleNamespace(
        **{
            name: launcher(spec, with_threads(implementation(spec)), device.dtype)
            for name, spec in family(module).items()
        }
    )


def launcher(spec: KernelSpec, function: Callable, dtype: np.dtype) -> Callable:
    """`function` behind the contract of registry.py: arrays flattened, scalars in the net's floating type."""

    def flat(array: np.ndarray) -> np.ndarray:
        if array.ndim == 1:
            return array
        return array.reshape(-1, copy=False)  # raises rather than hand the kernel a copy

    def same(value):
        return value

    convert = tuple(flat if p.is_array else dtype.type if p.kind is float else same for p in spec.parameters)

    def launch(*args) -> None:
        function(*[f(a) for f, a in zip(convert, args, strict=True)])

    launch.__name__ = spec.name
    launch.__doc__ = spec.python.__doc__
    return launch


def composite(spec: KernelSpec, device) -> Callable:
    """What the CPU uses instead of a kernel's loops; these, interpreted, where there is next to nothing to
    do."""

    def interpreted(*args) -> None:
        if RECORDING.tape is not None:
            RECORDING.tape.call(spec.python, *args)
        elif REHEARSAL.wanted is None:
            spec.python(*args)

    return unless_empty(spec, spec.cpu(device), interpreted)


@functools.cache
def compiled(spec: KernelSpec) -> Callable:
    """A kernel's loops as compiled code, shared by every device."""
    return Loops(spec.python, parallel=spec.parallel)


def jit(function: Callable, *, parallel: bool = False, **options) -> Callable:
    """`function`, compiled by Numba with the project's options when it is called first; the machine code is
    kept in cache.folder().

    parallel  its loop over prange, the last statement, is dealt to the threads (dealing.py); such a function
              is called from Python alone, others from compiled code too
    """
    if parallel:
        return Loops(function, parallel=True)
    return dispatcher(function, inner=PLACE.compiles, **options)


class Place:
    """Where this is.

    compiles  in a process that compiles for others, see compiler.py
    """

    compiles = False


PLACE = Place()


class Loops:
    """Compiled loops that are called from Python, with threads if `parallel`."""

    def __init__(self, function: Callable, *, parallel: bool) -> None:
        self.py_func, self.parallel = function, parallel
        self.dispatcher = dispatcher(dealing.entry(function) if parallel else function)

    def __call__(self, *args) -> None:
        if REHEARSAL.wanted is not None:
            types = tuple(map(self.dispatcher.typeof_pyval, (0, 0, 0, *args) if self.parallel else args))
            REHEARSAL.wanted[self.dispatcher, types] = None
        elif RECORDING.tape is not None:
            self._record(RECORDING.tape, args)
        else:
            self._run(*args)

    def _run(self, *args) -> None:
        self.dispatcher(*(team().place() if self.parallel else ()), *args)

    def _record(self, tape: Tape, args: tuple) -> None:
        if self.parallel and self._all_dealt:
            tape.loop(self.dispatcher, args, wanted())
        else:
            tape.call(limited, wanted(), self._run, args)

    @functools.cached_property
    def _all_dealt(self) -> bool:
        """Whether there is nothing besides the loop that is dealt."""
        cut = dealing.loops(self.py_func)
        return cut is not None and cut[1] is None

    @property
    def signatures(self) -> list[tuple]:
        """The types of arguments that it is compiled for."""
        return [types[3:] if self.parallel else types for types in self.dispatcher.signatures]


class Rehearsal(threading.local):
    """What the thread would have called since it began to note that down instead: dispatchers with types of
    arguments.  None if it does not."""

    wanted: dict[tuple[Any, tuple], None] | None = None


REHEARSAL = Rehearsal()


def rehearse(body: Callable[[], None]) -> None:
    """Have all the compiled code made that `body` calls, on all processors at once.  None of it is run."""
    folder = cache.folder()
    if folder is None or REHEARSAL.wanted is not None:
        return
    REHEARSAL.wanted = needed = {}
    try:
        body()
    finally:
        REHEARSAL.wanted = None
    if needed:
        for function, types in ((run, RUN), (serve, SERVE), (replay, REPLAY)):
            needed[by_address(function), types] = None
    lacking = [(code, types) for code, types in needed if lacks(code, types)]
    lacking.sort(key=lambda item: -len(item[0].py_func.__code__.co_code))  # what takes longest begins first
    compile_all(folder, [(*code._cache.owner, types) for code, types in lacking])


def record(body: Callable[[], None]) -> Callable[[], None]:
    """What `body` calls, as a function that calls the same again.  None of it is run."""
    tape = RECORDING.tape = Tape()
    try:
        body()
    finally:
        RECORDING.tape = None
    return tape.finished(lambda first, end: by_address(replay)(*team().place()[1:], first, end))


def lacks(code: Any, types: tuple) -> bool:
    """Whether a dispatcher could have code for these types made for it, and has none."""
    stored = code._cache
    return (
        isinstance(stored, Stored)
        and types not in code.overloads
        and not stored.path(types, code.targetctx).is_file()
    )


def dispatcher(function: Callable, *, inner: bool = False, **options) -> Any:
    """Numba's dispatcher of a function, with the project's options.

    inner  it is only called from code that is compiled with it: it needs neither cache nor wrapper for Python
    """
    options.update(nogil=True, error_model="numpy", fastmath=FAST_MATH)
    made = numba.njit(function, no_cpython_wrapper=inner, **{"no_cfunc_wrapper": True, **options})
    folder = None if inner or not storable(function) else cache.folder()
    if folder:  # else every process compiles
        asks = None if PLACE.compiles else functools.partial(order, folder)
        made._cache = Stored(function, folder, asks)  # what made.enable_caching() does
    return made


@functools.cache
def by_address(function: Callable) -> Any:
    """The dispatcher of a function of team.py, which compiled code calls by its address."""
    return dispatcher(function, no_cfunc_wrapper=False)


@functools.cache
def team() -> Team:
    """The threads of this process."""
    by_address(run).compile(RUN)
    by_address(serve).compile(SERVE)
    (found,) = by_address(run).overloads.values()
    address = found.library.get_pointer_to_function(found.fndesc.llvm_cfunc_wrapper_name)
    return Team(address, by_address(serve))
