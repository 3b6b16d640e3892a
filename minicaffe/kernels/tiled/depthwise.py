"""Convolution of every channel by itself, c = m = 1, and its gradients: a product of one row would use little
of a tile.  Here a block of a plane's outputs is a tile (micro/windows.py).

A plane is copied into one with borders of zeros (planes.py), and the kernel is called for every *pass*: rows
of the result a stride apart, which have the same taps.

    forward            one pass for each plane of the output
    gradient by data   the same over dy, with the weights turned around; with a stride of s, every s-th row
                       has the same taps, and so every s-th column, the kernel's `turns`
    by weights         a vector of sums for each tap, over all images; channels are dealt to the threads
"""

from __future__ import annotations

import functools
import itertools
from typing import NamedTuple

import numpy as np
from numba import prange

from ..cpu import jit
from ..micro.builder import address, call
from ..micro.machine import Machine
from ..micro.windows import SORTED, Pass, Rows, Sums, into_borders, lanes_of, weights, windows
from .panels import VECTORS, carve, part_of, threads
from .planes import Plane, layout

TALLEST = 8  # columns of taps that share what is read; a higher one is as many of one tap
MOST_TAPS = 64  # of the gradient by weights, whose kernel is as long

# Where numbers lie in the table that tells loops and kernels what to do: one array is handed over sooner than
# many.
COPY, PASSES, TAPS, FIRST_PASS, IMAGES, CHANNELS, X_STEP, Y_STEP, X_SIZE, Y_SIZE, WEIGHTS, ROWS = range(12)
PASS = 1 + len(Pass._fields)  # of a pass: its kernel, and what that reads


class Plan(NamedTuple):
    """What is done with every plane."""

    size: int  # elements of its copy that are read, by what sticks out too
    step: int  # from one plane under a tap to that under the next output
    table: np.ndarray  # int64


class Way(NamedTuple):
    """How elements along an axis, those of one place within the stride, come about from those of the other
    side."""

    count: int
    first: int  # what element 0 reads under its first tap,
    apart: int  # and from one tap to the next
    tap: int  # the first tap,
    down: int  # and to the next
    taps: int


def block_of(rows: int, columns: int, turns: int, lanes: int, machine: Machine) -> tuple[int, int]:
    """Rows of a block and vectors across it: its sums, a column of weights and an operand must fit the
    registers."""
    vectors = min(VECTORS, -(-columns // lanes))
    most = max(1, (machine.registers - 8) // (vectors * turns))
    return -(-rows // -(-rows // most)), vectors


def plan_of(plane: Plane, kernels: list[int], passes: list, taps, fixed: tuple, itemsize, machine) -> Plan:
    """`fixed`: the numbers from IMAGES on."""
    lanes = lanes_of(plane.stride, itemsize, machine)
    rows = Rows(plane.rows.size, plane.width, -(-plane.width // (plane.stride * lanes)))
    rows = [*rows, *plane.columns, *plane.rows]
    taps = np.ravel(taps)
    records = [number for kernel, one in zip(kernels, passes) for number in (kernel, *one)]
    at_taps, copy = ROWS + len(rows), into_borders(plane.stride, itemsize, machine)
    head = copy, len(passes), at_taps, at_taps + taps.size, *fixed
    over = max(one.pitch for one in passes) * machine.registers  # blocks stick out behind the last row
    return Plan(plane.size + over, int(plane.steps[0]), np.array([*head, *rows, *taps, *records], np.int64))


@functools.lru_cache(maxsize=256)
def forward_plan(g, end: str, itemsize: int, machine: Machine) -> Plan:
    """Of kernels.convolution.conv_forward."""
    p, lanes = layout(g), machine.lanes(itemsize)
    high = g.kh if g.kh <= TALLEST else 1
    columns = [
        table.reshape(g.kd, g.kh, g.kw)[:, ::high].ravel() for table in (p.taps, np.arange(p.taps.size))
    ]
    rows, vectors = block_of(g.oh, g.ow, 1, lanes, machine)
    kernel = windows(high, g.sh, g.lh, rows, vectors, (columns[0].size,), end, itemsize, machine)
    across, apart = -(-g.ow // (vectors * lanes)), p.size // (g.sd * g.sh)
    passes = [
        Pass(
            rows=g.oh,
            columns=g.ow,
            blocks=-(-g.oh // rows),
            across=across,
            x=z * p.steps[0],
            pitch=p.steps[1],
            apart=apart,
            taps=0,
            w=0,
            down=g.kw,
            y=z * g.oh * g.ow,
            step=g.ow,
        )
        for z in range(g.od)
    ]
    fixed = g.n, g.groups, g.x_step, g.y_step, p.area, g.pixels, g.taps
    return plan_of(p, [kernel] * g.od, passes, np.stack(columns, 1), fixed, itemsize, machine)


def ways(taps: int, stride: int, pad: int, dilation: int, size: int) -> list[Way]:
    """For every place within the stride, how a gradient by data comes about from that of the outputs."""
    if stride == 1:
        first = pad - dilation * (taps - 1)
        return [Way(size, first, dilation, taps - 1, -1, taps)]
    found = []
    for place in range(stride):
        last, tap = divmod(place + pad, stride)  # the last window that holds the element, under this tap
        count = -(-(taps - tap) // stride)
        way = Way(
            -(-(size - place) // stride), last - count + 1, 1, tap + (count - 1) * stride, -stride, count
        )
        found.append(way)
    return found


def axes(g):
    """(taps, stride, pad, dilation, size) along every axis of the image."""
    return (
        (g.kd, g.sd, g.pd, g.ld, g.d),
        (g.kh, g.sh, g.ph, g.lh, g.h),
        (g.kw, g.sw, g.pw, g.lw, g.w),
    )


def fits_by_data(g) -> bool:
    """Whether backward_data takes a geometry."""
    simple = all(s == 1 or (l == 1 and s <= k) for k, s, _, l, _ in axes(g))
    return g.c == g.m == 1 and simple and g.kh <= TALLEST and g.sw <= SORTED and g.n > 0


def fits_by_weights(g) -> bool:
    """Whether backward_weights does."""
    return g.c == g.m == 1 and g.taps <= MOST_TAPS and g.n > 0


@functools.lru_cache(maxsize=256)
def backward_plan(g, itemsize: int, machine: Machine) -> Plan:
    """Of conv_backward_data."""
    along = [ways(*axis) for axis in axes(g)]
    before = [max(0, *(-way.first for way in some)) for some in along]
    reach = [
        border + max(way.count + way.first + way.apart * (way.taps - 1) for way in some)
        for border, some in zip(before, along)
    ]
    # A window of one tap over dy, which reaches so far.
    sizes = dict(
        zip(("d", "h", "w", "od", "oh", "ow", "pd", "ph", "pw"), (g.od, g.oh, g.ow, *reach, *before))
    )
    ones = dict.fromkeys(("kd", "kh", "kw", "sd", "sh", "sw", "ld", "lh", "lw"), 1)
    p, lanes = layout(g._replace(**sizes, **ones)), machine.lanes(itemsize)
    kernels, passes, taps = [], [], []
    columns = along[2][0].count
    for z, (a, high) in itertools.product(range(g.d), enumerate(along[1])):
        if high.count == 0:
            continue
        deep, begin = along[0][z % g.sd], len(taps)
        for wide in along[2]:
            for i, j in np.ndindex(deep.taps, wide.taps):
                plane = z // g.sd + before[0] + deep.first + i * deep.apart
                weight = (deep.tap + i * deep.down) * g.kh * g.kw + wide.tap + j * wide.down
                taps.append((plane * p.steps[0] + before[2] + wide.first + j * wide.apart, weight))
        rows, vectors = block_of(high.count, columns, g.sw, lanes, machine)
        counts = tuple(deep.taps * wide.taps for wide in along[2])
        end = "add" if g.add else "set"
        kernels.append(windows(high.taps, 1, high.apart, rows, vectors, counts, end, itemsize, machine))
        passes.append(
            Pass(
                rows=high.count,
                columns=g.w,
                blocks=-(-high.count // rows),
                across=-(-columns // (vectors * lanes)),
                x=(before[1] + high.first) * p.steps[1],
                pitch=p.steps[1],
                apart=0,
                taps=2 * begin,
                w=high.tap * g.kw,
                down=high.down * g.kw,
                y=(z * g.h + a) * g.w,
                step=g.sh * g.w,
            )
        )
    fixed = g.n, g.groups, g.y_step, g.x_step, p.area, g.d * g.h * g.w, g.taps
    return plan_of(p, kernels, passes, taps, fixed, itemsize, machine)


@functools.lru_cache(maxsize=256)
def weights_plan(g, itemsize: int, machine: Machine) -> Plan:
    """Of conv_backward_weights: a pass for each plane of the output, with the same numbers."""
    p = layout(g)
    taps = p.taps.reshape(-1, g.kw)
    kernel = weights(len(taps), g.kw, itemsize, machine)
    one = Sums(g.oh, g.ow, -(-g.ow // machine.lanes(itemsize)), p.steps[1])
    taps = [*one, *taps[:, 0], *taps[0]]
    fixed = g.n, g.groups, g.x_step, g.y_step, p.area, g.pixels, g.taps
    return plan_of(p, [kernel], [one], taps, fixed, itemsize, machine)


def run(x, w, scale, bias, y, images, table):
    """Every item is a plane of x, and one of y."""
    channels, weights, passes = table[CHANNELS], table[WEIGHTS], table[PASSES]
    for part in prange(len(images)):
        image = images[part]
        image[:] = 0
        first, last = part_of(part, len(images), table[IMAGES] * channels)
        for plane in range(first, last):
            n, c = plane // channels, plane % channels
            source = address(x, n * table[X_STEP] + c * table[X_SIZE])
            call(table[COPY], (address(table, ROWS), source, address(image, 0)))
            read = address(image, 0), address(table, table[TAPS]), address(w, c * weights)
            out = address(y, n * table[Y_STEP] + c * table[Y_SIZE]), address(scale, c), address(bias, c)
            for i in range(passes):
                at = table[FIRST_PASS] + i * PASS
                call(table[at], (address(table, at + 1), *read, *out))


def add_gradients(x, dy, dw, images, sums, table, depth, step, lanes):
    """Every item is a channel; its images have `depth` planes of outputs, which read planes `step` apart."""
    channels, weights = table[CHANNELS], table[WEIGHTS]
    for part in prange(len(images)):
        image, own = images[part], sums[part]
        image[:] = 0
        first, last = part_of(part, len(images), channels)
        for c in range(first, last):
            own[:] = 0
            for n in range(table[IMAGES]):
                source = address(x, n * table[X_STEP] + c * table[X_SIZE])
                call(table[COPY], (address(table, ROWS), source, address(image, 0)))
                for z in range(depth):
                    at = n * table[Y_STEP] + c * table[Y_SIZE] + z * (table[Y_SIZE] // depth)
                    read = address(table, table[TAPS]), address(image, z * step), address(dy, at)
                    call(table[table[FIRST_PASS]], (*read, address(own, 0)))
            for tap in range(weights):
                for lane in range(lanes):
                    dw[c * weights + tap] += own[tap * lanes + lane]


run, add_gradients = jit(run, parallel=True), jit(add_gradients, parallel=True)


def forward(device, x, w, scale, bias, y, end: str, g) -> None:
    """kernels.convolution.conv_forward for g.c = g.m = 1 on a CPU device; `end` as of micro.tile."""
    plan = forward_plan(g, end, device.dtype.itemsize, device.machine)
    (images,) = carve(device, (threads(), plan.size))
    run(x, w, scale, bias, y, images, plan.table)


def backward_data(device, dy, w, dx, g) -> None:
    """conv_backward_data, where that fits."""
    plan = backward_plan(g, device.dtype.itemsize, device.machine)
    (images,) = carve(device, (threads(), plan.size))
    run(dy, w, w, w, dx, images, plan.table)


def backward_weights(device, x, dy, dw, g) -> None:
    """conv_backward_weights, where that fits."""
    itemsize, lanes = device.dtype.itemsize, device.machine.lanes(device.dtype.itemsize)
    plan = weights_plan(g, itemsize, device.machine)
    images, sums = carve(device, (threads(), plan.size), (threads(), g.taps * lanes))
    add_gradients(x, dy, dw, images, sums, plan.table, g.od, plan.step, lanes)
