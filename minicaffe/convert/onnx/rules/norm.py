"""Layers that normalize."""

from __future__ import annotations

import numpy as np

from ..graph import Draft, Tensor
from .shape import reduce


def batch_norm(w: Draft) -> Tensor:
    layer = w.layer
    if not layer.frozen:  # use_global_stats: false
        return standardized(w, w.x, [i for i in range(len(w.shape)) if i != 1], layer.eps)
    means, variances, factor = (w.values(blob) for blob in layer.params)
    share = 1 / factor[0] if factor[0] else 0.0
    ones = np.ones(len(means), np.float32)
    statistics = [(means * share).astype(np.float32), (variances * share).astype(np.float32)]
    return w("BatchNormalization", w.x, ones, 0 * ones, *statistics, epsilon=layer.eps)


def bn(w: Draft) -> Tensor:
    layer = w.layer
    a, b, *running = layer.params
    channels = (1, a.count, *[1] * (len(w.shape) - 2))
    if not layer.frozen:  # SegNet's, of the batch
        w.require(
            len(w.top_shapes) == 1, "no moments of a batch as outputs", "remove the tops behind the first"
        )
        y = standardized(w, w.x, [i for i in range(len(w.shape)) if i != 1], layer.eps)
    elif running:
        rest = [w.param(blob, (blob.count,)) for blob in layer.params]
        return w("BatchNormalization", w.x, *rest, epsilon=layer.eps)
    else:
        y = w.x
    return w("Add", w("Mul", y, w.param(a, channels)), w.param(b, channels))


def standardized(
    w: Draft, x: Tensor, axes: list[int], inside: float = 0, outside: float = 0, scaled: bool = True
) -> Tensor:
    """(x - mean) / (sqrt(variance + inside) + outside), over axes; x - mean unless scaled."""
    x = w("Sub", x, reduce(w, "ReduceMean", x, axes, keepdims=1))
    if not scaled:
        return x
    variance = reduce(w, "ReduceMean", w("Mul", x, x), axes, keepdims=1)
    deviation = w("Sqrt", w("Add", variance, inside) if inside else variance)
    return w("Div", x, w("Add", deviation, outside) if outside else deviation)


def mvn(w: Draft) -> Tensor:
    layer = w.layer
    x = w.x if len(w.shape) == 4 else w.reshaped(w.x)
    return standardized(w, x, [1, 2, 3] if layer.across else [2, 3], 0, layer.eps, layer.scaled)


def lrn(w: Draft) -> Tensor:
    """Across channels ONNX has LRN, for alpha and beta above 0 (onnxruntime asks for it).  Else the squares
    are averaged: by AveragePool over rows and columns, or, with channels as rows, over those."""
    conf, layer = w.layer.param.lrn_param, w.layer
    size, reach = conf.local_size, conf.local_size // 2
    if layer.across and conf.alpha > 0 and conf.beta > 0:
        return w("LRN", w.x, size=size, alpha=conf.alpha, beta=conf.beta, bias=conf.k)
    squares = w("Mul", w.x, w.x)
    window, pads = [size, size], [reach] * 4
    if layer.across:
        c, h, width = w.shape[1:]
        squares = w("Reshape", squares, [-1, 1, c, h * width])
        window, pads = [size, 1], [reach, 0, reach, 0]
    mean = w("AveragePool", squares, kernel_shape=window, pads=pads, count_include_pad=1)
    if layer.across:
        mean = w.reshaped(mean)
    level = w("Add", w("Mul", mean, conf.alpha), layer.constant)
    return w("Mul", w.x, w("Pow", level, -conf.beta))


def normalize(w: Draft) -> Tensor:
    layer = w.layer
    axes = list(range(1, len(w.shape))) if layer.across else [1]
    total = reduce(w, "ReduceL1" if layer.absolute else "ReduceSumSquare", w.x, axes, keepdims=1)
    total = w("Add", total, layer.eps) if layer.eps else total
    y = w("Div", w.x, total if layer.absolute else w("Sqrt", total))
    if not layer.params:
        return y
    factors = layer.params[0]
    return w("Mul", y, w.param(factors, factors.shape and (factors.count, *[1] * (len(w.shape) - 2))))


RULES = {
    "BN": bn,
    "BatchNorm": batch_norm,
    "LRN": lrn,
    "MVN": mvn,
    "Normalize": normalize,
    "Softmax": lambda w: w("Softmax", w.x, axis=w.axis(w.layer.param.softmax_param.axis)),
}
