"""How many multiply-adds forward and backward take, by layer type.

A product that is added to a sum counts once, and so does a product or a sum alone; comparisons, copies and
look-ups count nothing, an elementary function (exp, tanh) as one.  A sum that starts from a bias takes no
more than without it.  Windows count whole, with what they cover beyond the edge of an image.

Backward is counted as the net runs it: a gradient by each bottom that one goes to, and by each parameter that
is trained.  For Convolution, Deconvolution and InnerProduct a gradient by a bottom or by the weights takes as
many as forward does, one by the bias a sum over dy.  For all others it is what the formula in the layer's
docstring takes, where what forward has saved is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..core.blob import Blob
from ..graph.gradients import Backward

Blobs = Sequence[Blob]
Count = Callable[[Any, Blobs, Blobs], int]  # layer, bottoms, tops
GradientCount = Callable[[Any, Blobs, Blobs, int], int]  # and the number of a bottom or parameter


def of_layer(layer: Any, bottom: Blobs, top: Blobs) -> int | None:
    """The multiply-adds of a layer's forward; None for a type that is not in the table."""
    if layer.type in NOTHING:
        return 0
    rule = TABLE.get(layer.type)
    return None if rule is None else rule.forward(layer, bottom, top)


def of_backward(layer: Any, bottom: Blobs, top: Blobs, backward: Backward) -> int | None:
    """The multiply-adds of a layer's backward, as far as the net runs it; None as above."""
    if layer.type in NOTHING or not backward.runs:
        return 0
    rule = TABLE.get(layer.type)
    if rule is None:
        return None
    bottoms = [i for i, wanted in enumerate(backward.propagate) if wanted]
    params = [j for j, wanted in enumerate(backward.params) if wanted]
    return sum(rule.by_bottom(layer, bottom, top, i) for i in bottoms) + sum(
        rule.by_param(layer, bottom, top, j) for j in params
    )


def _none(layer: Any, bottom: Blobs, top: Blobs, which: int = 0) -> int:
    return 0


class Rule(NamedTuple):
    """What a type takes: forward, and backward for the gradient by one bottom and by one parameter."""

    forward: Count
    by_bottom: GradientCount
    by_param: GradientCount = _none


def _each(times: int) -> Callable[..., int]:
    """`times` per element of the first bottom."""
    return lambda layer, bottom, top, which=0: times * bottom[0].count


def _per_top(times: int) -> Callable[..., int]:
    """`times` per element of the first top."""
    return lambda layer, bottom, top, which=0: times * top[0].count


def _linear(forward_of: Callable[[Any, Blob, Blob], int]) -> Rule:
    """A layer that multiplies each of its bottoms with its weights and may add a bias."""

    def forward(layer: Any, bottom: Blobs, top: Blobs) -> int:
        return sum(forward_of(layer, x, y) for x, y in zip(bottom, top))

    def by_bottom(layer: Any, bottom: Blobs, top: Blobs, i: int) -> int:
        return forward_of(layer, bottom[i], top[i])

    def by_param(layer: Any, bottom: Blobs, top: Blobs, j: int) -> int:
        return forward(layer, bottom, top) if j == 0 else sum(blob.count for blob in top)

    return Rule(forward, by_bottom, by_param)


def _taps(layer: Any) -> int:
    """The weights that one output of a Convolution, or one input of a Deconvolution, meets."""
    return math.prod(layer.params[0].shape[1:])


def _batch_norm(layer: Any, bottom: Blobs, top: Blobs) -> int:
    """Subtract and divide; of a batch also mean and variance."""
    return (2 if layer.frozen else 4) * bottom[0].count


def _batch_norm_backward(layer: Any, bottom: Blobs, top: Blobs, i: int) -> int:
    """A product; of a batch y from x, two means of dy, and what is taken from dy for each."""
    return (1 if layer.frozen else 6) * bottom[0].count


def _eltwise(layer: Any, bottom: Blobs, top: Blobs) -> int:
    """MAX compares; the others take a product or a sum per bottom."""
    return 0 if layer.operation == "MAX" else len(bottom) * top[0].count


def _eltwise_backward(layer: Any, bottom: Blobs, top: Blobs, i: int) -> int:
    """SUM: dy by the coefficient; MAX: dy or nothing; PROD: dy and the others, or dy, y and one division."""
    per_element = {"SUM": 1, "MAX": 0, "PROD": len(bottom) - 1 if layer.stable else 2}
    return per_element[layer.operation] * top[0].count


def _embed(layer: Any, bottom: Blobs, top: Blobs) -> int:
    """Looked up; only a bias is added."""
    return (len(layer.params) - 1) * top[0].count


def _lrn(extra: int) -> Callable[..., int]:
    """A sum over the neighbours, and `extra` per element."""

    def count(layer: Any, bottom: Blobs, top: Blobs, i: int = 0) -> int:
        return bottom[0].count * (layer.param.lrn_param.local_size ** (1 if layer.across else 2) + extra)

    return count


def _pooling(layer: Any, bottom: Blobs, top: Blobs) -> int:
    """Every output adds up its window, but for MAX, which compares."""
    conf = layer.param.pooling_param
    if conf.pool == conf.MAX:
        return 0
    kernel = layer.window.kernel or bottom[0].shape[2:]
    return top[0].count * math.prod(kernel)


def _pooling_backward(layer: Any, bottom: Blobs, top: Blobs, i: int) -> int:
    """Every dy is added to each element of its window, or to the one that it came from (MAX, STOCHASTIC while
    training); for the mean of STOCHASTIC, dx = dy (2 x - y) / sum, with three operations at each."""
    conf = layer.param.pooling_param
    if layer.pooler.draws or conf.pool == conf.MAX:
        return top[0].count
    return (1 if conf.pool == conf.AVE else 3) * _pooling(layer, bottom, top)


def _power_backward(layer: Any, bottom: Blobs, top: Blobs, i: int) -> int:
    """Nothing where y is constant, a product where the power is 1, else the line, its power, two products."""
    return (0 if layer.constant else 1 if layer.linear else 4) * bottom[0].count


def _relu(layer: Any, bottom: Blobs, top: Blobs, i: int = 0) -> int:
    return bottom[0].count if layer.param.relu_param.negative_slope else 0


def _split_backward(layer: Any, bottom: Blobs, top: Blobs, i: int) -> int:
    """The sum of the tops' diffs."""
    return (len(top) - 1) * bottom[0].count


LOSS = _each(1)  # what forward saved, times a factor

TABLE: dict[str, Rule] = {
    "BatchNorm": Rule(_batch_norm, _batch_norm_backward),
    "BatchReindex": Rule(_none, _per_top(1)),
    "Bias": Rule(_each(1), lambda layer, bottom, top, i: bottom[0].count if i else 0, _each(1)),
    "BNLL": Rule(_each(2), _each(3)),
    "ContrastiveLoss": Rule(_each(2), LOSS),
    "Convolution": _linear(lambda layer, x, y: y.count * _taps(layer)),
    "Deconvolution": _linear(lambda layer, x, y: x.count * _taps(layer)),
    "ELU": Rule(_each(1), _each(2)),
    "Eltwise": Rule(_eltwise, _eltwise_backward),
    "Embed": Rule(_embed, _none, _per_top(1)),
    "EuclideanLoss": Rule(_each(2), LOSS),
    "Exp": Rule(_each(2), _each(2)),
    "HingeLoss": Rule(_each(1), LOSS),
    "Im2col": Rule(_none, _per_top(1)),
    "InfogainLoss": Rule(_each(2), LOSS),
    "InnerProduct": _linear(lambda layer, x, y: math.prod(y.shape[:-1]) * layer.params[0].count),
    "LRN": Rule(_lrn(2), _lrn(5)),  # square and power; dy * y / s, s^-beta and dy, x and the sum
    "Log": Rule(_each(2), _each(3)),
    "MVN": Rule(_each(4), _each(5)),
    "MultinomialLogisticLoss": Rule(_each(1), LOSS),
    "Parameter": Rule(_none, _none, _per_top(1)),
    "PReLU": Rule(_each(1), _each(1), _each(1)),
    "Pooling": Rule(_pooling, _pooling_backward),
    "Power": Rule(_each(2), _power_backward),
    "ReLU": Rule(_relu, _relu),
    "Reduction": Rule(_each(1), _each(1)),
    "Scale": Rule(_each(1), _each(1), _each(1)),
    "Sigmoid": Rule(_each(2), _each(2)),
    "SigmoidCrossEntropyLoss": Rule(_each(3), LOSS),
    "Softmax": Rule(_each(3), _each(3)),
    "SoftmaxWithLoss": Rule(_each(3), LOSS),
    "Split": Rule(_none, _split_backward),
    "Swish": Rule(_each(3), _each(3)),
    "TanH": Rule(_each(1), _each(2)),
    "Tile": Rule(_none, _per_top(1)),
}

NOTHING = frozenset(
    "AbsVal Accuracy ArgMax Clip Concat Crop Data Dropout DummyData Filter Flatten HDF5Data HDF5Output"
    " ImageData Input MemoryData OneHot Reshape Silence Slice Threshold WindowData".split()
)
