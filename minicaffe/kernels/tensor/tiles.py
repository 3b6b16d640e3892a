"""Which tile computes a product, and into how many parts the sum over k is cut.

A block of BM x BN results reads (BM + BN) k values for BM BN k products: 64 products a value at 128 x 128,
32 at 64 x 64.  Of shared memory a warp reads (WM + WN) / (WM WN) values a product, so its share of a tile
is as wide as the registers allow: 64 x 32 sums take 64 of them, the fragments about as many.  Small tiles
waste less at the edges of small matrices and give every multiprocessor something to do.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from .places import DEPTH

LANES = 32  # threads of a warp


class Tile(NamedTuple):
    """BM x BN results of a block, WM x WN of each of its warps.

    blocks  that a multiprocessor is to hold: 512 threads can have 128 registers each, 384 168, 256 255
    speed   products in a given time, as an estimate, where the largest tile has 1: in one pass and in three.
            They follow the instructions of the main loop, of which copies have a larger part where tiles are
            small or passes few; tests/kernels/test_tensor_code.py counts them
    stages  slices in flight
    """

    bm: int
    bn: int
    wm: int
    wn: int
    blocks: int
    speed: tuple[float, float]
    stages: int = 3

    @property
    def threads(self) -> int:
        return self.warps * LANES

    @property
    def warps(self) -> int:
        return self.bm // self.wm * (self.bn // self.wn)

    def blocks_for(self, kernel: str, passes: int) -> int:
        """The same, for a kernel: conv_weights with three passes does not fit 128 registers."""
        return 1 if (kernel, passes) == ("conv_weights", 3) and self.wm > 32 else self.blocks

    def gather_bytes(self) -> int:
        """Dynamic shared memory of conv_gather."""
        return 4 * self.stages * (self.bm * (DEPTH + 4) + DEPTH * (self.bn + 8))

    def weights_bytes(self) -> int:
        """Dynamic shared memory of conv_weights."""
        return 4 * self.stages * (self.bm + self.bn) * (DEPTH + 4)


TILES = (
    Tile(128, 128, 64, 32, 2, (1.0, 1.0)),
    Tile(64, 128, 32, 32, 2, (0.6, 0.76)),
    Tile(64, 64, 32, 32, 4, (0.58, 0.75)),
    Tile(32, 128, 32, 32, 3, (0.43, 0.65)),
    Tile(32, 64, 16, 32, 4, (0.33, 0.5)),
    Tile(16, 128, 16, 32, 4, (0.23, 0.4)),
)

# Estimates, in clocks of one multiprocessor.
PRODUCTS = {1: 500, 3: 240}  # in a clock, by passes
BUSY_WARPS = 8  # that it takes to keep a multiprocessor's tensor cores busy
START_SLICES = 6  # what a block costs beside its slices: filling the pipeline, storing the results
MOVE = 0.4  # to write or read one float of a part
LAUNCH = 3000  # another kernel, that adds the parts: 2 us

MOST_PARTS = 512
FEWEST_SLICES = 8  # of a part
MOST_PART_FLOATS = 16 << 20  # of all parts together: 64 MiB


class Choice(NamedTuple):
    """A tile, and the parts of the sum with their slices each (the last may have fewer)."""

    tile: Tile
    parts: int
    slices: int


@functools.lru_cache(maxsize=1024)
def choose(m: int, n: int, slices: int, count: int, multiprocessors: int, passes: int) -> Choice:
    """For `count` products m x n of `slices` slices each, in 1 pass or in 3: the cheapest by the estimates
    above."""
    choices = []
    for tile in TILES:
        parts = 1
        while parts == 1 or (
            parts <= min(MOST_PARTS, slices // FEWEST_SLICES) and parts * m * n * count <= MOST_PART_FLOATS
        ):
            each = -(-slices // parts)
            choices.append(Choice(tile, -(-slices // each) if each else 1, each))
            parts *= 2
    return min(choices, key=lambda choice: cost(choice, m, n, count, multiprocessors, passes))


def cost(choice: Choice, m: int, n: int, count: int, multiprocessors: int, passes: int) -> float:
    """Clocks of the busiest multiprocessor."""
    tile, parts, slices = choice
    blocks = -(-m // tile.bm) * -(-n // tile.bn) * count * parts
    rounds = -(-blocks // multiprocessors)
    speed = tile.speed[passes == 3] * min(1, rounds * tile.warps / BUSY_WARPS) * PRODUCTS[passes]
    work = rounds * (slices + START_SLICES) * DEPTH * tile.bm * tile.bn / speed
    sums = LAUNCH + 2 * MOVE * parts * m * n * count / multiprocessors if parts > 1 else 0
    return work + sums
