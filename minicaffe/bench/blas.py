"""Kernels over NumPy's matrix product, which is a BLAS library's: a yardstick from outside.

A convolution gathers the image's columns, as frameworks of Caffe's time did.  BLAS has threads of its own, as
many as the machine has processors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..kernels.convolution import Conv
from ..kernels.gemm import Gemm

Array = np.ndarray


def gemm(a: Array, b: Array, c: Array, g: Gemm) -> None:
    left = a.reshape(g.k, g.m).T if g.ta else a.reshape(g.m, g.k)
    right = b.reshape(g.n, g.k).T if g.tb else b.reshape(g.k, g.n)
    out = c.reshape(g.m, g.n)
    if g.add:
        out += left @ right
    else:
        np.matmul(left, right, out=out)


def conv_forward(x: Array, weights: Array, scale: Array, bias: Array, y: Array, g: Conv) -> None:
    w = weights.reshape(g.groups, g.m, -1)
    columns = np.empty((g.c, g.taps, g.pixels), x.dtype)
    for n in range(g.n):
        images, out = _image(x, n, g), _output(y, n, g)
        for group in range(g.groups):
            for tap, inside, window in _windows(images[group], g):
                columns[:, tap] = 0
                columns[:, tap].reshape(g.c, g.od, g.oh, g.ow)[inside] = window
            np.matmul(w[group], columns.reshape(-1, g.pixels), out=out[group])
        flat = out.reshape(-1, g.pixels)
        if g.scaled:
            flat *= scale.reshape(-1)[:, None]
        if g.bias:
            flat += bias.reshape(-1)[:, None]
        if g.relu:
            np.maximum(flat, 0, out=flat)


def conv_backward_data(dy: Array, weights: Array, dx: Array, g: Conv) -> None:
    w = weights.reshape(g.groups, g.m, -1)
    for n in range(g.n):
        images, slopes = _image(dx, n, g), _output(dy, n, g)
        if not g.add:
            images[...] = 0
        for group in range(g.groups):
            columns = (w[group].T @ slopes[group]).reshape(g.c, g.taps, g.od, g.oh, g.ow)
            for tap, inside, window in _windows(images[group], g):
                window += columns[:, tap][inside]


def conv_backward_weights(x: Array, dy: Array, dweights: Array, g: Conv) -> None:
    dw = dweights.reshape(g.groups, g.m, -1)
    columns = np.empty((g.c, g.taps, g.pixels), x.dtype)
    for n in range(g.n):
        images, slopes = _image(x, n, g), _output(dy, n, g)
        for group in range(g.groups):
            for tap, inside, window in _windows(images[group], g):
                columns[:, tap] = 0
                columns[:, tap].reshape(g.c, g.od, g.oh, g.ow)[inside] = window
            dw[group] += slopes[group] @ columns.reshape(-1, g.pixels).T


def _image(x: Array, n: int, g: Conv) -> Array:
    size = g.groups * g.c * g.d * g.h * g.w
    return x.reshape(-1)[n * g.x_step :][:size].reshape(g.groups, g.c, g.d, g.h, g.w)


def _output(y: Array, n: int, g: Conv) -> Array:
    return y.reshape(-1)[n * g.y_step :][: g.groups * g.m * g.pixels].reshape(g.groups, g.m, g.pixels)


def _windows(image: Array, g: Conv) -> Iterator[tuple[int, tuple[Any, ...], Array]]:
    """For every tap: its number, the outputs whose input lies inside the image, and these inputs, a view."""
    axes = ("d", "h", "w")
    for tap, place in enumerate(np.ndindex(g.kd, g.kh, g.kw)):
        inside: tuple[Any, ...] = (slice(None),)
        inputs: tuple[Any, ...] = (slice(None),)
        for axis, k in zip(axes, place):
            extent, outputs, stride, dilation, pad = (
                getattr(g, field) for field in (axis, f"o{axis}", f"s{axis}", f"l{axis}", f"p{axis}")
            )
            shift = k * dilation - pad
            first = max(0, -(shift // stride))  # the first output whose input is not before the image
            last = min(outputs, (extent - 1 - shift) // stride + 1)
            last = max(first, last)
            start = first * stride + shift
            inside += (slice(first, last),)
            inputs += (
                slice(start, start + (last - first - 1) * stride + 1, stride) if last > first else slice(0),
            )
        yield tap, inside, image[inputs]


KERNELS: dict[str, Callable[..., None]] = {
    function.__name__: function
    for function in (gemm, conv_forward, conv_backward_data, conv_backward_weights)
}
