"""Micro-kernels as machine code: written and compiled once, kept in the cache folder, loaded ever after.

    kernels-<digest>/minicaffe.kernels.micro.tile-<digest>/tile_in_place-<key>.code

is an object file for the linker.  The key is made of the name of what writes the kernel and of its arguments,
the processor among them, the folders' names of sources (cache.py).  To load one takes 0.1 ms; to write and
compile one takes 8 to 130 ms, and a LeNet that trains has 25.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable

import llvmlite.binding as llvm

from .. import cache, kept, sources
from .builder import Function

_LINKER = threading.Lock()


def micro_kernel(write: Callable[..., Function]) -> Callable[..., int]:
    """`write` writes a micro-kernel; called with the same arguments, what this returns gives the address of
    its machine code."""

    @functools.cache
    def address(*arguments, **named) -> int:
        owner = f"{write.__module__}.{write.__qualname__}"
        key = hashlib.sha256(repr((owner, arguments, named)).encode()).hexdigest()[:20]
        symbol, folder = f"{write.__name__}-{key}", cache.folder()
        path = sources.place(folder, write.__module__) / f"{symbol}.code" if folder else None
        found = kept.read(path, lambda content: _linked(content, symbol)) if path else None
        if found is not None:
            return found
        code = write(*arguments, **named).compile(symbol)
        if path and not kept.Full.said:
            try:
                kept.write(path, code)
            except OSError as error:
                kept.complain(folder, error.strerror or str(error))
        return _linked(code, symbol)

    return functools.wraps(write)(address)


@functools.cache
def _linker() -> llvm.ExecutionEngine:
    """Machine code lives as long as what linked it."""
    machine = llvm.Target.from_default_triple().create_target_machine()
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)


def _linked(code: bytes, symbol: str) -> int:
    with _LINKER:
        _linker().add_object_file(llvm.ObjectFileRef.from_data(code))
        _linker().finalize_object()
        address = _linker().get_function_address(symbol)
    if not address:
        raise ValueError(f"it has no function {symbol}")
    return address
