"""Convolutions of one blob that run as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core.layer import Layer


class Siblings(Layer):
    """y_i = w_i * x + b_i, for convolutions that a pass has found to be of one family: the image is gathered
    once for all of them, and the gradient by x is one product, whose depth is the sum of theirs.

    No prototxt names this type: a program has it, in the place of the layers it stands for, whose parameters
    it works on.  They stay what they are for everybody else."""

    type = "Convolution"
    ends_in_relu = adds = True
    apart = frozenset({"bottom", "top"})
    backward_reads = frozenset({"bottom.data"})

    def __init__(self, layers: Sequence[Any]) -> None:
        super().__init__(layers[0].param, layers[0].device, layers[0].phase)
        self.layers = list(layers)
        self.name = " + ".join(layer.name for layer in layers)
        self.params = [blob for layer in layers for blob in layer.params]
        self.param_gradient = [wanted for layer in layers for wanted in layer.param_gradient]

    def arrange(self, bottom, top):
        for i, (layer, y) in enumerate(zip(self.layers, top)):
            layer.relu, layer.adding = self.relu, [i > 0 or self.adding[0]]
            layer.arrange(bottom, [y])

    def forward(self, bottom, top):
        for layer, y in zip(self.layers, top):
            layer.forward(bottom, [y])

    def backward(self, top, propagate_down, bottom):
        for layer, y in zip(self.layers, top):
            layer.backward([y], propagate_down, bottom)
