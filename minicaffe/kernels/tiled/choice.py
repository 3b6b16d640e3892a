"""Which convolutions go by Winograd's F(4x4, 3x3), and which by the matrix product with columns.

Both are priced in multiply-adds of a register tile, which set the pace of either.  What Winograd does besides,
per element of a transformed tile and per weight, was measured in the same unit (benchmarks/winograd.py) on a
processor with AVX-512; with narrower vectors tiles and transforms slow down alike.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from ..micro.winograd import IN, OUT, TAPS

WAYS = ("forward", "by data", "by weights")  # a convolution and its gradients
LEAST_CHANNELS = 16  # a vector's; fewer would not fill it
LEAST_GAIN = 1.15  # below it the time saved is not worth the accuracy

# Multiply-adds that take as long as transforming one element of a tile that is read, of one that is written,
# and one element of the weights; for the gradient by weights, the last stands for adding up sums.
READ, WRITTEN, WEIGHT = 60, 30, 16


class Choice(NamedTuple):
    """What is done, and why, in words."""

    winograd: bool
    words: str


@functools.lru_cache(maxsize=1024)
def choose(way: str, g, math: str = "FAST", itemsize: int = 4, lanes: int = 16) -> Choice:
    """For a kernels.convolution.Conv, one of WAYS, a device's math and the size of its numbers and vectors."""
    layer = f"{g.groups * g.c}->{g.groups * g.m} {g.kh}x{g.kw}@{g.oh}" + f", {g.groups} groups" * (
        g.groups > 1
    )
    reason = _refusal(g, math, itemsize, lanes)
    if reason:
        return Choice(False, f"direct: {layer}, {reason}")
    fewer, gain = _gains(way, g, 2 * lanes)
    told = f"{layer}, {fewer:.1f}x fewer products, about {gain:.1f}x as fast"
    return (
        Choice(True, f"winograd F(4x4): {told}") if gain >= LEAST_GAIN else Choice(False, f"direct: {told}")
    )


def _refusal(g, math: str, itemsize: int, lanes: int) -> str:
    """Why a convolution cannot go by Winograd, or must not; empty if it can."""
    window = g.kd, g.kh, g.kw, g.sh, g.sw, g.lh, g.lw
    if window != (1, TAPS, TAPS, 1, 1, 1, 1) or (g.d, g.od, g.pd) != (1, 1, 0):
        return "not 3x3 with stride and dilation 1"
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
    direct = g.n * g.oh * g.ow * TAPS * TAPS * c * m
    elements = g.n * -(-height // OUT) * -(-across // OUT) * IN * IN  # of transformed tiles, per channel
    written = READ if way == "by weights" else WRITTEN
    transforms = elements * (READ * c + written * m) + IN * IN * WEIGHT * c * m
    return direct / (elements * c * m), direct / (elements * c * (-(-m // width) * width) + transforms)
