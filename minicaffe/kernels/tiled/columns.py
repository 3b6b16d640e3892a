"""The columns of an image: where they lie, and how one panel of them is gathered or added back.

For one group of an image the columns are the matrix whose row (c, t) holds, for every output pixel, the input
under tap t of channel c.  They are never written out whole: a panel of `width` output pixels at a time is
gathered, used and forgotten.  Where padding makes windows stick out, they are gathered from a padded copy of
the image.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

from ..cpu import jit
from ..micro.builder import address, call


class Columns(NamedTuple):
    """The columns of one geometry, cut into panels; offsets in elements of the padded image, int64.

    Panel p holds the runs start[p] to start[p + 1]: pixels that neighbour in the image, at most a vector of
    them.
    """

    width: int  # output pixels per panel
    pixels: int  # output pixels of a plane
    channels: int  # input planes of a group
    inputs: int  # elements of them in the blob
    lanes: int  # width of the vectors that move runs
    plane: int  # elements of a padded plane
    taps: np.ndarray  # tap -> its offset from its pixel
    start: np.ndarray  # panel -> its first run; one entry more than panels
    source: np.ndarray  # run -> offset of its first pixel in the image
    target: np.ndarray  # run -> its first element in a row of the panel
    length: np.ndarray  # run -> its pixels
    padded: bool  # False: the blob is laid out like the padded image
    rows: np.ndarray  # row of the blob (all axes but the last) -> its offset in the padded image
    row: int  # elements in a row


@functools.lru_cache(maxsize=256)
def columns(g, width: int, lanes: int) -> Columns:
    """The columns of geometry g (kernels.convolution.Conv) in panels of `width` pixels."""
    size, out, kernel = (g.d, g.h, g.w), (g.od, g.oh, g.ow), (g.kd, g.kh, g.kw)
    stride, pad, dilation = (g.sd, g.sh, g.sw), (g.pd, g.ph, g.pw), (g.ld, g.lh, g.lw)
    # Caffe's truncating division lets the last window stick out behind the padding: the image grows to hold
    # it.
    reach = [(o - 1) * s + l * (k - 1) + 1 for o, s, l, k in zip(out, stride, dilation, kernel)]
    extent = tuple(max(n + 2 * p, r) for n, p, r in zip(size, pad, reach))
    step = np.array(
        [extent[1] * extent[2], extent[2], 1]
    )  # elements from one neighbour along an axis to the next
    plane = math.prod(extent)
    taps = _grid(kernel) @ (step * dilation)
    pixels = _grid(out) @ (step * stride)
    start, source, target, length = [0], [], [], []
    for first in range(0, pixels.size, width):
        panel = pixels[first : first + width]
        at = 0
        while at < panel.size:
            run = 1
            while run < lanes and at + run < panel.size and panel[at + run] == panel[at] + run:
                run += 1
            source.append(panel[at])
            target.append(at)
            length.append(run)
            at += run
        start.append(len(source))
    padded = extent != size
    if padded:
        rows = _grid((g.c, g.d, g.h)) @ np.array([plane, *step[:2]]) + step @ np.array(pad)
        row = g.w
    else:
        rows, row = np.zeros(1, np.int64), g.c * plane
    used = next(n for n in (4, 8, 16) if n >= min(max(length), lanes))
    runs = (np.array(table, np.int64) for table in (start, source, target, length))
    return Columns(
        width, pixels.size, g.c, g.c * math.prod(size), used, plane, taps, *runs, padded, rows, row
    )


def _grid(shape: tuple[int, ...]) -> np.ndarray:
    """All index tuples of a shape in row-major order, as rows."""
    return np.indices(shape).reshape(len(shape), -1).T


@jit
def move_panel(kernel, cols, p, image, panel):
    """Panel p by `kernel`: micro.columns.gather (image -> panel) or scatter (image += panel); both
    addresses."""
    first = cols.start[p]
    arguments = (
        cols.channels,
        cols.plane,
        cols.taps.size,
        address(cols.taps, 0),
        image,
        cols.start[p + 1] - first,
        address(cols.source, first),
        address(cols.target, first),
        address(cols.length, first),
        panel,
        cols.width,
    )
    call(kernel, arguments)


@jit
def copy_elements(source, start, target, at, count):
    """A slice assignment would make a copy if the two arrays overlapped; they never do."""
    source, target = source[start : start + count], target[at : at + count]
    for i in range(count):
        target[i] = source[i]


@jit
def add_elements(source, start, target, at, count):
    source, target = source[start : start + count], target[at : at + count]
    for i in range(count):
        target[i] += source[i]


@jit
def image_at(cols, x, at, image):
    """The address of the image whose planes start at x[at]: in place, or a padded copy made in `image`."""
    if not cols.padded:
        return address(x, at)
    for r in range(cols.rows.size):
        copy_elements(x, at + r * cols.row, image, cols.rows[r], cols.row)
    return address(image, 0)


@jit
def crop_image(cols, image, x, at, add):
    """Copy the inside of a padded image to the planes that start at x[at], or add it to them."""
    if add:
        for r in range(cols.rows.size):
            add_elements(image, cols.rows[r], x, at + r * cols.row, cols.row)
    else:
        for r in range(cols.rows.size):
            copy_elements(image, cols.rows[r], x, at + r * cols.row, cols.row)
