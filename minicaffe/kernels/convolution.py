"""Convolution over up to three spatial axes, with groups, stride, padding and dilation.

Layout: x (n, groups * c, d, h, w), weights (groups * m, c, kd, kh, kw), y (n, groups * m, od, oh, ow); one-
and two-dimensional convolutions have leading axes of 1.  Along each axis output o reads, under tap k, input
o * stride + k * dilation - pad; inputs outside the image are zero.

The images of x, and those of y, may lie apart, as parts of the images of another blob: x_step and y_step are
the elements from one to the next.  Such an array ends with its last image, and what lies between the images
is neither read nor written.  The same holds for dx and dy.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .axes import DILATED, over
from .cpu import jit
from .finish import finish
from .registry import geometry, kernel
from .tensor import convolution as tensor
from .tiled import convolution as tiled

OWN = ("n", "groups", "c", "m", "x_step", "y_step", "scaled", "bias", "relu", "add")


@geometry
class Conv(over(DILATED, "Conv", *OWN)):
    """n images; c input and m output channels per group; elements from one image to the next; axes.py.

    What follows the sum, each 0 or 1; an argument that is not asked for is ignored, and any array will do:

    scaled  forward multiplies by scale[channel],
    bias    adds bias[channel],
    relu    and takes max(0, .)
    add     the gradient by data is added to dx, not written
    """

    __slots__ = ()

    @property
    def pixels(self) -> int:
        return self.od * self.oh * self.ow

    @property
    def taps(self) -> int:
        return self.kd * self.kh * self.kw


def contiguous(n: int, groups: int, c: int, m: int, bias: int, *axes: int) -> Conv:
    """The convolution whose images lie next to each other, followed by nothing but a bias; `axes` are the
    fields from d on."""
    g = Conv(n, groups, c, m, 0, 0, 0, bias, 0, 0, *axes)
    return g._replace(x_step=groups * c * g.d * g.h * g.w, y_step=groups * m * g.pixels)


def blocks(m: int, n: int, tile: int, g: Conv) -> int:
    """CUDA: tiles of products (m, n), one for each group."""
    return -(-m // tile) * -(-n // tile) * g.groups


@kernel(
    blocks=lambda x, weights, scale, bias, y, g: blocks(g.m, g.n * g.pixels, 64, g),
    cpu=lambda device: tiled.Tiled(device).forward,
    cuda=tensor.make_forward,
)
def conv_forward(x, weights, scale, bias, y, g: Conv):
    """y[n, m, o] = sum over c, k of weights[m, c, k] * x[n, c, o * stride + k * dilation - pad], times
    scale[m], plus bias[m]; 0 where that is not positive, if g.relu."""
    size, outputs = g.groups * g.c * g.d * g.h * g.w, g.groups * g.m * g.od * g.oh * g.ow
    weights = weights.reshape(g.groups, g.m, g.c, g.kd, g.kh, g.kw)
    for n in prange(g.n):
        image = x[n * g.x_step : n * g.x_step + size].reshape(g.groups, g.c, g.d, g.h, g.w)
        out = y[n * g.y_step : n * g.y_step + outputs].reshape(g.groups, g.m, g.od * g.oh * g.ow)
        for group in range(g.groups):
            for m in range(g.m):
                plane = out[group, m]
                plane[:] = 0
                for c in range(g.c):
                    correlate(image[group, c], weights[group, m, c], plane.reshape(g.od, g.oh, g.ow), g)
                finish(plane, group * g.m + m, scale, bias, g)


@kernel(threads=lambda scale, bias, y, g: g.n * g.groups * g.m * g.pixels)
def conv_finish(scale, bias, y, g: Conv):
    """What follows the sum in conv_forward, on sums that are already in y: for libraries that compute the sum
    alone."""
    pixels = g.od * g.oh * g.ow
    for n in prange(g.n):
        for m in range(g.groups * g.m):
            first = n * g.y_step + m * pixels
            finish(y[first : first + pixels], m, scale, bias, g)


@kernel(
    blocks=lambda dy, weights, dx, g: blocks(g.c, g.n * g.d * g.h * g.w, 64, g),
    cpu=lambda device: tiled.Tiled(device).backward_data,
    cuda=tensor.make_backward_data,
)
def conv_backward_data(dy, weights, dx, g: Conv):
    """dx[n, c, i] = sum over m and the (o, k) that read i of weights[m, c, k] * dy[n, m, o], + dx[n, c, i] if
    g.add."""
    size, outputs = g.groups * g.c * g.d * g.h * g.w, g.groups * g.m * g.od * g.oh * g.ow
    weights = weights.reshape(g.groups, g.m, g.c, g.kd, g.kh, g.kw)
    for n in prange(g.n):
        slopes = dy[n * g.y_step : n * g.y_step + outputs].reshape(g.groups, g.m, g.od, g.oh, g.ow)
        image = dx[n * g.x_step : n * g.x_step + size].reshape(g.groups, g.c, g.d, g.h, g.w)
        if not g.add:
            image[:] = 0
        for group in range(g.groups):
            for c in range(g.c):
                for m in range(g.m):
                    spread(slopes[group, m], weights[group, m, c], image[group, c], g)


@kernel(
    blocks=lambda x, dy, dweights, g: blocks(g.m, g.c * g.taps, 32, g),
    cpu=lambda device: tiled.Tiled(device).backward_weights,
    cuda=tensor.make_backward_weights,
)
def conv_backward_weights(x, dy, dweights, g: Conv):
    """dweights[m, c, k] += sum over n, o of dy[n, m, o] * x[n, c, o * stride + k * dilation - pad]."""
    area, pixels = g.d * g.h * g.w, g.od * g.oh * g.ow
    dweights = dweights.reshape(g.groups, g.m, g.c, g.kd, g.kh, g.kw)
    for m in prange(g.m):
        for group in range(g.groups):
            for c in range(g.c):
                for n in range(g.n):
                    first = n * g.x_step + (group * g.c + c) * area
                    plane = x[first : first + area].reshape(g.d, g.h, g.w)
                    first = n * g.y_step + (group * g.m + m) * pixels
                    slopes = dy[first : first + pixels].reshape(g.od, g.oh, g.ow)
                    collect(plane, slopes, dweights[group, m, c], g)


@kernel(blocks=lambda y, dy, dbias, g: g.groups * g.m)
def conv_backward_bias(y, dy, dbias, g: Conv):
    """If g.relu, dy = dy where y > 0, 0 * dy elsewhere: what the other gradients then take.  If g.bias,
    dbias[m] += sum over n, o of dy[n, m, o].  Without g.relu y is ignored."""
    pixels, zero = g.od * g.oh * g.ow, dy.dtype.type(0)
    for m in prange(g.groups * g.m):
        total = zero
        for n in range(g.n):
            first = n * g.y_step + m * pixels
            outputs, slopes = y[first : first + pixels], dy[first : first + pixels]
            if g.relu:
                for i in range(pixels):
                    slopes[i] = slopes[i] if outputs[i] > 0 else slopes[i] * zero
            for i in range(pixels):  # apart from the loop above: one order of the sum, with ReLU and without
                total += slopes[i]
        if g.bias:
            dbias[m] += total


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
