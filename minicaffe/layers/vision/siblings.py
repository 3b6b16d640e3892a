"""Convolutions of one blob that run as one."""

from __future__ import annotations

from ...kernels.siblings import fan
from ...proto.schema import enum_name
from ..joined import Joined


class Siblings(Joined):
    """y_i = w_i * x + b_i, for two or three convolutions of one family, see Layer.family: 1x1, stride 1."""

    ends_in_relu = adds = True
    apart = frozenset({"bottom", "top"})
    backward_reads = frozenset({"bottom.data"})

    def __init__(self, *layers) -> None:
        super().__init__(*layers)
        self.k = self.device.siblings(enum_name(self.param.convolution_param, "engine"))

    def arrange(self, bottom, top):
        for layer, y in zip(self.members, top):
            layer.relu, layer.adding = self.relu, self.adding
            layer.arrange(bottom, [y])
        self.g = fan([layer.geometries[0] for layer in self.members])

    def forward(self, bottom, top):
        weights = three([layer.params[0].data for layer in self.members])
        biases = three([layer.params[-1].data for layer in self.members])
        self.k.siblings_forward(bottom[0].data, *weights, *biases, *three([y.data for y in top]), self.g)

    def backward(self, top, propagate_down, bottom):
        for layer, y in zip(self.members, top):
            layer.finish_gradient(y, layer.geometries[0])
        slopes, weights = three([y.diff for y in top]), [layer.params[0] for layer in self.members]
        if self.members[0].param_gradient[0]:
            sums = three([w.diff for w in weights])
            self.k.siblings_backward_weights(bottom[0].data, *slopes, *sums, self.g)
        if propagate_down[0]:
            matrices = three([w.data for w in weights])
            self.k.siblings_backward_data(*slopes, *matrices, bottom[0].diff, self.g)


def three(arrays: list) -> list:
    """As many as the kernels take: the last again for a sibling that is not there."""
    return (arrays + arrays[-1:])[:3]
