"""The methods of pooling, for the layers that pool: Pooling, and SPP on every level of its pyramid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import proxy

import numpy as np

from ...core.blob import Buffer
from ...core.layer import Layer
from ...kernels import memory, pooling, pooling3d, stochastic_pooling
from ...proto.schema import TRAIN
from .window import Window, in_three_axes


class Pooler:
    """One method of pooling: x (n, c, size...) to y (n, c, out...), over one to three spatial axes.

    backward_reads  what its backward reads beside dy, as in Layer
    draws           True if it draws random numbers from the layer's stream
    per_tap         multiply-adds per element of a window: of forward, of backward (0: dy goes to one of them)
    """

    backward_reads: frozenset[str] = frozenset()
    draws = False
    per_tap = (1, 1)

    def __init__(self, layer: Layer) -> None:
        self.layer: Layer = proxy(layer)  # it owns this

    def plan(self, shape: Sequence[int], out: Sequence[int], window: Window) -> None:
        """In the layer's reshape, for x of `shape`: bind kernels, settle the geometry, ask for buffers."""
        raise NotImplementedError

    def forward(self, x, y) -> None:
        """Compute y."""
        raise NotImplementedError

    def backward(self, x, y, dy, dx, add: bool = False) -> None:
        """Write dx, or add to it; x and y hold nothing unless backward_reads names them."""
        raise NotImplementedError

    def operations(self, outputs: int, taps: int) -> tuple[int, int]:
        """Multiply-adds of forward and backward, for so many windows of so many elements."""
        return self.per_tap[0] * outputs * taps, self.per_tap[1] * outputs * taps or outputs


def volumes(shape: Sequence[int], out: Sequence[int], window: Window) -> pooling3d.Pool3d:
    """The geometry of pooling x of `shape` to `out`: axes that are missing are leading ones of extent 1."""
    return pooling3d.Pool3d(shape[0] * shape[1], *in_three_axes(shape[2:], out, window)[:-3])


class PlanePooler(Pooler):
    """A method with kernels of its own, faster ones, for images of at most two axes."""

    def plan(self, shape, out, window):
        device, g = self.layer.device, volumes(shape, out, window)
        self.k: Any = device.bind(pooling if len(out) < 3 else pooling3d)
        self.g: Any = g
        if len(out) < 3:
            end = (0, *window.ends)[-2:]
            self.g = pooling.Pool(g.volumes, g.h, g.w, g.oh, g.ow, g.kh, g.kw, g.sh, g.sw, g.ph, g.pw, *end)

    def arrange(self, channels: int, x_step: int | None, y_step: int | None) -> None:
        """For images of at most two axes: how far they lie apart, as Blob.step says, in x and in y."""
        g = self.g
        x_step, y_step = x_step or channels * g.h * g.w, y_step or channels * g.oh * g.ow
        self.g = g._replace(channels=channels, x_step=x_step, y_step=y_step)


class MaxPooler(PlanePooler):
    """The maximum; `mask` says where it stands in its plane or volume."""

    mask: Buffer
    per_tap = (0, 0)

    def plan(self, shape, out, window):
        super().plan(shape, out, window)
        self.mask = self.layer.saved((*shape[:2], *out), np.int32)

    def forward(self, x, y):
        self.k.max_pool_forward(x, y, self.mask.data, self.g)

    def backward(self, x, y, dy, dx, add=False):
        self.k.max_pool_backward(dy, self.mask.data, dx, self.g, int(add))

    def show_mask(self, out) -> None:
        """out = the mask, in the net's floating type."""
        self.layer.device.bind(memory).convert(self.mask.data, out, out.size)


class AvePooler(PlanePooler):
    """The mean."""

    def forward(self, x, y):
        self.k.ave_pool_forward(x, y, self.g)

    def backward(self, x, y, dy, dx, add=False):
        self.k.ave_pool_backward(dy, dx, self.g, int(add))


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


def make_pooler(layer: Layer, method: str, which: int = 0) -> Pooler:
    """The pooler for Caffe's name of a method, in the layer's phase."""
    if method == "STOCHASTIC":
        return StochasticPooler(layer, which) if layer.phase == TRAIN else WeightedPooler(layer)
    return MaxPooler(layer) if method == "MAX" else AvePooler(layer)
