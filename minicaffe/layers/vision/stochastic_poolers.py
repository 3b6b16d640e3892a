"""Pooling by chance: an element of each window, and what it is on average."""

from __future__ import annotations

import numpy as np

from ...core.layer import Layer
from ...kernels import pooling3d, stochastic_pooling
from .poolers import Pooler, volumes


class StochasticPooler(Pooler):
    """An element drawn by its value; `which` tells the poolers of one layer apart."""

    draws = True
    per_tap = (1, 0)

    def __init__(self, layer: Layer, which: int) -> None:
        super().__init__(layer)
        self.which = which

    def plan(self, shape, out, window):
        device = self.layer.device
        self.k, self.from_mask = device.bind(stochastic_pooling), device.bind(pooling3d).max_pool_backward
        self.g, self.channels = volumes(shape, out, window), shape[1]
        self.mask = self.layer.saved((*shape[:2], *out), np.int32)

    def forward(self, x, y):
        words = self.layer.random.data
        self.k.stochastic_pool_forward(x, y, self.mask.data, words, self.channels, self.which, self.g)

    def backward(self, x, y, dy, dx, add=False):
        self.from_mask(dy, self.mask.data, dx, self.g, int(add))


class WeightedPooler(Pooler):
    """What StochasticPooler gives on average, for TEST."""

    backward_reads = frozenset({"bottom.data", "top.data"})
    per_tap = (1, 3)  # dx += dy (2 x - y) / sum

    def plan(self, shape, out, window):
        self.k = self.layer.device.bind(stochastic_pooling)
        self.g = volumes(shape, out, window)
        self.sums = self.layer.saved((*shape[:2], *out))

    def forward(self, x, y):
        self.k.weighted_pool_forward(x, y, self.sums.data, self.g)

    def backward(self, x, y, dy, dx, add=False):
        self.k.weighted_pool_backward(x, y, self.sums.data, dy, dx, self.g, int(add))
