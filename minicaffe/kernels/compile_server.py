"""The process that compiles kernels for another one, see compiler.py."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import inspect
import pickle
import signal
import sys
from typing import Any

from numba.core.registry import cpu_target

from . import cache, cpu
from .cpu import Loops, by_address, compiled, dispatcher
from .linked import Codegen
from .registry import KernelSpec


def serve() -> None:
    """The child: one request after the other, until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, whose end ends this process
    folder = pickle.load(sys.stdin.buffer)
    cache.folder = lambda: folder
    cpu.PLACE.compiles = True
    prepare()
    replies, sys.stdout = sys.stdout, sys.stderr  # what is printed by others must not pass for a reply
    while True:
        try:
            module, name, types, wait = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        with contextlib.suppress(BrokenPipeError):
            print(store(module, name, types, wait), file=replies, flush=True)


def prepare() -> None:
    """Make compiling short: see linked.py; no search for cycles of garbage after every few objects of the
    many that a compiler makes; and none of SciPy, the import of which takes as long as a kernel."""
    cpu_target.target_context._internal_codegen = Codegen("numba.exec")
    gc.freeze()
    gc.set_threshold(20_000)
    sys.modules["scipy"] = None  # type: ignore[assignment]  # not to be found
    importlib.import_module("numba.np.arraymath")  # which looks whether there is a BLAS
    del sys.modules["scipy"]


def store(module: str, name: str, types: bytes, wait: bool) -> str:
    """Compile one function for pickled types into the cache, see Child.compile; the parent reports what goes
    wrong."""
    try:
        code = whole(getattr(importlib.import_module(module), name))
        with cache.alone(cache.folder() / f"{module}.{name}.lock", wait=wait):  # who waits finds it compiled
            code.compile(pickle.loads(types))
    except BlockingIOError:
        return "busy"
    except OSError as error:
        return f"full: {error.strerror or error}"
    except Exception:
        return "failed"
    return "stored"


@functools.cache
def whole(found) -> Any:
    """The dispatcher that makes code for other processes: of a kernel, or of what `jit` returned."""
    if inspect.isfunction(found):
        return by_address(found)
    loops = compiled(found) if isinstance(found, KernelSpec) else found
    return loops.dispatcher if isinstance(loops, Loops) else dispatcher(loops.py_func)
