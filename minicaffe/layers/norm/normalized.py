"""A BatchNorm and a Scale in one pass."""

from __future__ import annotations

from typing import Any

from ..joined import Joined


class Normalized(Joined):
    """A BatchNorm that does the work of the Scale behind it in the same pass."""

    ends_in_relu = True

    def __init__(self, norm: Any, scale: Any) -> None:
        super().__init__(norm, scale)
        self.norm, self.scale = norm, scale
        # What the BatchNorm itself reads once it does so.
        self.backward_reads = frozenset() if norm.in_place else frozenset({"bottom.data"})

    def arrange(self, bottom, top):
        self.norm.affine, self.norm.relu = self.scale, self.relu

    def forward(self, bottom, top):
        self.norm.forward(bottom, top)

    def backward(self, top, propagate_down, bottom):
        self.norm.backward(top, propagate_down, bottom)
