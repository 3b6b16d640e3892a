"""Convolutions of one blob that run as one."""

from __future__ import annotations

from ..joined import Joined


class Siblings(Joined):
    """y_i = w_i * x + b_i, for convolutions of one family, see Layer.family."""

    ends_in_relu = adds = True
    apart = frozenset({"bottom", "top"})
    backward_reads = frozenset({"bottom.data"})

    def arrange(self, bottom, top):
        for i, (layer, y) in enumerate(zip(self.members, top)):
            layer.relu, layer.adding = self.relu, [i > 0 or self.adding[0]]
            layer.arrange(bottom, [y])

    def forward(self, bottom, top):
        for layer, y in zip(self.members, top):
            layer.forward(bottom, [y])

    def backward(self, top, propagate_down, bottom):
        for layer, y in zip(self.members, top):
            layer.backward([y], propagate_down, bottom)
