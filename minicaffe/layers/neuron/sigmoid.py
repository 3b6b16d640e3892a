"""Sigmoid: the logistic function."""

from __future__ import annotations

from ...kernels import activation
from .neuron import Neuron


class Sigmoid(Neuron):
    """y = 1 / (1 + exp(-x)).

    Param     sigmoid_param.engine is read and means nothing here.
    Shapes    bottom[0], top[0]: any, equal.  May run in place.
    Backward  dx = dy * y * (1 - y); reads y only.
    Source    Caffe's Sigmoid layer.
    Differs   far below 0 y is small, not 0: Caffe's 0.5 * tanh(0.5 * x) + 0.5 cancels there.
    """

    type = "Sigmoid"
    kernels = activation
    backward_reads = frozenset({"top.data"})
    operations = (2, 2, 0)

    def forward(self, bottom, top):
        self.k.sigmoid_forward(bottom[0].data, top[0].data)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.k.sigmoid_backward(top[0].data, top[0].diff, bottom[0].diff)
