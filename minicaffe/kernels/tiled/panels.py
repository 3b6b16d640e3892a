"""Packing into panels, and the tools around a register tile; compiled pieces that the composites share."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..cpu import jit
from ..micro.builder import address, call
from ..micro.copy import copy
from ..micro.machine import Machine
from ..micro.transpose import transpose
from ..threads import wanted

VECTORS = 2  # vectors across a tile


class Tiling(NamedTuple):
    """What compiled drivers need to know of the tiles; sizes in elements."""

    lanes: int
    width: int  # of a panel of B: VECTORS vectors
    turn: int  # addresses: the transpose of a square,
    copy: int  # the copy of rows one vector wide,
    copy_panel: int  # and of rows of a panel


def tiling(dtype: np.dtype, machine: Machine) -> Tiling:
    lanes, itemsize = machine.lanes(dtype.itemsize), dtype.itemsize
    copies = copy(1, itemsize, machine), copy(VECTORS, itemsize, machine)
    return Tiling(lanes, VECTORS * lanes, transpose(itemsize, machine), *copies)


def last_vectors(pixels: int, t: Tiling) -> int:
    """Vectors across the tiles of the last panel of so many pixels."""
    return 1 if 0 < pixels % t.width <= t.lanes else VECTORS


MOST_SUMS = 16  # parts of a sum that the threads share
SUM_LENGTH = 1024  # numbers that a part has at least, so that adding up the parts costs little beside it
SUM_BYTES = 32 << 20  # that all parts of all sums take at most


def threads() -> int:
    """How many threads share the work of a call.  Arrays may follow from it, results may not."""
    return wanted()


def sums_apart(length: int, nbytes: int) -> int:
    """Into how many parts a sum of so many numbers is cut, of which all results together take nbytes: a power
    of two, for even shares.  It follows from the geometry alone, so that the order of the sum does."""
    parts = 2
    while 2 * parts <= min(MOST_SUMS, length // SUM_LENGTH, SUM_BYTES // nbytes):
        parts *= 2
    return parts


MOST_ITEMS = 32  # of work, dealt to the threads
ITEM = 1 << 16  # multiply-adds in one, at least: a few microseconds


def items_of(multiply_adds: int) -> int:
    """Into about how many items a product is cut for the threads, so that none waits for long."""
    return max(1, min(MOST_ITEMS, multiply_adds // ITEM))


def evenly(length: int, most: int) -> int:
    """How long the pieces are of which as few as can be, none longer than `most`, cover a length."""
    return -(-length // -(-length // most))


def carve(device, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    """Arrays of the device's floating type side by side in its workspace, each with a tile row of slack
    behind every row of its last axis, which starts on a cache line."""
    return carver(device, *shapes)()


def carver(device, *shapes: tuple[int, ...]) -> Callable[[], list[np.ndarray]]:
    """What carves them, for calls that come again."""
    dtype, itemsize = device.dtype, device.dtype.itemsize
    slack = device.machine.tile_rows * VECTORS * device.machine.lanes(itemsize)
    total, places = side_by_side(64 // itemsize, slack, shapes)
    nbytes = total * itemsize

    def arrays() -> list[np.ndarray]:
        block = device.workspace(nbytes)[:nbytes].view(dtype)
        return [block[start:end].reshape(shape) for start, end, shape in places]

    return arrays


@functools.lru_cache(maxsize=1024)
def side_by_side(line: int, slack: int, shapes) -> tuple[int, list[tuple[int, int, tuple[int, ...]]]]:
    """How many elements all have; of each its first, the one behind its last, and its shape with slack."""
    total, places = 0, []
    for shape in shapes:
        shape = (*shape[:-1], -(-(shape[-1] + slack) // line) * line)
        places.append((total, total + math.prod(shape), shape))
        total += math.prod(shape)
    return total, places


def part_of(part, parts, count):
    """The half-open range of `count` items that falls to `part` of `parts`."""
    return part * count // parts, (part + 1) * count // parts


part_of = jit(part_of)


@jit
def pack(x, start, minor, major, count, depth, panel, out, t):
    """out[q][p][w] = x[start + (q * panel + w) * minor + p * major] for p < depth; zero where q * panel + w
    >= count.

    One of minor and major is 1.
    """
    for q in range((count + panel - 1) // panel):
        first = start + q * panel * minor
        pack_panel(x, first, minor, major, count - q * panel, depth, panel, out, q * depth * panel, t)


@jit
def pack_panel(x, first, minor, major, available, depth, panel, out, at, t):
    """One panel of `pack`: `available` elements lie at `first` and after it, of which `panel` at most are
    taken."""
    live = min(panel, available)
    if live < panel:
        out[at : at + depth * panel] = 0  # in one go, what is live included
    whole = 0  # rows of the panel that vectors can fill
    if available >= t.lanes:
        # Vectors of the panel, or squares turned in registers; the last one across overlaps its neighbour.
        # If a panel is narrower than a vector, each row sticks out over the next one, which is written after
        # it; the last row must not, since the next panel may be another thread's.
        whole = depth if live >= t.lanes else depth - 1
        if minor != 1:
            whole = whole // t.lanes * t.lanes
        elif live == panel == t.width:
            call(t.copy_panel, (depth, address(x, first), major, address(out, at), panel))
            return
        for w in range(0, live, t.lanes):
            w = max(0, min(w, live - t.lanes))
            if minor != 1:
                for p in range(0, whole, t.lanes):
                    source = address(x, first + w * minor + p)
                    call(t.turn, (source, minor, address(out, at + p * panel + w), panel))
            elif whole:
                call(t.copy, (whole, address(x, first + w), major, address(out, at + w), panel))
    for p in range(whole, depth):
        for w in range(live):
            out[at + p * panel + w] = x[first + p * major + w * minor]


@jit
def store_edge(edge, c, at, ldc, rows, columns, width, add):
    """Copy (or add) the live corner of a full tile, which the tile wrote to `edge`, into c."""
    for i in range(rows):
        for j in range(columns):
            value = edge[i * width + j]
            c[at + i * ldc + j] = c[at + i * ldc + j] + value if add else value
