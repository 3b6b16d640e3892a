"""The sums that layers with weights and windows compute, written with this layer's numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..core.layer import Layer
from ..inference.stepper import Passage
from ..proto.schema import enum_name

AXES = ("i", "j", "l")


def of(layer: Layer, passage: Passage) -> str:
    """What a value of the top is; "" for a layer of which nothing better is said than in its docstring."""
    return EXPRESSIONS[passage.type](layer, passage) if passage.type in EXPRESSIONS else ""


def _convolution(layer: Any, passage: Passage) -> str:
    window, (outputs, channels, *_) = layer.window, passage.params[0].shape
    spatial = len(window.kernel)
    if not 1 <= spatial <= 3 or layer.axis != 1:
        return ""
    out, inner = AXES[:spatial], ("r", "s", "t")[:spatial]
    places = [_place(*axis) for axis in zip(out, inner, window.stride, window.dilation, window.pad)]
    ranges = ", ".join([f"c < {channels}", *(f"{name} < {k}" for name, k in zip(inner, window.kernel))])
    bias = "b[k] + " if layer.bias is not None else ""
    grouped = f" with c counted in the group of k, one of {layer.groups}" if layer.groups > 1 else ""
    return (
        f"y[k, {', '.join(out)}] = {bias}sum over {ranges} of w[k, c, {', '.join(inner)}]"
        f" x[c, {', '.join(places)}]{grouped}\n{channels * math.prod(window.kernel)} products each,"
        f" k < {outputs}; x is 0 beyond its edges"
    )


def _place(out: str, inner: str, stride: int, dilation: int, pad: int) -> str:
    """Where the window reads: 2 i + r - 1."""
    said = (
        f"{out if stride == 1 else f'{stride} {out}'} + {inner if dilation == 1 else f'{dilation} {inner}'}"
    )
    return said + (f" - {pad}" if pad else "")


def _inner_product(layer: Any, passage: Passage) -> str:
    weight = "w[n, k]" if layer.transpose else "w[k, n]"
    bias = "b[k] + " if len(passage.params) > 1 else ""
    return f"y[k] = {bias}sum over n < {layer.k_size} of {weight} x[n],  k < {layer.n}"


def _pooling(layer: Any, passage: Passage) -> str:
    window, size = layer.window, passage.bottoms[0].shape[2:]
    kernel: Sequence[int] = window.kernel or size
    out, inner = AXES[: len(size)], ("r", "s", "t")[: len(size)]
    places = [
        _place(o, i, s, 1, p) if window.kernel else i
        for o, i, s, p in zip(out, inner, window.stride, window.pad)
    ]
    ranges = ", ".join(f"{name} < {k}" for name, k in zip(inner, kernel))
    what = {"MAX": "maximum", "AVE": "mean", "STOCHASTIC": "an element, by chance,"}
    method = what[enum_name(layer.param.pooling_param, "pool")]
    return f"y[c, {', '.join(out)}] = {method} over {ranges} of x[c, {', '.join(places)}]"


def _softmax(layer: Layer, passage: Passage) -> str:
    x = passage.bottoms[0]
    classes = x.shape[layer.param.softmax_param.axis % x.ndim]
    return f"y[k] = exp(x[k]) / sum over n < {classes} of exp(x[n])"


EXPRESSIONS: dict[str, Callable[[Any, Passage], str]] = {
    "Convolution": _convolution,
    "InnerProduct": _inner_product,
    "Pooling": _pooling,
    "Softmax": _softmax,
}
