"""Adam: mean and square of the gradient, corrected for their start at zero."""

from __future__ import annotations

import math

from ..errors import ConfigError
from ..kernels import update
from .solver import Solver


class Adam(Solver):
    """m = momentum * m + (1 - momentum) * g; v = momentum2 * v + (1 - momentum2) * g^2; at update number t
    w = w - rate * lr_mult * sqrt(1 - momentum2^t) / (1 - momentum^t) * m / (sqrt(v) + delta).

    Source  Caffe's Adam solver; Kingma & Ba 2015.  The history is all m, then all v.  As in Caffe momentum is
            0 unless it is set, and delta is not corrected.
    Raises  ConfigError for a momentum or momentum2 outside 0 to 1, for which Caffe gives NaN.
    """

    type = "Adam"
    slots = 2

    @classmethod
    def check(cls, param, *, trial=True):
        super().check(param, trial=trial)
        for name in ("momentum", "momentum2"):
            if not 0 <= getattr(param, name) < 1:
                what = f"{name} must be from 0 to below 1; got {getattr(param, name):g}"
                raise ConfigError(what, field=name)

    def further(self, hyper) -> None:
        t, first, second = self.iteration + 1, self.param.momentum, self.param.momentum2
        hyper[update.SECOND] = second
        hyper[update.CORRECTION] = math.sqrt(1 - second**t) / (1 - first**t)

    def apply(self, w, dw, history, hyper):
        self.k.adam_update(w, dw, *history, self.rates, self.decays, hyper, w.size, self.l1)
