"""How many multiply-adds a forward pass takes, by layer type.

A product that is added to a sum counts once, and so does a product or a sum alone; comparisons, copies and
look-ups count nothing, an elementary function (exp, tanh) as one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..core.blob import Blob

Blobs = Sequence[Blob]
Count = Callable[[Any, Blobs, Blobs], int]  # layer, bottoms, tops


def of_layer(layer: Any, bottom: Blobs, top: Blobs) -> int | None:
    """The multiply-adds of a layer's forward; None for a type that is not in the table."""
    if layer.type in NOTHING:
        return 0
    count = TABLE.get(layer.type)
    return None if count is None else count(layer, bottom, top)


def _per_output(layer, bottom: Blobs, top: Blobs) -> int:
    """Convolution: every output takes a product per weight of its filter."""
    return sum(blob.count for blob in top) * math.prod(layer.params[0].shape[1:])


def _per_input(layer, bottom: Blobs, top: Blobs) -> int:
    """Deconvolution: every input gives a product per weight of its filter."""
    return sum(blob.count for blob in bottom) * math.prod(layer.params[0].shape[1:])


def _inner_product(layer, bottom: Blobs, top: Blobs) -> int:
    return math.prod(top[0].shape[:-1]) * layer.params[0].count


def _each(times: int) -> Count:
    """`times` per element of the first bottom."""
    return lambda layer, bottom, top: times * bottom[0].count


def _every_bottom(layer, bottom: Blobs, top: Blobs) -> int:
    return sum(blob.count for blob in bottom)


def _pooling(layer, bottom: Blobs, top: Blobs) -> int:
    """Every output adds up its window, but for MAX, which compares."""
    conf = layer.param.pooling_param
    if conf.pool == conf.MAX:
        return 0
    kernel = layer.window.kernel or bottom[0].shape[2:]
    return top[0].count * math.prod(kernel)


def _lrn(layer, bottom: Blobs, top: Blobs) -> int:
    """A square per neighbour, the power and the product."""
    conf = layer.param.lrn_param
    across = conf.norm_region == conf.ACROSS_CHANNELS
    return bottom[0].count * (conf.local_size ** (1 if across else 2) + 2)


TABLE: dict[str, Count] = {
    "BatchNorm": _each(4),  # mean, variance, subtract, divide
    "Bias": _each(1),
    "BNLL": _each(2),
    "ContrastiveLoss": _each(2),
    "Convolution": _per_output,
    "Deconvolution": _per_input,
    "ELU": _each(1),
    "Eltwise": _every_bottom,
    "EuclideanLoss": _each(2),
    "Exp": _each(2),
    "HingeLoss": _each(1),
    "InfogainLoss": _each(2),
    "InnerProduct": _inner_product,
    "LRN": _lrn,
    "Log": _each(2),
    "MVN": _each(4),
    "MultinomialLogisticLoss": _each(1),
    "PReLU": _each(1),
    "Pooling": _pooling,
    "Power": _each(2),
    "ReLU": lambda layer, bottom, top: bottom[0].count if layer.param.relu_param.negative_slope else 0,
    "Reduction": _each(1),
    "Scale": _each(1),
    "Sigmoid": _each(2),
    "SigmoidCrossEntropyLoss": _each(3),
    "Softmax": _each(3),
    "SoftmaxWithLoss": _each(3),
    "Swish": _each(3),
    "TanH": _each(1),
}

NOTHING = frozenset(
    "AbsVal Accuracy ArgMax BatchReindex Clip Concat Crop Data Dropout DummyData Embed Filter Flatten"
    " HDF5Data HDF5Output Im2col ImageData Input MemoryData Parameter Reshape Silence Slice Split"
    " Threshold Tile WindowData".split()
)
