"""Padded planes whose elements are sorted by their place within the stride.

With a stride of 2, columns 0, 2, 4, ... come first and then 1, 3, 5, ..., and so along every axis.  Then
under every tap, outputs that are neighbours read neighbours, whatever the stride.  With a stride of 1 such a
plane is nothing but the padded one.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

from ..cpu import jit
from ..micro.builder import address

UNREAD = -1  # the offset of rows and columns that no tap reads: they have no place


class Plane(NamedTuple):
    """How a plane of one geometry is laid out; offsets in elements, int64."""

    same: bool  # the plane of the blob is laid out in this way already
    area: int  # elements of a plane of the blob,
    size: int  # and of a sorted one
    taps: np.ndarray  # tap -> its offset from its output
    rows: np.ndarray  # row of the input (all axes but the last) -> its offset, or UNREAD
    columns: np.ndarray  # column 0, 1, ... below the stride -> offset in a row of it and those strides behind
    width: int  # elements in a row of the input
    stride: int  # of the columns
    steps: np.ndarray  # axis -> elements from one output to the next


@functools.lru_cache(maxsize=256)
def layout(g) -> Plane:
    """The layout for geometry g (kernels.convolution.Conv)."""
    size, out, kernel = (g.d, g.h, g.w), (g.od, g.oh, g.ow), (g.kd, g.kh, g.kw)
    stride, pad, dilation = (g.sd, g.sh, g.sw), (g.pd, g.ph, g.pw), (g.ld, g.lh, g.lw)
    axes = list(zip(size, out, kernel, stride, pad, dilation))
    # Caffe's truncating division lets the last window stick out behind the padding: the plane grows to hold
    # it.
    extent = tuple(max(n + 2 * p, (o - 1) * s + l * (k - 1) + 1) for n, o, k, s, p, l in axes)
    counts = [-(-n // s) for n, s in zip(extent, stride)]  # of one place within the stride
    plane = math.prod(counts)
    steps = np.array([counts[1] * counts[2], counts[2], 1])
    places = [plane * stride[1] * stride[2], plane * stride[2], plane]

    def offsets(axis: int, padded: np.ndarray) -> np.ndarray:
        """Of indices along an axis of the padded plane."""
        return padded % stride[axis] * places[axis] + padded // stride[axis] * steps[axis]

    taps = [offsets(i, np.arange(k) * l) for i, (_, _, k, _, _, l) in enumerate(axes)]
    inside = [offsets(i, np.arange(n) + p) for i, (n, _, _, _, p, _) in enumerate(axes)]
    read = [
        np.isin((np.arange(n) + p) % s, np.arange(k) * l % s) for n, _, k, s, p, l in axes
    ]  # along each axis
    rows = np.where(read[0][:, None] & read[1], inside[0][:, None] + inside[1], UNREAD)
    columns = np.append(np.where(read[2], inside[2], UNREAD), [UNREAD] * g.sw)[: g.sw]  # a row may be shorter
    return Plane(
        extent == size and stride == (1, 1, 1),
        math.prod(size),
        plane * math.prod(stride),
        (taps[0][:, None, None] + taps[1][:, None] + taps[2]).ravel(),
        rows.ravel(),
        columns,
        g.w,
        g.sw,
        steps,
    )


@functools.lru_cache(maxsize=256)
def reading(g) -> Plane:
    """The layout that forward reads: the blob's own where no window sticks out of a plane, and pixels are
    next to each other or every second one, which a gather can read; or else `layout`."""
    size, out, kernel = (g.d, g.h, g.w), (g.od, g.oh, g.ow), (g.kd, g.kh, g.kw)
    stride, pad, dilation = (g.sd, g.sh, g.sw), (g.pd, g.ph, g.pw), (g.ld, g.lh, g.lw)
    axes = zip(size, out, kernel, stride, dilation)
    inside = all((o - 1) * s + l * (k - 1) < n for n, o, k, s, l in axes)
    if any(pad) or not inside or g.sw > 2:
        return layout(g)
    steps = np.array([g.h * g.w, g.w, 1])
    taps = np.indices(kernel).reshape(3, -1).T @ (steps * dilation)
    return layout(g)._replace(same=True, size=math.prod(size), taps=taps, steps=steps * stride)


@jit
def copy_in(x, at, image, to, p):
    """Copy the plane that starts at x[at] to its places in the sorted one that starts at image[to]."""
    for r in range(p.rows.size):
        for j in range(p.columns.size if p.rows[r] >= 0 else 0):
            if p.columns[j] < 0:
                continue
            # A slice assignment would make a copy if the two arrays overlapped; they never do.
            source, count = x[at + r * p.width + j : at + (r + 1) * p.width], count_from(j, p)
            target = image[to + p.rows[r] + p.columns[j] :][:count]
            if p.stride == 1:
                for i in range(count):
                    target[i] = source[i]
            elif p.stride == 2:  # a constant, for which vectors are shuffled
                for i in range(count):
                    target[i] = source[2 * i]
            elif p.stride == 4:
                for i in range(count):
                    target[i] = source[4 * i]
            else:
                for i in range(count):
                    target[i] = source[i * p.stride]


@jit
def copy_out(image, at, x, to, p, add):
    """The reverse: x[to] and behind it become the elements of the plane that starts at image[at], or these
    are added to it; 0 where no tap reads."""
    zero = x.dtype.type(0)
    for r in range(p.rows.size):
        for j in range(p.columns.size):
            target, count = x[to + r * p.width + j : to + (r + 1) * p.width], count_from(j, p)
            if p.rows[r] < 0 or p.columns[j] < 0:
                for i in range(0 if add else count):
                    target[i * p.stride] = zero
                continue
            source = image[at + p.rows[r] + p.columns[j] :][:count]
            if p.stride == 1:
                move(source, target, add)
            else:
                for i in range(count):
                    target[i * p.stride] = source[i] + (target[i * p.stride] if add else zero)


@jit
def move(source, target, add):
    """Elements that lie next to each other on both sides."""
    if add:
        for i in range(target.size):
            target[i] += source[i]
    else:
        for i in range(target.size):
            target[i] = source[i]


@jit
def count_from(column, p):
    """How many columns there are from this one on, a stride apart."""
    return (p.width - column + p.stride - 1) // p.stride


@jit
def image_at(p, channels, x, at, image):
    """The address of the image whose planes start at x[at]: in place, or a sorted copy made in `image`."""
    if p.same:
        return address(x, at)
    for c in range(channels):
        copy_in(x, at + c * p.area, image, c * p.size, p)
    return address(image, 0)


@jit
def put_image(p, channels, image, x, at, add):
    """Copy what is inside an image's sorted planes to the planes that start at x[at], or add it to them."""
    if p.same:
        move(image[: channels * p.area], x[at : at + channels * p.area], add)
        return
    for c in range(channels):
        copy_out(image, c * p.size, x, at + c * p.area, p, add)
