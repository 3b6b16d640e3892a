"""Forward over register tiles: y_i (m_i, o) = w_i (m_i, k) columns (k, o), of up to three convolutions of one
blob.

Columns are gathered in blocks of panels: a row of a block is long enough for a processor to fetch ahead, and
a block stays in the inner cache while the weights pass over it.

    by pixels   threads share the blocks; who has gathered one sends all weights past it
    by weights  where there are more outputs than pixels: all blocks are gathered, and then threads share the
                tiles of the weights, so that one thread alone reads a weight, once, for all pixels

The weights are read where they lie.  Only those that many panels meet are packed first, for which they must
travel to memory and back.  Every output is one sum over k in its order, whichever way it goes.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numba import prange

from ..cpu import jit
from ..micro.builder import address, call
from ..micro.columns import gather
from ..micro.dealing import worker
from ..micro.tile import best_rows, tile, tile_in_place
from ..team import PARTS
from .columns import Columns, columns, move_panel
from .panels import VECTORS, carve, last_vectors, pack_panel, part_of, store_edge, threads
from .planes import Plane, copy_in, image_at, reading

BLOCK_BYTES = 256 << 10  # of columns, half an inner cache
SHARE_BYTES = 128 << 10  # of weights that meet a panel together
PACKED_FROM = 256  # panels that each tile of the weights meets


class Work(NamedTuple):
    """What the loops of a call have beside its operands; tuples have an entry for each convolution."""

    tiles: tuple[int, ...]  # addresses of tiles, and of those of a plane's last panel
    last_tiles: tuple[int, ...]
    rows: tuple[int, ...]  # of a tile,
    outputs: tuple[int, ...]  # of a group,
    steps: tuple[int, ...]  # and elements from one image of y to the next
    packed: int  # whether the weights are
    move: int  # micro.columns.gather
    shares: int  # of a loop's work,
    items: int  # and of what: blocks, or tiles of weights
    images: np.ndarray  # each thread's image of sorted planes,
    blocks: np.ndarray  # block of columns, or all blocks,
    edges: np.ndarray  # and tile at an edge of the result


class One(NamedTuple):
    """One convolution in a loop: numbers and addresses alone, which a call for every tile can hand on."""

    w: int  # the first weight,
    scale: int  # factor
    bias: int  # and summand
    packed: int
    tile: int
    last_tile: int
    rows: int
    outputs: int  # of a group,
    tiles: int  # which cover them
    step: int  # elements from one image of y to the next
    k: int
    pixels: int
    size: int  # bytes of an element


@jit
def one_of(ws, scale, biases, work, s, cols):
    rows, outputs = work.rows[s], work.outputs[s]
    follows = address(scale, 0), address(biases[s], 0)
    tiles = work.packed, work.tiles[s], work.last_tiles[s], rows, outputs, (outputs + rows - 1) // rows
    k = cols.channels * cols.taps.size
    return One(address(ws[s], 0), *follows, *tiles, work.steps[s], k, cols.pixels, scale.itemsize)


@jit
def put_tile(one, y, group, i, panel, n, p, edge, width):
    """Tile i of a group of a convolution, times panel p of image n.  The last tile begins where it ends with
    its group: what it has in common with the one before, both compute alike."""
    m = group * one.outputs + min(i * one.rows, one.outputs - one.rows)
    at = n * one.step + m * one.pixels + p * width
    live = min(width, one.pixels - p * width)
    whole = live == width
    kernel = one.tile if whole else one.last_tile
    to, step = (address(y, at), one.pixels) if whole else (address(edge, 0), width)
    follows = one.scale + m * one.size, one.bias + m * one.size
    if one.packed:
        weights = one.w + (group * one.tiles + i) * one.k * one.rows * one.size
        call(kernel, (one.k, weights, panel, width, to, step, *follows))
    else:
        call(kernel, (one.k, one.w + m * one.k * one.size, one.k, panel, width, to, step, *follows))
    if not whole:
        store_edge(edge, y, at, one.pixels, one.rows, live, width, False)


def pack_weights(w, m, k, turned, rows, packed, t):
    """The tiles of each group's weights (m, k), or of their transpose, each (depth, rows)."""
    height, depth, minor, major = (k, m, 1, k) if turned else (m, k, k, 1)
    tiles = (height + rows - 1) // rows
    for q in prange(w.size // (m * k) * tiles):
        top = min(q % tiles * rows, height - rows)
        first = q // tiles * m * k + top * minor
        pack_panel(w, first, minor, major, height - top, depth, rows, packed, q * depth * rows, t)


def sort_planes(x, images, planes, channels, step):
    """The sorted planes of whole images, each of which becomes a row of `images`."""
    for q in prange(len(images) * channels):
        n, c = q // channels, q % channels
        image = images[n]
        image[c * planes.size : (c + 1) * planes.size] = 0
        copy_in(x, n * step + c * planes.area, image, c * planes.size, planes)


def by_pixels(x, ws, scale, biases, ys, work, cols, planes, t, g):
    """Every item is a block of panels."""
    count = cols.start.size - 1
    for share in prange(work.shares):
        me = worker()
        image, block, edge = work.images[me], work.blocks[me], work.edges[me]
        image[:] = 0
        held, pixels = -1, 0
        first, last = part_of(share, work.shares, work.items)
        for item in range(first, last):
            plane, b = item // count, item % count
            n, group = plane // g.groups, plane % g.groups
            if plane != held:
                held, at = plane, n * g.x_step + group * g.c * planes.area
                pixels = image_at(planes, g.c, x, at, image)
            move_panel(work.move, cols, b, pixels, address(block, 0))
            for s in range(len(ws)):
                one, y = one_of(ws, scale, biases, work, s, cols), ys[s]
                first_panel, end = cols.panel[b], cols.panel[b + 1]
                for i in range(one.tiles):
                    for p in range(first_panel, end):
                        panel = address(block, (p - first_panel) * cols.apart)
                        put_tile(one, y, group, i, panel, n, p, edge, t.width)


def gather_all(x, work, cols, planes, g):
    """Every item is a block of panels."""
    count = cols.start.size - 1
    for item in prange(len(work.blocks)):
        plane, b, image = item // count, item % count, work.images[worker()]
        image[:] = 0
        at = plane // g.groups * g.x_step + plane % g.groups * g.c * planes.area
        pixels = image_at(planes, g.c, x, at, image)
        move_panel(work.move, cols, b, pixels, address(work.blocks[item], 0))


def by_weights(ws, scale, biases, ys, work, cols, t, g):
    """Every item is a tile of weights; those of a share meet every panel together."""
    count = cols.start.size - 1
    for share in prange(work.shares):
        edge = work.edges[worker()]
        first, last = part_of(share, work.shares, work.items)
        for s in range(len(ws)):
            one, y = one_of(ws, scale, biases, work, s, cols), ys[s]
            tiles = g.groups * one.tiles
            low, high = max(0, first), min(tiles, last)
            first, last = first - tiles, last - tiles
            for item in range(g.n * count if low < high else 0):
                n, b = item // count, item % count
                for p in range(cols.panel[b], cols.panel[b + 1]):
                    for q in range(low, high):
                        group = q // one.tiles
                        block = work.blocks[(n * g.groups + group) * count + b]
                        panel = address(block, (p - cols.panel[b]) * cols.apart)
                        put_tile(one, y, group, q % one.tiles, panel, n, p, edge, t.width)


pack_weights = jit(pack_weights, parallel=True)
sort_planes = jit(sort_planes, parallel=True)
by_pixels = jit(by_pixels, parallel=True)
gather_all = jit(gather_all, parallel=True)
by_weights = jit(by_weights, parallel=True)


class Plan(NamedTuple):
    """What follows from the geometry, and the shapes of the arrays of a call."""

    by_weights: bool
    ahead: bool  # images are sorted before their columns are gathered
    planes: Plane
    cols: Columns
    numbers: tuple  # the fields of Work that are no arrays
    shapes: tuple[tuple[int, ...], ...]  # the others', of images sorted ahead, and of packed weights


@functools.lru_cache(maxsize=1024)
def plan(machine, t, itemsize: int, outputs, steps, finish: str, parts: int, g) -> Plan:
    """For so many threads; arguments as of `forward`."""
    planes, k, images = reading(g), g.c * g.taps, g.n * g.groups
    panels, by_weights = -(-g.pixels // t.width), few_pixels(sum(outputs), g)
    count = -(-panels // max(1, BLOCK_BYTES // (k * t.width * itemsize)))
    while images * count % parts and count < panels:  # even shares
        count += 1
    cols = columns(g, t.width, t.lanes, count)
    rows = tuple(best_rows(m, machine) for m in outputs)
    tiles = [-(-m // height) * g.groups for m, height in zip(outputs, rows)]
    packed = not by_weights and g.n * panels >= PACKED_FROM
    kinds = [
        tile(tuple(range(height)), height, vectors, finish, itemsize, machine)
        if packed
        else tile_in_place(height, vectors, finish, itemsize, machine)
        for vectors in (VECTORS, last_vectors(g.pixels, t))
        for height in rows
    ]
    ahead = not planes.same and images < 2 * parts
    if by_weights:
        items, together = sum(tiles), max(1, SHARE_BYTES // (k * max(rows) * itemsize))
        shares = min(-(-items // together // parts) * parts, PARTS)
    else:
        items = images * count
        shares = min(items if planes.same or ahead else images, PARTS)
    move = gather(cols.lanes, itemsize, machine, cols.step)
    numbers = tuple(kinds[: len(rows)]), tuple(kinds[len(rows) :]), rows, outputs, steps, int(packed), move
    shapes = (
        (parts, 0 if planes.same or ahead else g.c * planes.size),
        (images * count if by_weights else parts, -(-panels // count) * cols.apart),
        (parts, max(rows) * t.width),
        (g.n if ahead else 0, g.groups * g.c * planes.size),
        *((number * height * k if packed else 0,) for number, height in zip(tiles, rows)),
    )
    return Plan(by_weights, ahead, planes, cols, (*numbers, shares, items), shapes)


def few_pixels(outputs: int, g) -> bool:
    """Whether a call of geometry g (kernels.convolution.Conv) with so many outputs in all has fewer
    pixels."""
    return outputs > g.n * g.pixels


def forward(device, t, x, ws, scale, biases, ys, outputs, steps, finish: str, g) -> None:
    """conv_forward of convolutions of one blob on a CPU device with tiling t.

    Of each are given weights, bias, y, outputs of a group (0 if it is not there), and elements from one image
    of y to the next; g is one of them, for what they have in common.  `finish` is that of the tiles.
    """
    made = plan(device.machine, t, device.dtype.itemsize, outputs, steps, finish, threads(), g)
    planes, cols = made.planes, made.cols
    image, blocks, edges, images, *packed = carve(device, *made.shapes)
    work = Work(*made.numbers, image, blocks, edges)
    if made.ahead:
        sort_planes(x, images, planes, g.groups * g.c, g.x_step)
        x, planes = images.reshape(-1), planes._replace(same=True, area=planes.size)
        g = g._replace(x_step=images.shape[1])
    if work.packed:
        for w, m, rows, to in zip(ws, outputs, work.rows, packed):
            if m:
                pack_weights(w, m, cols.channels * cols.taps.size, False, rows, to, t)
        ws = tuple(packed)
    if made.by_weights:
        gather_all(x, work, cols, planes, g)
        by_weights(ws, scale, biases, ys, work, cols, t, g)
    else:
        by_pixels(x, ws, scale, biases, ys, work, cols, planes, t, g)
