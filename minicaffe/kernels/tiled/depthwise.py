"""Convolution of every channel by itself, c = m = 1: a product of one row would use little of a tile.

A plane is copied into a sorted one (planes.py).  As sorted rows are of one length, a plane is one run of
outputs: the last of a row, and the first of the next, have a few between them that are computed and dropped.
So each tap is one factor for a long loop, which vectors run through.
"""

from __future__ import annotations

from numba import prange

from ..cpu import jit
from ..finish import finish
from ..micro.builder import address, call
from .panels import carve, part_of, threads
from .planes import copy_in, layout

RUN = 2048  # outputs at a time: they and what they read stay in the inner cache


@jit
def add_taps(image, first, taps, w, at, sums):
    """sums[i] = sum over taps of w[at + tap] * image[first + i + taps[tap]], three taps in a pass."""
    count, triples = sums.size, taps.size // 3 * 3
    sums[:] = 0
    for t in range(0, triples, 3):
        f0, f1, f2 = w[at + t], w[at + t + 1], w[at + t + 2]
        x0, x1, x2 = image[first + taps[t] :], image[first + taps[t + 1] :], image[first + taps[t + 2] :]
        for i in range(count):
            sums[i] += f0 * x0[i] + f1 * x1[i] + f2 * x2[i]
    for t in range(triples, taps.size):
        f0, x0 = w[at + t], image[first + taps[t] :]
        for i in range(count):
            sums[i] += f0 * x0[i]


@jit
def keep(sums, p, y, at, t, g):
    """Copy the outputs without those between rows to y[at] and behind it."""
    for z in range(g.od):
        source, target = z * p.steps[0], at + z * g.oh * g.ow
        # Vectors stick out over the next rows, which are written after them, but not behind the last.
        whole = max(0, (g.oh * g.ow - t.lanes) // g.ow + 1)
        for j in range(0, g.ow if whole else 0, t.lanes):
            j = max(0, min(j, g.ow - t.lanes))
            call(t.copy, (whole, address(sums, source + j), p.steps[1], address(y, target + j), g.ow))
        for r in range(whole, g.oh):
            for j in range(g.ow):
                y[target + r * g.ow + j] = sums[source + r * p.steps[1] + j]


@jit
def from_first_to_last(p, g):
    """Outputs of a plane, those to drop included."""
    return (g.od - 1) * p.steps[0] + (g.oh - 1) * p.steps[1] + g.ow


def forward(x, w, scale, bias, y, images, sums, p, t, g):
    """Every item is a plane."""
    area, pixels, outputs = g.d * g.h * g.w, g.od * g.oh * g.ow, from_first_to_last(p, g)
    for part in prange(len(images)):
        image, own = images[part], sums[part]
        image[:] = 0
        first, last = part_of(part, len(images), g.n * g.groups)
        for plane in range(first, last):
            n, channel = plane // g.groups, plane % g.groups
            copy_in(x, n * g.x_step + channel * area, image, 0, p)
            for i in range(0, outputs, RUN):
                run = own[i : min(i + RUN, outputs)]
                add_taps(image, i, p.taps, w, channel * p.taps.size, run)
                finish(run, channel, scale, bias, g)
            keep(own, p, y, n * g.y_step + channel * pixels, t, g)


forward = jit(forward, parallel=True)


def conv_forward(device, t, x, w, scale, bias, y, g) -> None:
    """kernels.convolution.conv_forward for g.c = g.m = 1 on a CPU device with tiling t."""
    p = layout(g)
    images, sums = carve(device, (threads(), p.size), (threads(), from_first_to_last(p, g)))
    forward(x, w, scale, bias, y, images, sums, p, t, g)
