"""Words of memory that several threads read and write, in compiled loops.

All of these are sequentially consistent: whatever one thread sees of two of them, every other thread sees in
the same order.  Addresses are those of aligned 64-bit words.
"""

from __future__ import annotations

from numba import types
from numba.extending import intrinsic

from .builder import INT

ORDER = "seq_cst"


@intrinsic
def load(typing_context, address):
    """The word at an address."""

    def generate(context, build, signature, values):
        return build.load_atomic(build.inttoptr(values[0], INT.as_pointer()), ORDER, 8)

    return types.int64(types.int64), generate


@intrinsic
def store(typing_context, address, value):
    """Write a word."""

    def generate(context, build, signature, values):
        build.store_atomic(values[1], build.inttoptr(values[0], INT.as_pointer()), ORDER, 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def add(typing_context, address, count):
    """Add to a word; returns what it was."""

    def generate(context, build, signature, values):
        return build.atomic_rmw("add", build.inttoptr(values[0], INT.as_pointer()), values[1], ORDER)

    return types.int64(types.int64, types.int64), generate


@intrinsic
def replace(typing_context, address, old, new):
    """Write `new` if the word is `old`; whether it was."""

    def generate(context, build, signature, values):
        pointer = build.inttoptr(values[0], INT.as_pointer())
        return build.extract_value(build.cmpxchg(pointer, values[1], values[2], ORDER, ORDER), 1)

    return types.boolean(types.int64, types.int64, types.int64), generate
