"""Convolution over up to three spatial axes, with groups, stride, padding and dilation.

Layout: x (n, groups * c, d, h, w), weights (groups * m, c, kd, kh, kw), y (n, groups * m, od, oh, ow); one-
and two-dimensional convolutions have leading axes of 1.  Along each axis output o reads, under tap k, input
o * stride + k * dilation - pad; inputs outside the image are zero.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from .cpu import jit
from .registry import geometry, kernel
from .tensor import convolution as tensor
from .tiled import convolution as tiled


@geometry
class Conv(NamedTuple):
    """c input and m output channels per group; extents, kernel, stride, pad and dilation (l) of depth, rows,
    columns."""

    n: int
    groups: int
    c: int
    m: int
    bias: int  # 0: there is none, and the bias argument is ignored
    d: int
    h: int
    w: int
    od: int
    oh: int
    ow: int
    kd: int
    kh: int
    kw: int
    sd: int
    sh: int
    sw: int
    pd: int
    ph: int
    pw: int
    ld: int
    lh: int
    lw: int

    @property
    def pixels(self) -> int:
        return self.od * self.oh * self.ow

    @property
    def taps(self) -> int:
        return self.kd * self.kh * self.kw


def blocks(m: int, n: int, tile: int, g: Conv) -> int:
    """CUDA: tiles of products (m, n), one for each group."""
    return -(-m // tile) * -(-n // tile) * g.groups


@kernel(
    blocks=lambda x, weights, bias, y, g: blocks(g.m, g.n * g.pixels, 64, g),
    cpu=tiled.make_forward,
    cuda=tensor.make_forward,
)
def conv_forward(x, weights, bias, y, g: Conv):
    """y[n, m, o] = sum over c, k of weights[m, c, k] * x[n, c, o * stride + k * dilation - pad], plus
    bias[m]."""
    x = x.reshape(g.n, g.groups, g.c, g.d, g.h, g.w)
    weights = weights.reshape(g.groups, g.m, g.c, g.kd, g.kh, g.kw)
    y = y.reshape(g.n, g.groups, g.m, g.od, g.oh, g.ow)
    for n in prange(g.n):
        y[n] = 0
        for group in range(g.groups):
            for m in range(g.m):
                for c in range(g.c):
                    correlate(x[n, group, c], weights[group, m, c], y[n, group, m], g)
                if g.bias:
                    y[n, group, m] += bias[group * g.m + m]


@kernel(
    blocks=lambda dy, weights, dx, g: blocks(g.c, g.n * g.d * g.h * g.w, 64, g),
    cpu=tiled.make_backward_data,
    cuda=tensor.make_backward_data,
)
def conv_backward_data(dy, weights, dx, g: Conv):
    """dx[n, c, i] = sum over m and the (o, k) that read i of weights[m, c, k] * dy[n, m, o]."""
    dy = dy.reshape(g.n, g.groups, g.m, g.od, g.oh, g.ow)
    weights = weights.reshape(g.groups, g.m, g.c, g.kd, g.kh, g.kw)
    dx = dx.reshape(g.n, g.groups, g.c, g.d, g.h, g.w)
    for n in prange(g.n):
        dx[n] = 0
        for group in range(g.groups):
            for c in range(g.c):
                for m in range(g.m):
                    spread(dy[n, group, m], weights[group, m, c], dx[n, group, c], g)


@kernel(
    blocks=lambda x, dy, dweights, g: blocks(g.m, g.c * g.taps, 32, g),
    cpu=tiled.make_backward_weights,
    cuda=tensor.make_backward_weights,
)
def conv_backward_weights(x, dy, dweights, g: Conv):
    """dweights[m, c, k] += sum over n, o of dy[n, m, o] * x[n, c, o * stride + k * dilation - pad]."""
    x = x.reshape(g.n, g.groups, g.c, g.d, g.h, g.w)
    dy = dy.reshape(g.n, g.groups, g.m, g.od, g.oh, g.ow)
    dweights = dweights.reshape(g.groups, g.m, g.c, g.kd, g.kh, g.kw)
    for m in prange(g.m):
        for group in range(g.groups):
            for c in range(g.c):
                for n in range(g.n):
                    collect(x[n, group, c], dy[n, group, m], dweights[group, m, c], g)


# The sum over output pixels and taps that the three share, on one plane of each operand.


@jit
def correlate(x, weights, y, g):
    for z, i, j, a, b, e in np.ndindex(g.od, g.oh, g.ow, g.kd, g.kh, g.kw):
        p, q, r = z * g.sd + a * g.ld - g.pd, i * g.sh + b * g.lh - g.ph, j * g.sw + e * g.lw - g.pw
        if 0 <= p < g.d and 0 <= q < g.h and 0 <= r < g.w:
            y[z, i, j] += weights[a, b, e] * x[p, q, r]


@jit
def spread(dy, weights, dx, g):
    for z, i, j, a, b, e in np.ndindex(g.od, g.oh, g.ow, g.kd, g.kh, g.kw):
        p, q, r = z * g.sd + a * g.ld - g.pd, i * g.sh + b * g.lh - g.ph, j * g.sw + e * g.lw - g.pw
        if 0 <= p < g.d and 0 <= q < g.h and 0 <= r < g.w:
            dx[p, q, r] += weights[a, b, e] * dy[z, i, j]


@jit
def collect(x, dy, dweights, g):
    for z, i, j, a, b, e in np.ndindex(g.od, g.oh, g.ow, g.kd, g.kh, g.kw):
        p, q, r = z * g.sd + a * g.ld - g.pd, i * g.sh + b * g.lh - g.ph, j * g.sw + e * g.lw - g.pw
        if 0 <= p < g.d and 0 <= q < g.h and 0 <= r < g.w:
            dweights[a, b, e] += dy[z, i, j] * x[p, q, r]
