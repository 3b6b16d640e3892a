"""A BatchNorm and the Scale behind it as one."""

from __future__ import annotations

from typing import Any

from ..joined import Joined


class ScaledBatchNorm(Joined):
    """A BatchNorm and the Scale behind it, in one pass over x; both layers keep what is theirs."""

    carries = True
    ends_in_relu = True

    def __init__(self, norm: Any, scale: Any) -> None:
        super().__init__(norm, scale)
        self.norm, self.scale = norm, scale
        self.backward_reads = frozenset() if norm.in_place else frozenset({"bottom.data"})

    def forward(self, bottom, top):
        self.norm.forward(bottom, top, self.scale, self.relu)

    def backward(self, top, propagate_down, bottom):
        self.norm.backward(top, propagate_down, bottom, self.scale, self.relu)
