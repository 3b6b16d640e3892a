"""The process that compiles kernels for another one, see compiler.py."""

from __future__ import annotations

import contextlib
import importlib
import pickle
import signal
import sys

from . import cache
from .compiler import KernelCache
from .cpu import compiled
from .registry import KernelSpec


def serve() -> None:
    """The child: one request after the other, until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, whose end ends this process
    KernelCache.delegates = False
    folder = pickle.load(sys.stdin.buffer)
    cache.folder = lambda: folder
    replies, sys.stdout = sys.stdout, sys.stderr  # what is printed by others must not pass for a reply
    while True:
        try:
            module, name, signature = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        with contextlib.suppress(BrokenPipeError):
            print("stored" if stores(module, name, signature) else "failed", file=replies, flush=True)


def stores(module: str, name: str, signature) -> bool:
    """Compile one function for one signature into the cache; the parent reports what goes wrong."""
    try:
        function = getattr(importlib.import_module(module), name)
        dispatcher = compiled(function) if isinstance(function, KernelSpec) else function
        with cache.alone(cache.folder() / f"{module}.{name}.lock"):  # who waits finds it compiled
            dispatcher.compile(signature)
    except Exception:
        return False
    return True
