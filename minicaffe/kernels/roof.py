"""What bounds every kernel of a processor, measured: multiply-adds in registers, memory read and moved.

Each thread runs a loop of its own, which no other waits for: what threads that share a loop cost is a
kernel's own affair.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .cpu import jit
from .micro.builder import address, call
from .micro.tile import tile
from .tiled.panels import VECTORS

DEPTH = 128  # of the product: both of its panels stay in the innermost cache


@jit
def multiply(kernel, a, b, c, width, repeats):
    """The tile a b, again and again."""
    for _ in range(repeats):
        call(kernel, (DEPTH, address(a, 0), address(b, 0), width, address(c, 0), width, 0, 0))


@jit
def read(x, total):
    """The sum of x."""
    found = x.dtype.type(0)
    for i in range(x.size):
        found += x[i]
    total[0] = found


@jit
def triad(x, y, z, factor):
    """x = y + factor z."""
    for i in range(x.size):
        x[i] = y[i] + factor * z[i]


def multiplying(device, threads: int, flops: float) -> tuple[Callable[[], None], int]:
    """A call that multiplies and adds in registers, about so many operations on every thread, and how many
    they are together."""
    machine, dtype = device.machine, device.dtype
    rows, width = machine.tile_rows, VECTORS * machine.lanes(dtype.itemsize)
    kernel = tile(tuple(range(rows)), rows, VECTORS, "set", dtype.itemsize, machine)
    panels = [device.zeros((threads, size)) for size in (DEPTH * rows, DEPTH * width, rows * width)]
    once = 2 * rows * width * DEPTH
    repeats = max(1, round(flops / once))
    run = _at_once([lambda own=own: multiply(kernel, *own, width, repeats) for own in zip(*panels)])
    return run, once * repeats * threads


def reading(device, threads: int, nbytes: int) -> tuple[Callable[[], None], int]:
    """A call that reads an array of so many bytes, and the bytes."""
    x, totals = device.zeros((nbytes // device.dtype.itemsize,)), device.zeros((threads, 1))
    parts = zip(np.array_split(x, threads), totals)
    return _at_once([lambda own=own: read(*own) for own in parts]), x.nbytes


def moving(device, threads: int, nbytes: int) -> tuple[Callable[[], None], int]:
    """A call that reads two arrays of so many bytes and writes a third, and the bytes of all three."""
    arrays = [device.zeros((nbytes // device.dtype.itemsize,)) for _ in range(3)]
    factor = device.dtype.type(3)
    parts = zip(*(np.array_split(array, threads) for array in arrays))
    return _at_once([lambda own=own: triad(*own, factor) for own in parts]), 3 * arrays[0].nbytes


def _at_once(works: list[Callable[[], None]]) -> Callable[[], None]:
    """A call that runs them all, each in a thread."""
    pool = ThreadPoolExecutor(len(works))

    def run() -> None:
        for future in [pool.submit(work) for work in works]:
            future.result()

    return run
