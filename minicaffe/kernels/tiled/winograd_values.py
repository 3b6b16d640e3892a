"""Images, or slopes, to values of tiles for winograd.py and winograd_weights.py:

image -> strips: `lanes` channels, pixel by pixel -> values V[place, tile, c] = B^T d B
"""

from __future__ import annotations

from typing import NamedTuple

from ..cpu import jit
from ..micro.builder import address, call
from ..micro.winograd import Scheme

APART = 16  # elements between matrices, which would compete for the same lines of a cache at powers of two


class Plane(NamedTuple):
    """Images that are cut into tiles, and the strip that one block of channels of them becomes; in pixels."""

    h: int
    w: int
    top: int  # padding; below 0, so much is cut off
    left: int
    step: int  # elements from one image to the next
    extent: int  # of a tile,
    out: int  # and of its outputs
    down: int  # bands of an image
    across: int  # tiles of a band
    pitch: int  # of a row of the strip


def plane(h: int, w: int, top: int, left: int, step: int, extent: int, out: int, oh: int, ow: int) -> Plane:
    """Images (h, w) in tiles of `extent`, of which each makes, or is, out x out of (oh, ow) pixels."""
    down, across = -(-oh // out), -(-ow // out)
    return Plane(h, w, top, left, step, extent, out, down, across, out * (across - 1) + extent)


class Values(NamedTuple):
    """Transformed tiles, [place, tile, channel]: elements from one tile to the next, from one place, and from
    one row of places."""

    tile: int
    place: int
    row: int


def values_of(scheme: Scheme, tiles: int, channels: int) -> Values:
    """With channels to fill a vector, and some elements apart."""
    across = -(-channels // APART) * APART + APART
    place = tiles * across + APART
    return Values(across, place, scheme.extent * place)


@jit
def fill_strip(x, at, first, count, strip, s, t):
    """strip[row, pixel, lane] = rows `first` to `first + count` of t.lanes padded planes, the first at x[at].

    What sticks out of a row is written over by the next one.
    """
    row, left, skip = s.pitch * t.lanes, max(0, s.left), max(0, -s.left)
    live = min(s.w - skip, s.pitch - left)
    for r in range(count):
        y, to = first + r - s.top, r * row
        inside = 0 <= y < s.h
        strip[to : to + (left * t.lanes if inside else row)] = 0
        if inside:
            for i in range(0, live, t.lanes):
                pixels = address(x, at + y * s.w + skip + i)
                call(t.turn, (pixels, s.h * s.w, address(strip, to + (left + i) * t.lanes), t.lanes))
            strip[to + (left + live) * t.lanes : to + row] = 0


@jit
def transform(kernel, x, at, band, end, strip, values, c, v, s, t):
    """values[place, tile, c : c + t.lanes] of the tiles in bands `band` to `end`; the block of channels
    begins at x[at] in the first image."""
    row = s.pitch * t.lanes
    while band < end:
        n, a = band // s.down, band % s.down
        bands = min(end - band, s.down - a)  # of this image
        fill_strip(x, at + n * s.step, s.out * a, s.out * (bands - 1) + s.extent, strip, s, t)
        for b in range(bands):
            source, to = address(strip, s.out * b * row), address(values, c)
            places = v.row, v.place, v.tile
            call(kernel, (s.across, source, row, t.lanes, s.out * t.lanes, to, *places, 0, 0))
            c += s.across * v.tile
        band += bands
