"""SGD: stochastic gradient descent with momentum."""

from __future__ import annotations

from .solver import Solver


class SGD(Solver):
    """h = momentum * h + rate * lr_mult * g; w = w - h.

    Source  Caffe's SGD solver.  The rate is inside the momentum buffer: a drop of the rate does not shrink
            what has been accumulated.
    """

    type = "SGD"
    slots = 1

    def store_update(self, before):
        self.device.copy(self.history[0], self.net.parameters.diff)

    def apply(self, w, dw, history, hyper):
        self.k.sgd_update(w, dw, history[0], self.rates, self.decays, hyper, w.size, self.l1)
