"""A square block of vectors turned in registers: dst[j * ldd + i] = src[i * lds + j] for i, j < lanes.

A butterfly of log2(lanes) rounds: in the round of stride s, rows i and i + s swap the off-diagonal s-by-s
blocks.
"""

from __future__ import annotations

from .builder import Function
from .kernel import micro_kernel
from .machine import Machine

ARGUMENTS = ("src", "lds", "dst", "ldd")  # addresses and row strides in elements


@micro_kernel
def transpose(itemsize: int, machine: Machine) -> Function:
    """The address of the kernel with ARGUMENTS; it reads and writes lanes x lanes elements."""
    lanes = machine.lanes(itemsize)
    f = Function(ARGUMENTS, itemsize, machine)
    src, dst = f.pointer("src"), f.pointer("dst")
    rows = [f.load(f.at(src, (i, f.arguments["lds"])), lanes) for i in range(lanes)]
    stride = lanes // 2
    while stride:
        for i in range(lanes):
            if i & stride:
                continue
            upper, lower = rows[i], rows[i + stride]
            low = [j if not j & stride else lanes + j - stride for j in range(lanes)]
            high = [j + stride if not j & stride else lanes + j for j in range(lanes)]
            rows[i], rows[i + stride] = f.shuffle(upper, lower, low), f.shuffle(upper, lower, high)
        stride //= 2
    for j, row in enumerate(rows):
        f.store(row, f.at(dst, (j, f.arguments["ldd"])))
    return f
