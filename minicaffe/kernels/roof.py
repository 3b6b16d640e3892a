"""What bounds every kernel of a processor, measured: multiply-adds in registers, memory read and moved."""

from __future__ import annotations

from collections.abc import Callable

from numba import prange

from .cpu import jit
from .micro.builder import address, call
from .micro.tile import tile
from .tiled.panels import VECTORS, part_of, threads

DEPTH = 128  # of the product: both of its panels stay in the innermost cache
PARTS = 64  # of an array that is read or moved


def multiply(kernel, a, b, c, width, repeats):
    """Each row of a times its row of b, again and again."""
    for part in prange(len(a)):
        for _ in range(repeats):
            call(
                kernel,
                (DEPTH, address(a[part], 0), address(b[part], 0), width, address(c[part], 0), width, 0, 0),
            )


def read(x, sums):
    """The sum of x, part by part."""
    for part in prange(sums.size):
        first, last = part_of(part, sums.size, x.size)
        total = x.dtype.type(0)
        for i in range(first, last):
            total += x[i]
        sums[part] = total


def triad(x, y, z, factor):
    """x = y + factor z."""
    for part in prange(PARTS):
        first, last = part_of(part, PARTS, x.size)
        for i in range(first, last):
            x[i] = y[i] + factor * z[i]


multiply, read, triad = (jit(loop, parallel=True) for loop in (multiply, read, triad))


def multiplying(device, flops: float) -> tuple[Callable[[], None], int]:
    """A call that multiplies and adds in registers, about so many operations on every thread, and how many
    they are together."""
    machine, dtype = device.machine, device.dtype
    rows, width, parts = machine.tile_rows, VECTORS * machine.lanes(dtype.itemsize), threads()
    kernel = tile(tuple(range(rows)), rows, VECTORS, "set", dtype.itemsize, machine)
    a, b, c = (device.zeros((parts, size)) for size in (DEPTH * rows, DEPTH * width, rows * width))
    once = 2 * rows * width * DEPTH
    repeats = max(1, round(flops / once))
    return lambda: multiply(kernel, a, b, c, width, repeats), once * repeats * parts


def reading(device, nbytes: int) -> tuple[Callable[[], None], int]:
    """A call that reads an array of so many bytes, and the bytes."""
    x, sums = device.zeros((nbytes // device.dtype.itemsize,)), device.zeros((PARTS,))
    return lambda: read(x, sums), x.nbytes


def moving(device, nbytes: int) -> tuple[Callable[[], None], int]:
    """A call that reads two arrays of so many bytes and writes a third, and the bytes of all three."""
    x, y, z = (device.zeros((nbytes // device.dtype.itemsize,)) for _ in range(3))
    factor = device.dtype.type(3)
    return lambda: triad(x, y, z, factor), 3 * x.nbytes
