"""Pooling and SPP: Caffe's windows in ONNX's terms.

ONNX has a ceil_mode too, but other windows at the border: Caffe leaves out one that starts in the padding
behind the image, and its mean counts the padding but not what a window covers beyond it; ONNX counts all or
nothing, and its versions disagree.  So ceil_mode is never used: the pads are made to fit.  With

    overhang = (out - 1) stride + kernel - size - pads,  where above 0,

a window reaches that far beyond image and padding.  MAX takes it as more padding behind, which never wins.
A mean without overhang is AveragePool with its pads counted; with overhang the zeros of the padding are first
made part of the image, and pads, those of the overhang alone, are not counted.  A mean that does not count
padding is AveragePool without counted pads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ....layers.vision.pooling_methods import BARE
from ....layers.vision.window import Window
from ..graph import FLOAT, Draft, Tensor

TINY = 1.1754944e-38  # the smallest normal float32


def ends(size: Sequence[int], out: Sequence[int], window: Window) -> list[int]:
    """How far the last windows reach behind the image; 0 if some of it is left over."""
    return [
        max(0, (o - 1) * stride + kernel - extent - pad)
        for extent, o, (kernel, stride, pad, *_) in zip(size, out, window.axes)
    ]


def max_pool(
    w: Draft, x: Tensor, size: Sequence[int], out: Sequence[int], window: Window, outputs: int = 1
) -> list[Tensor]:
    pads = [*window.pad, *ends(size, out, window)]
    return w.several(
        "MaxPool", x, outputs=outputs, kernel_shape=window.kernel, strides=window.stride, pads=pads
    )


def ave_pool(
    w: Draft, x: Tensor, size: Sequence[int], out: Sequence[int], window: Window, bare: bool = False
) -> Tensor:
    pads, behind = [*window.pad], ends(size, out, window)
    if bare:
        return _means(w, x, window, [*pads, *behind], counted=False)
    over = [max(0, end - pad) for end, pad in zip(behind, window.ends)]
    counted = not any(over)
    if counted:
        pads += behind
    else:
        if window.padded:  # Pad names the axes of batch and channels too
            inside = (min(pad, end) for pad, end in zip(window.ends, behind))
            x = w("Pad", x, [0, 0, *pads, 0, 0, *inside])
        pads = [0] * len(pads) + over
    return _means(w, x, window, pads, counted)


def _means(w: Draft, x: Tensor, window: Window, pads: Sequence[int], counted: bool) -> Tensor:
    how = {"kernel_shape": window.kernel, "strides": window.stride, "pads": pads}
    return w("AveragePool", x, **how, count_include_pad=int(counted))


def pool(w: Draft, method: str, size: Sequence[int], out: Sequence[int], window: Window) -> Tensor:
    """x, pooled as in phase TEST."""
    if method == "MAX":
        return max_pool(w, w.x, size, out, window)[0]
    if method != "STOCHASTIC":
        return ave_pool(w, w.x, size, out, window, method in BARE)
    # STOCHASTIC on average: sum of x^2 / sum of x over the positive elements, 0 if there are none
    x = w("Relu", w.x)
    squares, sums = (ave_pool(w, value, size, out, window) for value in (w("Mul", x, x), x))
    return w("Div", squares, w("Max", sums, TINY))


def pooling(w: Draft) -> list[Tensor]:
    layer, size, out = w.layer, w.shape[2:], w.top_shapes[0][2:]
    method = layer.method
    if not layer.window.kernel and len(w.top_shapes) == 1 and method != "STOCHASTIC":  # global_pooling
        return [w("GlobalMaxPool" if method == "MAX" else "GlobalAveragePool", w.x)]
    window = (layer.window if layer.window.kernel else layer.window._replace(kernel=size)).over(size)
    if len(w.top_shapes) == 1:
        return [pool(w, method, size, out, window)]
    y, places = max_pool(w, w.x, size, out, window, outputs=2)
    # MaxPool counts places through the whole tensor, Caffe in every plane
    return [y, w("Cast", w("Mod", places, [math.prod(size)]), to=FLOAT)]


def spp(w: Draft) -> Tensor:
    """Every level by itself, then side by side."""
    conf, size = w.layer.param.spp_param, list(w.shape[2:])
    method, levels = w.layer.method, []
    for level in range(conf.pyramid_height):
        levels.append(pool(w, method, size, (2**level,) * 2, w.layer.window(level, size)))
    if len(levels) == 1:
        return levels[0]
    return w("Concat", *(w("Flatten", y, axis=1) for y in levels), axis=1)


RULES = {"Pooling": pooling, "SPP": spp}
