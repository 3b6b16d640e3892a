"""The update rules, one class for each solver type: how the gradient of the parameters changes them.

In the formulas g is the gradient of an element (the mean over iter_size passes, clipped, with weight decay),
w the parameter, rate the learning rate times the parameter's lr_mult, and h, m, v and s are history.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..errors import ConfigError, UnknownTypeError, suggest
from ..kernels import update
from ..proto.schema import Message


class UpdateRule:
    """Base of the rules.  A rule has no state: whoever applies it keeps the history.

    type            the name, as in SolverParameter.type
    slots           arrays of history that it needs, each as long as the block of parameters
    kernel          the function of kernels/update.py that applies it
    has_momentum    False if it refuses a momentum
    fractions       fields of SolverParameter that must be from 0 to below 1
    keeps_update    True if history[0] is, after an update, what the update subtracted from the parameters
    """

    type = ""
    slots = 1
    kernel = ""
    has_momentum = True
    fractions: tuple[str, ...] = ()
    keeps_update = False

    def check(self, param: Message) -> None:
        """Raise ConfigError for settings that the rule cannot train with."""
        if param.momentum and not self.has_momentum:
            what = f"{self.type} has no momentum; got momentum: {param.momentum:g}"
            raise ConfigError(what, hint="remove it", field="momentum")
        for name in self.fractions:
            if not 0 <= getattr(param, name) < 1:
                what = f"{name} must be from 0 to below 1; got {getattr(param, name):g}"
                raise ConfigError(what, field=name)

    def hyper(self, param: Message, rate: float, iteration: int) -> np.ndarray:
        """What the kernel reads from the first entries of `hyper` in the update that turns `iteration` into
        `iteration` + 1: an array of update.SETTINGS numbers."""
        hyper = np.zeros(update.SETTINGS)
        hyper[update.RATE], hyper[update.MOMENTUM] = rate, param.momentum
        hyper[update.DECAY], hyper[update.SCALE] = param.weight_decay, 1 / param.iter_size
        hyper[update.DELTA] = param.delta
        return hyper

    def apply(
        self, k: SimpleNamespace, w, dw, history: Sequence[Any], rates, decays, hyper, l1: bool
    ) -> None:
        """Update the parameters w and the history, arrays of one length, from the summed gradients dw.

        k              the kernels of kernels/update.py, bound to the device of the arrays
        rates, decays  lr_mult and decay_mult of every update.BLOCK_SIZE elements
        hyper          array of update.HYPER elements on the device
        l1             weight decay adds the sign of w to the gradient, in the place of w
        """
        getattr(k, self.kernel)(w, dw, *history, rates, decays, hyper, w.size, int(l1))


class SGD(UpdateRule):
    """Stochastic gradient descent with momentum:

        h = momentum * h + rate * g
        w = w - h

    The rate is inside the momentum buffer: when it falls, what has been accumulated does not shrink.
    Source: Caffe's SGD solver.
    """

    type = "SGD"
    kernel = "sgd_update"
    keeps_update = True


class Nesterov(UpdateRule):
    """Momentum that looks ahead:

        new = momentum * h + rate * g
        w = w - (1 + momentum) * new + momentum * h
        h = new

    Source: Caffe's Nesterov solver; Sutskever, Martens, Dahl & Hinton 2013.
    """

    type = "Nesterov"
    kernel = "nesterov_update"


class AdaGrad(UpdateRule):
    """Rates that fall with the squares of past gradients; refuses a momentum:

        h = h + g^2
        w = w - rate * g / (sqrt(h) + delta)

    Source: Caffe's AdaGrad solver; Duchi, Hazan & Singer 2011.
    """

    type = "AdaGrad"
    kernel = "adagrad_update"
    has_momentum = False


class RMSProp(UpdateRule):
    """Steps divided by the root mean square of recent gradients; refuses a momentum:

        h = rms_decay * h + (1 - rms_decay) * g^2
        w = w - rate * g / (sqrt(h) + delta)

    Source: Caffe's RMSProp solver; Tieleman & Hinton 2012.
    """

    type = "RMSProp"
    kernel = "rmsprop_update"
    has_momentum = False
    fractions = ("rms_decay",)

    def hyper(self, param, rate, iteration):
        hyper = super().hyper(param, rate, iteration)
        hyper[update.SECOND] = param.rms_decay
        return hyper


class AdaDelta(UpdateRule):
    """Steps in the units of the parameters.  The history is all h, then all s:

        h = momentum * h + (1 - momentum) * g^2
        v = g * sqrt((s + delta) / (h + delta))
        s = momentum * s + (1 - momentum) * v^2
        w = w - rate * v

    Source: Caffe's AdaDelta solver; Zeiler 2012.
    """

    type = "AdaDelta"
    slots = 2
    kernel = "adadelta_update"


class Adam(UpdateRule):
    """Running means of the gradient and of its square, corrected for their start at zero.  The history is all
    m, then all v; t counts updates from 1:

        m = momentum * m + (1 - momentum) * g
        v = momentum2 * v + (1 - momentum2) * g^2
        w = w - rate * sqrt(1 - momentum2^t) / (1 - momentum^t) * m / (sqrt(v) + delta)

    As in Caffe momentum is 0 unless it is set, and delta is not corrected.  Caffe takes a momentum or
    momentum2 of 1, and computes NaN.
    Source: Caffe's Adam solver; Kingma & Ba 2015.
    """

    type = "Adam"
    slots = 2
    kernel = "adam_update"
    fractions = ("momentum", "momentum2")

    def hyper(self, param, rate, iteration):
        hyper = super().hyper(param, rate, iteration)
        t, first, second = iteration + 1, param.momentum, param.momentum2
        hyper[update.SECOND] = second
        hyper[update.CORRECTION] = math.sqrt(1 - second**t) / (1 - first**t)
        return hyper


class AdamW(Adam):
    """Adam whose weight decay does not pass through the running means.  An extension; refuses L1.

    The update is that of Adam for a gradient without weight decay, and it also subtracts
    rate * weight_decay * decay_mult * w, with the w from before it.
    Source: Loshchilov & Hutter 2019 (arXiv:1711.05101).
    """

    type = "AdamW"
    kernel = "adamw_update"

    def check(self, param):
        super().check(param)
        if param.regularization_type != "L2":
            raise ConfigError("AdamW decays weights as L2 does; got L1", field="regularization_type")

    def apply(self, k, w, dw, history, rates, decays, hyper, l1):
        k.adamw_update(w, dw, *history, rates, decays, hyper, w.size)


RULES: dict[str, UpdateRule] = {
    rule.type: rule for rule in (AdaDelta(), AdaGrad(), Adam(), AdamW(), Nesterov(), RMSProp(), SGD())
}


def resolve(name: str) -> UpdateRule:
    """The rule of solver type `name`; UnknownTypeError, with the known names, if there is none."""
    if name not in RULES:
        raise UnknownTypeError(f"no solver type {name!r}", hint=suggest(name, RULES), field="type")
    return RULES[name]
