"""A stage of DenseBlock: batch norm, ReLU, convolution."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.blob import Blob, Buffer
from ...core.layer import Layer
from ...kernels import batch_norm, convolution, dense_block

EPS = 1e-5


class Kernels:
    """What the stages of a layer have in common.

    turned   room for the filters of a stage, turned round, and then for their gradient
    a, da    room for what ReLU leaves of a stage, and for the gradient by it
    """

    def __init__(self, layer: Layer) -> None:
        device = layer.device
        self.norm, self.conv = device.bind(batch_norm), device.convolutions("DEFAULT")
        self.own = device.bind(dense_block)
        self.turned: Buffer
        self.a: Buffer
        self.da: Buffer


def cut(buffer: Buffer, count: int) -> Any:
    """The first elements of a room."""
    return buffer.data.reshape(-1)[:count]


class Stage:
    """x (n, channels, h, w) -> y (n, outputs, h, w), whose images may lie apart.

    side  of the filters: 3 or 1; they are applied turned round, as a convolution's are
    """

    filters: Blob
    scale: Blob
    bias: Blob
    means: Blob
    variances: Blob

    def __init__(self, layer: Layer, channels: int, outputs: int, side: int) -> None:
        self.layer, self.channels, self.outputs, self.side = layer, channels, outputs, side

    def fit(self, n: int, h: int, w: int, frozen: bool) -> None:
        """In reshape: the geometry, and what forward saves."""
        side, pad = self.side, self.side // 2
        axes = (1, h, w, 1, h, w, 1, side, side, 1, 1, 1, 0, pad, pad, 1, 1, 1)
        self.g = convolution.contiguous(n, 1, self.channels, self.outputs, 0, *axes)
        self.norm = batch_norm.Channels(n, self.channels, h * w, int(frozen))
        self.mean, self.variance = (self.layer.saved((self.channels,)) for _ in range(2))
        self.count = n * self.channels * h * w
        each = n * h * w
        self.unbias = each / (each - 1) if each > 1 else 1.0

    def forward(self, k: Kernels, x: Any, factor: Any, y: Any, y_step: int, part: float) -> None:
        moments, kept = (self.mean.data, self.variance.data), (self.means.data, self.variances.data)
        if self.norm.fixed:
            k.own.kept_moments(*kept, factor, *moments, self.norm)
        else:
            k.norm.channel_moments(x, *moments, self.norm)
            k.own.mix_moments(*moments, *kept, factor, self.norm, part, self.unbias)
        a, weights = self._activated(k, x), self._turned(k)
        k.conv.conv_forward(a, weights, weights, weights, y, self.g._replace(y_step=y_step))

    def backward(self, k: Kernels, x: Any, dy: Any, y_step: int, dx: Any) -> None:
        """Gradients of the parameters are added to; dx is None where it is not wanted."""
        g, da = self.g._replace(y_step=y_step), cut(k.da, self.count)
        k.conv.conv_backward_data(dy, self._turned(k), da, g)
        if self._learns(self.filters):
            slopes = cut(k.turned, self.filters.count)
            self.layer.device.fill(slopes, 0)
            k.conv.conv_backward_weights(self._activated(k, x), dy, slopes, g)
            k.own.add_turned(slopes, self.filters.diff, self.side**2)
        learns = self._learns(self.scale), self._learns(self.bias)
        wanted = batch_norm.Wanted(int(dx is not None), *map(int, learns))
        if any(wanted):
            given = x, self.mean.data, self.variance.data, self.scale.data, self.bias.data, da
            slopes = (  # what is not wanted may be any array
                da if dx is None else dx,
                self.scale.diff if wanted.scale else self.scale.data,
                self.bias.diff if wanted.bias else self.bias.data,
            )
            k.norm.batch_norm_backward(*given, *slopes, self.norm, EPS, 1, wanted)

    def folded(self, factor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Factors and summands of the frozen batch norm, on the host."""
        scale, bias, means, variances = (
            np.asarray(self.layer.device.get(blob.data), np.float64).reshape(-1)
            for blob in (self.scale, self.bias, self.means, self.variances)
        )
        f = factor.item() or 1.0
        a = scale / np.sqrt(variances / f + EPS)
        return a, bias - means / f * a

    def operations(self) -> tuple[int, int]:
        """Multiply-adds of the convolution, and elements of x."""
        return self.g.n * self.g.pixels * self.filters.count, self.count

    def _activated(self, k: Kernels, x: Any) -> Any:
        """ReLU of the batch norm of x; backward computes it again."""
        a = cut(k.a, self.count)
        given = x, self.mean.data, self.variance.data, self.scale.data, self.bias.data
        k.norm.batch_norm_forward(*given, a, self.norm, EPS, 1)
        return a

    def _turned(self, k: Kernels) -> Any:
        if self.side == 1:
            return self.filters.data
        turned = cut(k.turned, self.filters.count)
        k.own.turn_filters(self.filters.data, turned, self.side**2)
        return turned

    def _learns(self, blob: Blob) -> bool:
        return self.layer.param_gradient[self.layer.params.index(blob)]
