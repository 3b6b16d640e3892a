"""The columns of an image: where they lie, and how one panel of them is gathered or added back.

For one group of an image the columns are the matrix whose row (c, t) holds, for every output pixel, the input
under tap t of channel c.  They are never written out whole: a panel of `width` output pixels at a time is
gathered, used and forgotten.  Where padding makes windows stick out, or windows are a stride apart, they are
gathered from a copy of the image with sorted planes (planes.py).
"""

from __future__ import annotations

import functools
import itertools
from typing import NamedTuple

import numpy as np

from ..cpu import jit
from ..micro.builder import address, call
from .planes import layout, reading


class Columns(NamedTuple):
    """The columns of one geometry, cut into panels and these taken by blocks, of one panel each where forward
    does not ask for more; offsets in elements of the image with sorted planes, int64.

    Block b holds panels panel[b] to panel[b + 1], in runs start[b] to start[b + 1]: pixels that neighbour in
    the image, at most a vector of them.
    """

    width: int  # output pixels per panel
    pixels: int  # output pixels of a plane
    channels: int  # input planes of a group
    plane: int  # elements of a sorted plane
    lanes: int  # width of the vectors that move runs
    step: int  # elements of the image from one pixel of a run to the next
    apart: int  # elements of a block from one panel to the next
    taps: np.ndarray  # tap -> its offset from its pixel
    panel: np.ndarray  # block -> its first panel; one entry more than blocks, and so here:
    start: np.ndarray  # block -> its first run
    source: np.ndarray  # run -> offset of its first pixel in the image
    target: np.ndarray  # run -> its first element in the first row of its panel
    length: np.ndarray  # run -> its pixels


@functools.lru_cache(maxsize=256)
def columns(g, width: int, lanes: int, blocks: int = 0) -> Columns:
    """The columns of geometry g (kernels.convolution.Conv) in panels of `width` pixels.

    blocks  forward's: so many blocks, gathered from planes as it reads them; 0: a block for every panel
    """
    planes = reading(g) if blocks else layout(g)
    pixels = np.indices((g.od, g.oh, g.ow)).reshape(3, -1).T @ planes.steps
    step, panels = int(planes.steps[2]), -(-pixels.size // width)
    # What a run writes behind the last row of a panel must not be the next one's.
    apart = g.c * g.taps * width + (width if blocks else 0)
    ends = np.arange((blocks or panels) + 1) * panels // (blocks or panels)
    start, source, target, length = [0], [], [], []
    for low, high in itertools.pairwise(ends):
        for p in range(low, high):
            panel = pixels[p * width : (p + 1) * width]
            at = 0
            while at < panel.size:
                run = 1
                while run < lanes and at + run < panel.size and panel[at + run] == panel[at] + run * step:
                    run += 1
                source.append(panel[at])
                target.append((p - low) * apart + at)
                length.append(run)
                at += run
        start.append(len(source))
    used = next(n for n in (4, 8, 16) if n >= min(max(length), lanes))
    tables = (np.array(table, np.int64) for table in (ends, start, source, target, length))
    return Columns(width, pixels.size, g.c, planes.size, used, step, apart, planes.taps, *tables)


@jit
def move_panel(kernel, cols, p, image, panel):
    """Block p by `kernel`: micro.columns.gather (image -> panels) or scatter (image += panel); both
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
