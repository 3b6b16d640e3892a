"""AdaGrad: rates that fall with the squares of past gradients."""

from __future__ import annotations

from ..errors import ConfigError
from .solver import Solver


class AdaGrad(Solver):
    """h = h + g^2; w = w - rate * lr_mult * g / (sqrt(h) + delta).

    Source  Caffe's AdaGrad solver; Duchi, Hazan & Singer 2011.
    Raises  ConfigError for a momentum.
    """

    type = "AdaGrad"
    slots = 1

    @classmethod
    def check(cls, param, *, trial=True):
        super().check(param, trial=trial)
        if param.momentum:
            what = f"{cls.type} has no momentum; got momentum: {param.momentum:g}"
            raise ConfigError(what, hint="remove it", field="momentum")

    def apply(self, w, dw, history, hyper):
        self.k.adagrad_update(w, dw, history[0], self.rates, self.decays, hyper, w.size, self.l1)
