"""A convolution that does the work of the BatchNorm and the Scale behind it, where nothing goes backward."""

from __future__ import annotations

from ..joined import Joined


class Folded(Joined):
    """y = a[m] (w * x) + b[m], with a and b from the running moments, the Scale and the convolution's bias.

    They are computed in every pass, from C numbers each: whoever changes a parameter need not say so.
    """

    ends_in_relu = True
    apart = frozenset({"bottom", "top"})
    backward_reads = frozenset()

    def __init__(self, convolution, norm, scale=None) -> None:
        super().__init__(*(layer for layer in (convolution, norm, scale) if layer is not None))
        self.convolution, self.norm, self.scale = convolution, norm, scale

    def absorb(self, behind, backward):
        fits = self.scale is None and not backward and self.norm.takes(behind)
        return Folded(self.convolution, self.norm, behind) if fits else None

    def arrange(self, bottom, top):
        self.convolution.relu = self.relu
        if self.norm.allocate:
            self.convolution.fold = self.norm.fold
        self.convolution.arrange(bottom, top)

    def forward(self, bottom, top):
        bias = self.convolution.bias
        self.norm.folded(self.scale, None if bias is None else bias.data)
        self.convolution.forward(bottom, top)

    def backward(self, top, propagate_down, bottom):
        raise NotImplementedError
