"""Nesterov: momentum that looks ahead."""

from __future__ import annotations

from .solver import Solver


class Nesterov(Solver):
    """new = momentum * h + rate * lr_mult * g; w = w - (1 + momentum) * new + momentum * h; h = new.

    Source  Caffe's Nesterov solver; Sutskever, Martens, Dahl & Hinton 2013.
    """

    type = "Nesterov"
    slots = 1

    def apply(self, w, dw, history, hyper):
        self.k.nesterov_update(w, dw, history[0], self.rates, self.decays, hyper, w.size, self.l1)
