"""The process that compiles kernels for another one, see compiler.py."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import pickle
import signal
import sys
from typing import Any

from . import cache, cpu
from .cpu import Loops, by_address, compiled, dispatcher
from .registry import KernelSpec


def serve() -> None:
    """The child: one request after the other, until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, whose end ends this process
    folder = pickle.load(sys.stdin.buffer)
    cache.folder = lambda: folder
    cpu.PLACE.compiles = True
    replies, sys.stdout = sys.stdout, sys.stderr  # what is printed by others must not pass for a reply
    while True:
        try:
            module, name, types, wait = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        with contextlib.suppress(BrokenPipeError):
            print(store(module, name, types, wait), file=replies, flush=True)


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
