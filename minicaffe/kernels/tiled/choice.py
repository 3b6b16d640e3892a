"""Which convolutions go by Winograd's F(4x4, 3x3) or F(4x4, 5x5), and which by the matrix product with
columns.

Both are priced in multiply-adds of a direct convolution's register tile.  What either does besides was
measured in that unit, on a processor with AVX-512 (100 layers and batches as in benchmarks/winograd.py) and
on one with AVX2 and a quarter of its inner cache (320, of both windows), whose caches others used too; the
prices differ less than the measurements scatter, and are the same for both windows.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from ..micro.winograd import SCHEMES
from .winograd import TILES

WAYS = ("forward", "by data", "by weights")  # a convolution and its gradients
LEAST_CHANNELS = 8  # and a vector's, since fewer would not fill it
LEAST_GAIN = 1.15  # below it the time that is saved is not worth the accuracy

# Multiply-adds that take as long as gathering one element of a column; packing one weight, or for the
# gradient by weights adding up its sums.
COLUMN, PACKED, SUMMED = 12, 80, 300
# And as one product of transformed tiles, which come from farther away; as transforming one element of a tile
# that is read, of one that is written, and of one of slopes; one of the weights, or of their gradient.
PRODUCT, READ, WRITTEN, SLOPE, WEIGHT, GRADIENT = 1.6, 25, 17, 35, 50, 65
WEIGHT_AT_ONCE = 36  # where there is one chunk of tiles, so that weights are used as they are made


class Choice(NamedTuple):
    """What is done, and why, in words."""

    winograd: bool
    words: str


@functools.lru_cache(maxsize=1024)
def choose(way: str, g, math: str = "FAST", itemsize: int = 4, lanes: int = 16) -> Choice:
    """For one of WAYS, a kernels.convolution.Conv, a device's math, the size of its numbers, of vectors."""
    layer = f"{g.groups * g.c}->{g.groups * g.m} {g.kh}x{g.kw}@{g.oh}"
    layer += f", {g.groups} groups" if g.groups > 1 else ""
    reason = _refusal(g, math, itemsize, lanes)
    if reason:
        return Choice(False, f"direct: {layer}, {reason}")
    fewer, gain = _gains(way, g, 2 * lanes)
    told = f"{layer}, {fewer:.1f}x fewer products, about {gain:.1f}x as fast"
    return (
        Choice(True, f"winograd {SCHEMES[g.kh]}: {told}")
        if gain >= LEAST_GAIN
        else Choice(False, f"direct: {told}")
    )


def _refusal(g, math: str, itemsize: int, lanes: int) -> str:
    """Why a convolution cannot go by Winograd, or must not; empty if it can."""
    window = g.kd, g.kh, g.kw, g.sh, g.sw, g.lh, g.lw
    if window not in [(1, taps, taps, 1, 1, 1, 1) for taps in SCHEMES] or (g.d, g.od, g.pd) != (1, 1, 0):
        return "not 3x3 or 5x5 with stride and dilation 1"
    if itemsize != 4:
        return "not float32"
    if math == "EXACT":
        return "math is EXACT"
    if min(g.c, g.m) < max(LEAST_CHANNELS, lanes):
        return f"fewer than {max(LEAST_CHANNELS, lanes)} channels"
    return ""


def _gains(way: str, g, width: int) -> tuple[float, float]:
    """How many times as many products the direct way takes, and how many times the time."""
    c, m, height, across = (g.m, g.c, g.h, g.w) if way == "by data" else (g.c, g.m, g.oh, g.ow)
    scheme = SCHEMES[g.kh]
    pixels, tiles = g.n * g.oh * g.ow, g.n * -(-height // scheme.out) * -(-across // scheme.out)
    weight = WEIGHT_AT_ONCE if tiles <= TILES else WEIGHT
    packed, other, weight = (SUMMED, SLOPE, GRADIENT) if way == "by weights" else (PACKED, WRITTEN, weight)
    direct = scheme.window * (pixels * c * m + pixels * COLUMN * c + packed * c * m)
    products = PRODUCT * c * -(-m // width) * width
    winograd = scheme.places * (tiles * (products + READ * c + other * m) + weight * c * m)
    return pixels * scheme.window / (tiles * scheme.places), direct / winograd
