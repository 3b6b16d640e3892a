"""RMSProp: steps divided by the root mean square of recent gradients."""

from __future__ import annotations

from ..errors import ConfigError
from ..kernels import update
from .solver import Solver


class RMSProp(Solver):
    """h = rms_decay * h + (1 - rms_decay) * g^2; w = w - rate * lr_mult * g / (sqrt(h) + delta).

    Source  Caffe's RMSProp solver; Tieleman & Hinton 2012.
    Raises  ConfigError for a momentum, or an rms_decay outside 0 to 1.
    """

    type = "RMSProp"
    slots = 1

    @classmethod
    def check(cls, param, *, trial=True):
        super().check(param, trial=trial)
        if param.momentum:
            what = f"{cls.type} has no momentum; got momentum: {param.momentum:g}"
            raise ConfigError(what, hint="remove it", field="momentum")
        if not 0 <= param.rms_decay < 1:
            what = f"rms_decay must be from 0 to below 1; got {param.rms_decay:g}"
            raise ConfigError(what, field="rms_decay")

    def further(self, hyper) -> None:
        hyper[update.SECOND] = self.param.rms_decay

    def apply(self, w, dw, history, hyper):
        self.k.rmsprop_update(w, dw, history[0], self.rates, self.decays, hyper, w.size, self.l1)
