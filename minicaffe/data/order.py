"""Which sample comes when.

The samples of batch b are computed from b, the seed and the number of samples; nothing is remembered.  So a
resumed run reads the same samples as one that was not interrupted, and processes can share a data set without
communicating.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np


class Share(NamedTuple):
    """What a process takes from the endless sequence of samples, batch by batch.

    batch       samples in a batch
    key         of the random numbers that they are changed with
    rank, size  of this process among those that share the samples
    """

    batch: int
    key: tuple[int, int] = (0, 0)
    rank: int = 0
    size: int = 1

    def positions(self, number: int) -> np.ndarray:
        """Where the samples of batch `number` stand in the sequence, int64: sample k at
        (number * batch + k) * size + rank."""
        first = number * self.batch
        return np.arange(first, first + self.batch, dtype=np.int64) * self.size + self.rank


def permutation(count: int, *key: int) -> np.ndarray:
    """A random permutation of 0 .. count - 1, determined by the non-negative numbers in `key`; read-only."""
    drawn = np.random.Generator(np.random.PCG64(list(key))).permutation(count)
    drawn.flags.writeable = False
    return drawn


class Order:
    """The order of `count` samples, epoch after epoch: unchanged, or with `shuffle` a permutation for each
    epoch, determined by (seed, epoch).

    rand_skip  the first samples are skipped, fewer than `rand_skip`; the seed determines how many
    """

    def __init__(self, count: int, *, shuffle: bool = False, seed: int = 0, rand_skip: int = 0) -> None:
        self.count = count
        self.shuffle = shuffle
        self.seed = seed
        self.skip = 0
        if rand_skip:
            self.skip = int(np.random.Generator(np.random.PCG64([seed, rand_skip])).integers(rand_skip))
        self._permutation = functools.lru_cache(maxsize=2)(permutation)  # this epoch's and the next's

    def samples(self, at: np.ndarray) -> np.ndarray:
        """The numbers of the samples at these ascending positions of the endless sequence, int64."""
        epoch, index = np.divmod(at + self.skip, self.count)
        if self.shuffle:
            for e in range(epoch[0], epoch[-1] + 1):
                here = epoch == e
                index[here] = self._permutation(self.count, self.seed, e)[index[here]]
        return index
