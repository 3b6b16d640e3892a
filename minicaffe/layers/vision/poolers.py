"""What pools, for Pooling and for every level of SPP's pyramid: maxima and means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import proxy

import numpy as np

from ...core.blob import Buffer
from ...core.layer import Layer
from ...kernels import memory, pooling, pooling3d
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


def volumes(shape: Sequence[int], out: Sequence[int], window: Window, bare: bool = False) -> pooling3d.Pool3d:
    """The geometry of pooling x of `shape` to `out`: axes that are missing are leading ones of extent 1."""
    return pooling3d.Pool3d(shape[0] * shape[1], int(bare), *in_three_axes(shape[2:], out, window)[:-3])


class PlanePooler(Pooler):
    """A method with kernels of its own, faster ones, for images of at most two axes.

    bare    padding does not count in a mean
    """

    bare = False

    def plan(self, shape, out, window):
        device, g = self.layer.device, volumes(shape, out, window, self.bare)
        self.k: Any = device.bind(pooling if len(out) < 3 else pooling3d)
        self.g: Any = g
        if len(out) < 3:
            end = (0, 0) if self.bare else (0, *window.ends)[-2:]
            numbers = g.h, g.w, g.oh, g.ow, g.kh, g.kw, g.sh, g.sw, g.ph, g.pw, *end, g.bare
            self.g = pooling.Pool(g.volumes, *numbers)

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
    """The mean; bare: of what lies in the image."""

    def __init__(self, layer: Layer, bare: bool) -> None:
        super().__init__(layer)
        self.bare = bare

    def forward(self, x, y):
        self.k.ave_pool_forward(x, y, self.g)

    def backward(self, x, y, dy, dx, add=False):
        self.k.ave_pool_backward(dy, dx, self.g, int(add))
