"""The columns of an image: where they lie, and how one panel of them is gathered or added back.

For one group of an image the columns are the matrix whose row (c, t) holds, for every output pixel, the input
under tap t of channel c.  They are never written out whole: a panel of `width` output pixels at a time is
gathered, used and forgotten.  Where padding makes windows stick out, or windows are a stride apart, they are
gathered from a copy of the image with sorted planes (planes.py).
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from ..cpu import jit
from ..micro.builder import address, call
from .planes import layout


class Columns(NamedTuple):
    """The columns of one geometry, cut into panels; offsets in elements of the image with sorted planes,
    int64.

    Panel p holds the runs start[p] to start[p + 1]: pixels that neighbour in the image, at most a vector of
    them.
    """

    width: int  # output pixels per panel
    pixels: int  # output pixels of a plane
    channels: int  # input planes of a group
    plane: int  # elements of a sorted plane
    lanes: int  # width of the vectors that move runs
    taps: np.ndarray  # tap -> its offset from its pixel
    start: np.ndarray  # panel -> its first run; one entry more than panels
    source: np.ndarray  # run -> offset of its first pixel in the image
    target: np.ndarray  # run -> its first element in a row of the panel
    length: np.ndarray  # run -> its pixels


@functools.lru_cache(maxsize=256)
def columns(g, width: int, lanes: int) -> Columns:
    """The columns of geometry g (kernels.convolution.Conv) in panels of `width` pixels."""
    planes = layout(g)
    pixels = np.indices((g.od, g.oh, g.ow)).reshape(3, -1).T @ planes.steps
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
    used = next(n for n in (4, 8, 16) if n >= min(max(length), lanes))
    runs = (np.array(table, np.int64) for table in (start, source, target, length))
    return Columns(width, pixels.size, g.c, planes.size, used, planes.taps, *runs)


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
