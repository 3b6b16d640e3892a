"""AdaDelta: steps in the units of the parameters."""

from __future__ import annotations

from .solver import Solver


class AdaDelta(Solver):
    """h = momentum * h + (1 - momentum) * g^2; v = g * sqrt((s + delta) / (h + delta));
    s = momentum * s + (1 - momentum) * v^2; w = w - rate * lr_mult * v.

    Source  Caffe's AdaDelta solver; Zeiler 2012.  The history is all h, then all s.
    """

    type = "AdaDelta"
    slots = 2

    def apply(self, w, dw, history, hyper):
        self.k.adadelta_update(w, dw, *history, self.rates, self.decays, hyper, w.size, self.l1)
