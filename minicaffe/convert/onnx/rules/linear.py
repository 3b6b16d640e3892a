"""Layers that multiply and add what they learned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....core.blob import Blob
from ....layers.linear.inner_distance import EPS
from ..graph import INT64, Draft, Tensor


def inner_product(w: Draft) -> Tensor:
    layer, axis = w.layer, w.axis(w.layer.param.inner_product_param.axis)
    rows = w.x if (axis, len(w.shape)) == (1, 2) else w("Flatten", w.x, axis=axis)
    params = [w.param(blob) for blob in layer.params]
    y = w("Gemm", rows, *params, transB=int(not layer.transpose))
    return y if axis == 1 else w.reshaped(y)


def embed(w: Draft) -> Tensor:
    w.whole_numbers(w.x, w.layer.rows)
    weights, *bias = (w.param(blob) for blob in w.layer.params)
    y = w("Gather", weights, w("Cast", w.x, to=INT64), axis=0)
    return w("Add", y, *bias) if bias else y


def behind(w: Draft, shape: Sequence[int]) -> int:
    """How many axes of x lie behind those that an operand of `shape` has: ONNX aligns operands from the last
    axis, Caffe from `axis` on."""
    first = w.axis(w.layer.axis) if shape else 0
    return len(w.shape) - first - len(shape)


def operand(w: Draft) -> Tensor:
    """The factor of Scale or the summand of Bias, aligned."""
    if len(w.bottom) == 1:
        return aligned(w, w.layer.params[0])
    axes, shape = behind(w, w.shapes[1]), w.shapes[1]
    return w("Unsqueeze", w.bottom[1], list(range(len(shape), len(shape) + axes))) if axes else w.bottom[1]


def aligned(w: Draft, blob: Blob) -> Tensor:
    """A parameter of Scale or Bias with axes of extent 1 for those of x behind its own."""
    return w.param(blob, (*blob.shape, *[1] * behind(w, blob.shape)))


def scale(w: Draft) -> Tensor:
    y = w("Mul", w.x, operand(w))
    return w("Add", y, aligned(w, w.layer.bias)) if w.layer.bias else y


def axpy(w: Draft) -> Tensor:
    a, x, b = w.bottom
    missing = list(range(len(w.shapes[0]), len(w.shapes[1])))
    return w("Add", w("Mul", w("Unsqueeze", a, missing) if missing else a, x), b)


def mul(w: Draft) -> Tensor:
    return w("Mul", w.x, w.bottom[1] if len(w.bottom) > 1 else w.param(w.layer.params[0]))


def channel_scale(w: Draft) -> Tensor:
    if not w.layer.scales:
        return w.x
    shape = w.shapes[0]
    return w("Mul", w.x, w("Reshape", w.bottom[1], [shape[0], 1, *shape[2:]]))


def inner_distance(w: Draft) -> Tensor:
    layer, weights = w.layer, w.layer.params[0]
    x = w("Unsqueeze", w("Flatten", w.x, axis=w.axis(layer.param.inner_distance_param.axis)), [1])
    rows = w.values(weights)
    if layer.param.inner_distance_param.normalize:  # which the layer's first pass does
        lengths = (rows**2).sum(axis=1, keepdims=True) + EPS
        rows = rows / np.where(np.abs(lengths - 1) > layer.slack, np.sqrt(lengths), 1)
    away = w("Sub", x, rows.astype(np.float32))
    y = w("ReduceL1" if layer.absolute else "ReduceSumSquare", away, axes=[2], keepdims=0)
    y = w("Add", y, w.param(layer.params[1])) if len(layer.params) > 1 else y
    return y if len(w.top_shapes[0]) == 2 else w.reshaped(y)


RULES = {
    "Add": lambda w: w("Add", *w.bottom),
    "Axpy": axpy,
    "Bias": lambda w: w("Add", w.x, operand(w)),
    "ChannelScale": channel_scale,
    "Embed": embed,
    "InnerDistance": inner_distance,
    "InnerProduct": inner_product,
    "MaskPooling": lambda w: w("Mul", *w.bottom),
    "Mul": mul,
    "Scale": scale,
}
