"""Rows of a few vectors each, copied: dst[i * ldd + j] = src[i * lds + j] for i < rows, j < vectors * lanes.

Numba's own loop over so short a row of unknown overlap takes ten times as long.
"""

from __future__ import annotations

from .builder import Function
from .kernel import micro_kernel
from .machine import Machine

ARGUMENTS = ("rows", "src", "lds", "dst", "ldd")  # addresses; strides in elements; rows >= 1


@micro_kernel
def copy(vectors: int, itemsize: int, machine: Machine) -> Function:
    """The address of the kernel with ARGUMENTS."""
    lanes = machine.lanes(itemsize)
    f = Function(ARGUMENTS, itemsize, machine)
    src, dst = f.pointer("src"), f.pointer("dst")

    def row(i, _):
        values = [f.load(f.at(src, (i, f.arguments["lds"]), v * lanes), lanes) for v in range(vectors)]
        for v, value in enumerate(values):
            f.store(value, f.at(dst, (i, f.arguments["ldd"]), v * lanes))
        return []

    f.loop(f.arguments["rows"], [], row)
    return f
