"""Layers that work element by element."""

from __future__ import annotations

from ....proto.schema import TRAIN
from ..graph import FLOAT, Draft, Tensor


def affine(w: Draft, x: Tensor, scale: float, shift: float) -> Tensor:
    """scale * x + shift, without what does nothing."""
    if scale != 1:
        x = w("Mul", x, scale)
    return w("Add", x, shift) if shift else x


def relu(w: Draft) -> Tensor:
    slope = w.layer.slope
    return w("LeakyRelu", w.x, alpha=slope) if slope else w("Relu", w.x)


def prelu(w: Draft) -> Tensor:
    """PRelu aligns slopes from the last axis; Caffe's stand on axis 1."""
    slopes = w.layer.params[0]
    shape = (1,) if w.layer.shared else (*slopes.shape, *[1] * (len(w.shape) - 2))
    return w("PRelu", w.x, w.param(slopes, shape))


def power(w: Draft) -> Tensor:
    if w.layer.constant:
        return w("Expand", w.layer.level, w("Shape", w.x))
    line = affine(w, w.x, w.layer.scale, w.layer.shift)
    return line if w.layer.power == 1 else w("Pow", line, w.layer.power)


def exp(w: Draft) -> Tensor:
    return affine(w, w("Exp", affine(w, w.x, w.layer.inner, 0)), w.layer.outer, 0)


def log(w: Draft) -> Tensor:
    scale, shift, factor = w.layer.line
    return affine(w, w("Log", affine(w, w.x, scale, shift)), factor, 0)


def swish(w: Draft) -> Tensor:
    return w("Mul", w.x, w("Sigmoid", affine(w, w.x, w.layer.beta, 0)))


def dropout(w: Draft) -> Tensor:
    w.require(w.layer.phase != TRAIN, "it drops at random, being in phase TRAIN", hint="remove its phase")
    return w.x if w.layer.identity else affine(w, w.x, w.layer.scale, 0)


RULES = {
    "AbsVal": lambda w: w("Abs", w.x),
    "BNLL": lambda w: w("Softplus", w.x),
    "Clip": lambda w: w("Clip", w.x, *w.layer.range),
    "Dropout": dropout,
    "ELU": lambda w: w("Elu", w.x, alpha=w.layer.alpha),
    "Exp": exp,
    "Log": log,
    "Power": power,
    "PReLU": prelu,
    "ReLU": relu,
    "Sigmoid": lambda w: w("Sigmoid", w.x),
    "Swish": swish,
    "TanH": lambda w: w("Tanh", w.x),
    "Threshold": lambda w: w("Cast", w("Greater", w.x, w.layer.threshold), to=FLOAT),
}
