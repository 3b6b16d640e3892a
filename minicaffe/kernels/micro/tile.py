"""The register tile: a block of C kept in registers while A and B stream past.

    acc[m][:] = sum over k < depth of  a[k * step + rows[m]] * b[k * ldb : k * ldb + width]

For each k, two (or `vectors`) vectors of B are loaded and every row's element of A is broadcast and
multiplied in: with 14 rows and two 512-bit vectors, 28 multiply-adds for 16 loads, so the multipliers and not
the memory set the pace (measured: 95 to 99 % of the peak).  The element of A may lie anywhere, which `rows`
and `step` express: (0, 1, 2, ...) with step = rows for a packed panel, multiples of a panel's width with step
1 for a panel read along its rows.  `tile_in_place` reads the rows of a matrix as they lie, however long they
are: as many streams as there are rows, which is no slower than one, and nothing has to be packed.

`finish` says what becomes of the sums:  "set" c = acc,  "add" c += acc;  or which of these are done to them
before they are stored, in this order and joined by _:  "scale" acc * scale[m],  "bias" acc + bias[m],  "relu"
0 in place of what is negative (NaN stays).
The tile always covers its full height and width; callers send the ragged edge of a matrix through a small
buffer.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from .builder import Function
from .kernel import micro_kernel
from .machine import Machine

# Addresses a, b, c, scale and bias; strides in elements.  What `finish` does not ask for is not read.
ARGUMENTS = ("depth", "a", "b", "ldb", "c", "ldc", "scale", "bias")
IN_PLACE = ("depth", "a", "lda", *ARGUMENTS[2:])


@micro_kernel
def tile(
    rows: tuple[int, ...], step: int, vectors: int, finish: str, itemsize: int, machine: Machine
) -> Function:
    """The address of a tile kernel with ARGUMENTS; depth >= 1."""
    f = Function(ARGUMENTS, itemsize, machine)
    a = f.pointer("a")
    return _write(f, len(rows), vectors, finish, lambda k, m: f.at(a, (k, step), rows[m]))


@micro_kernel
def tile_in_place(rows: int, vectors: int, finish: str, itemsize: int, machine: Machine) -> Function:
    """The same with arguments IN_PLACE: a[m * lda + k] is the element of row m; depth >= 1."""
    f = Function(IN_PLACE, itemsize, machine)
    starts = [f.at(f.pointer("a"), (m, f.arguments["lda"])) for m in range(rows)]
    return _write(f, rows, vectors, finish, lambda k, m: f.at(starts[m], k))


def _write(f: Function, rows: int, vectors: int, finish: str, element_of_a: Callable) -> int:
    """The tile as function f; element_of_a(k, m) is the pointer to it."""
    lanes = f.machine.lanes(f.itemsize)
    b, c = f.pointer("b"), f.pointer("c")
    follows = finish.split("_")

    def multiply(k, acc):
        b_k = f.at(b, (k, f.arguments["ldb"]))
        row_of_b = [f.load(f.at(b_k, v * lanes), lanes) for v in range(vectors)]
        sums = []
        for m in range(rows):
            element = f.broadcast(element_of_a(k, m), lanes)
            sums += [f.multiply_add(element, row_of_b[v], acc[m * vectors + v]) for v in range(vectors)]
        return sums

    for m, v in np.ndindex(rows, vectors):  # lines of c arrive while the sums are made
        f.prefetch(f.at(c, (m, f.arguments["ldc"]), v * lanes), ahead=0, write=True)
    sums = f.loop(f.arguments["depth"], [f.zero(lanes)] * (rows * vectors), multiply)
    for m in range(rows):
        for v in range(vectors):
            target = f.at(c, (m, f.arguments["ldc"]), v * lanes)
            value = sums[m * vectors + v]
            if finish == "add":
                value = f.build.fadd(f.load(target, lanes), value)
            f.store(finished(f, value, follows, m), target)
    return f


def finished(f: Function, value, follows: Sequence[str], m: int):
    """What is stored in place of a vector of sums: f has the addresses of scale and bias, of which those at m
    are meant."""
    lanes = value.type.count
    scale, bias = (
        f.broadcast(f.at(f.pointer(name), m), lanes) if name in follows else None
        for name in ("scale", "bias")
    )
    return ended(f, value, scale, bias, "relu" in follows)


def ended(f: Function, value, scale, bias, relu: bool):
    """A vector times `scale` plus `bias`, each a vector or None; with `relu` then 0 in place of what is
    negative (NaN stays)."""
    zero = f.zero(value.type.count)
    if scale is not None:
        value = f.multiply_add(value, scale, zero if bias is None else bias)
    elif bias is not None:
        value = f.build.fadd(value, bias)
    if relu:
        negative = f.build.fcmp_ordered("<=", value, zero)
        value = f.build.select(negative, zero, value)
    return value


@functools.cache
def best_rows(count: int, machine: Machine) -> int:
    """The tile height that covers `count` rows in the least time: each tile costs its rows plus about one."""
    return min(range(1, machine.tile_rows + 1), key=lambda rows: (-(-count // rows) * (rows + 1.0), -rows))
