"""Convolution of every channel by itself, c = m = 1: a product of one row would use little of a tile.

A plane is copied into a padded one whose elements are sorted by their place within the stride: with a stride
of 2, columns 0, 2, 4, ... come first and then 1, 3, 5, ..., and so along every axis.  Then under every tap,
outputs that are neighbours read neighbours.  And as sorted rows are of one length, a plane is one run of
outputs: the last of a row, and the first of the next, have a few between them that are computed and dropped.
So each tap is one factor for a long loop, which vectors run through.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
from numba import prange

from ..cpu import jit
from ..finish import finish
from ..micro.builder import address, call
from .panels import carve, part_of, threads

RUN = 2048  # outputs at a time: they and what they read stay in the inner cache


class Sorted(NamedTuple):
    """How a plane of one geometry is laid out; offsets in elements, int64."""

    size: int  # of the sorted plane
    taps: np.ndarray  # tap -> its offset from its output
    rows: np.ndarray  # row of the input -> its offset in the sorted plane
    # Column 0, 1, ... below the stride -> offset in a sorted row of it and those that are strides behind it.
    columns: np.ndarray
    deep: int  # elements from one output to the next along the first axis,
    wide: int  # and along the second
    outputs: int  # from the first to the last, those to drop included


@functools.lru_cache(maxsize=256)
def sort(g) -> Sorted:
    """The layout for geometry g (kernels.convolution.Conv)."""
    size, out, kernel = (g.d, g.h, g.w), (g.od, g.oh, g.ow), (g.kd, g.kh, g.kw)
    stride, pad, dilation = (g.sd, g.sh, g.sw), (g.pd, g.ph, g.pw), (g.ld, g.lh, g.lw)
    axes = list(zip(size, out, kernel, stride, pad, dilation))
    # Of one place within the stride; the last window may stick out behind the padding.
    counts = [-(-max(n + 2 * p, (o - 1) * s + l * (k - 1) + 1) // s) for n, o, k, s, p, l in axes]
    plane = math.prod(counts)
    step = [counts[1] * counts[2], counts[2], 1]
    places = [plane * stride[1] * stride[2], plane * stride[2], plane]

    def offsets(axis: int, padded: np.ndarray) -> np.ndarray:
        """Of indices along an axis of the padded plane."""
        return padded % stride[axis] * places[axis] + padded // stride[axis] * step[axis]

    taps = [offsets(i, np.arange(k) * l) for i, (_, _, k, _, _, l) in enumerate(axes)]
    inside = [offsets(i, np.arange(n) + p) for i, (n, _, _, _, p, _) in enumerate(axes)]
    return Sorted(
        plane * math.prod(stride),
        (taps[0][:, None, None] + taps[1][:, None] + taps[2]).ravel(),
        (inside[0][:, None] + inside[1]).ravel(),
        inside[2][: g.sw],
        step[0],
        step[1],
        sum((o - 1) * s for o, s in zip(out, step)) + 1,
    )


@jit
def sort_plane(x, at, image, s, stride, width):
    """Copy the plane that starts at x[at] into its places."""
    for r in range(s.rows.size):
        for j in range(s.columns.size):
            source, count = x[at + r * width + j : at + (r + 1) * width], (width - j + stride - 1) // stride
            target = image[s.rows[r] + s.columns[j] :][:count]
            if stride == 1:
                for i in range(count):
                    target[i] = source[i]
            elif stride == 2:  # a constant, for which vectors are shuffled
                for i in range(count):
                    target[i] = source[2 * i]
            else:
                for i in range(count):
                    target[i] = source[i * stride]


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
def keep(sums, s, y, at, t, g):
    """Copy the outputs without those between rows to y[at] and behind it."""
    for z in range(g.od):
        source, target = z * s.deep, at + z * g.oh * g.ow
        # Vectors stick out over the next rows, which are written after them, but not behind the last.
        whole = max(0, (g.oh * g.ow - t.lanes) // g.ow + 1)
        for j in range(0, g.ow if whole else 0, t.lanes):
            j = max(0, min(j, g.ow - t.lanes))
            call(t.copy, (whole, address(sums, source + j), s.wide, address(y, target + j), g.ow))
        for r in range(whole, g.oh):
            for j in range(g.ow):
                y[target + r * g.ow + j] = sums[source + r * s.wide + j]


def forward(x, w, scale, bias, y, images, sums, s, t, g):
    """Every item is a plane."""
    area, pixels = g.d * g.h * g.w, g.od * g.oh * g.ow
    for part in prange(len(images)):
        image, own = images[part], sums[part]
        image[:] = 0
        first, last = part_of(part, len(images), g.n * g.groups)
        for plane in range(first, last):
            n, channel = plane // g.groups, plane % g.groups
            sort_plane(x, n * g.x_step + channel * area, image, s, g.sw, g.w)
            for i in range(0, s.outputs, RUN):
                run = own[i : min(i + RUN, s.outputs)]
                add_taps(image, i, s.taps, w, channel * s.taps.size, run)
                finish(run, channel, scale, bias, g)
            keep(own, s, y, n * g.y_step + channel * pixels, t, g)


forward = jit(forward, parallel=True)


def conv_forward(device, t, x, w, scale, bias, y, g) -> None:
    """kernels.convolution.conv_forward for g.c = g.m = 1 on a CPU device with tiling t."""
    s = sort(g)
    images, sums = carve(device, (threads(), s.size), (threads(), s.outputs))
    forward(x, w, scale, bias, y, images, sums, s, t, g)
