"""The base of losses that add up smooth L1 distances."""

from __future__ import annotations

from typing import Any

from ...errors import ShapeError
from ...kernels import smooth_l1
from ...kernels.loss import Labels
from ...kernels.partial_sums import chunks
from .measure import NormalizedLoss


class SmoothL1(NormalizedLoss):
    """loss = sum of w_out f(w_in (x - t)) / Z; bottoms 2 and 3, if there are such, are w_in and w_out."""

    kernels = smooth_l1
    backward_reads = frozenset({"bottom.data"})  # narrowed in setup
    not_differentiable = frozenset()
    operations = (3, 1, 0)
    sharpness = 1.0  # s of f

    def setup(self, bottom, top):
        super().setup(bottom, top)
        if len(bottom) == 2:
            self.backward_reads = frozenset()

    def compare(self, bottom, top, sizes: tuple[int, int, int]) -> None:
        """In reshape: the geometry, for positions of sizes (outer, channels, inner)."""
        self.require_equal_counts(bottom)
        for i, blob in enumerate(bottom[2:], 2):
            if blob.count != bottom[0].count:
                raise ShapeError(
                    f"bottom {i} must have a weight for each element of bottom 0, {bottom[0].shape};"
                    f" got {blob.shape}"
                )
        self.g = smooth_l1.Distances(*sizes, int(len(bottom) > 2), int(len(bottom) > 3), len(top) - 1)
        self.allot(chunks(self.g.outer * self.g.inner))
        self.slope = self.saved(bottom[0].shape)

    def divisor(self, bottom) -> float:
        """Z."""
        first, channels = bottom[0].shape[0], bottom[0].shape[1] if len(bottom[0].shape) > 1 else 1
        return self.fixed_divisor(Labels(first, channels, self.g.inner, 0, 0))

    def forward(self, bottom, top):
        data = self._four(bottom)
        each = top[1].data if self.g.each else self.slope.data
        self.k.smooth_l1_forward(
            *data, self.slope.data, each, *self.results(top[0]), self.g, self.sharpness, self.divisor(bottom)
        )

    def backward(self, top, propagate_down, bottom):
        dloss = top[0].diff, self.outcome, top[1].diff if self.g.each else self.slope.data
        for blob, wanted, sign in zip(bottom[:2], propagate_down, (1, -1)):
            if wanted:
                self.k.smooth_l1_backward(self.slope.data, *dloss, blob.diff, self.g, sign)
        for i in range(2, len(bottom)):
            if propagate_down[i]:
                self.k.smooth_l1_weights_backward(
                    *self._four(bottom), *dloss, bottom[i].diff, self.g, self.sharpness, i - 2
                )

    def _four(self, bottom) -> list[Any]:
        """x, t and the weights; something else for those that are not there."""
        data = [blob.data for blob in bottom]
        return data + data[:1] * (4 - len(data))
