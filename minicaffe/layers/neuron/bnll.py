"""BNLL: binomial normal log likelihood, a smooth ReLU."""

from __future__ import annotations

from ...kernels import activation
from .neuron import Neuron


class BNLL(Neuron):
    """y = log(1 + exp(x)).

    Shapes    bottom[0], top[0]: any, equal.
    Backward  dx = dy / (1 + exp(-x)); reads x.
    Source    Caffe's BNLL layer; Nair & Hinton 2010.
    Differs   refused in place where a gradient is needed, where Caffe returns a wrong one.
    """

    type = "BNLL"
    kernels = activation
    backward_reads = frozenset({"bottom.data"})
    operations = (2, 3, 0)

    def forward(self, bottom, top):
        self.k.bnll_forward(bottom[0].data, top[0].data)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.k.bnll_backward(bottom[0].data, top[0].diff, bottom[0].diff)
