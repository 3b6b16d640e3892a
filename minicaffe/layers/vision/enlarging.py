"""The base of layers that make planes larger: Upsample, UpsampleDarknet and Unpooling."""

from __future__ import annotations

import numpy as np

from ...core.layer import Layer
from ...core.noted import Noted
from ...errors import DataError, ShapeError
from ...kernels import unpooling

Pair = tuple[int, int]  # of rows and of columns


class Enlarging(Layer):
    """y is 0 but where x puts something.

    PLACES   each value at one place of its plane: of a mask, the second bottom, or the first of its window
    SUM      each value at every pixel of its window; where windows overlap they add up
    MEAN     likewise, divided by the pixels of the window

    A subclass sets self.method in setup, and calls `enlarge` in reshape.
    """

    kernels = unpooling
    backward_reads = frozenset()
    not_differentiable = frozenset({1})
    operations = (0, 0, 0)

    method = "SUM"

    def setup(self, bottom, top):
        self.masked = len(bottom) > 1
        if self.masked:
            self.noted = Noted(self.device)

    def enlarge(self, bottom, top, out: Pair, kernel: Pair = (1, 1), stride: Pair = (1, 1)) -> None:
        """The rest of reshape, for planes of this size."""
        shape = bottom[0].shape
        if self.masked and bottom[1].shape != shape:
            raise ShapeError(
                f"bottom 1, the mask, must have the shape of bottom 0, {shape}; got {bottom[1].shape}"
            )
        reach = [(extent - 1) * s + 1 for extent, s in zip(shape[2:], stride)]
        if min(out) < 1 or (not self.masked and any(o < least for o, least in zip(out, reach))):
            raise ShapeError(f"planes of {shape[2:]} do not fit into {out}, {stride} apart")
        top[0].reshape(*shape[:2], *out)
        n, c, h, w = shape
        self.g = unpooling.Unpool(n * c, h, w, *out, *kernel, *stride)
        if self.method == "PLACES":
            self.places = self.saved(shape, np.int32)

    def planes(self, bottom) -> tuple[int, ...]:
        """The shape of bottom 0; ShapeError unless it has four axes."""
        if len(bottom[0].shape) != 4:
            raise ShapeError(f"bottom 0 must have 4 axes (n, c, h, w); got {bottom[0].shape}")
        return bottom[0].shape

    def forward(self, bottom, top):
        x, y = bottom[0].data, top[0].data
        if self.method != "PLACES":
            self.k.spread_forward(x, y, self.g, int(self.method == "MEAN"))
            return
        places = self.places.data
        if self.masked:
            mask = bottom[1].data
            self.k.find_places(mask, places, self.noted.position, self.g)
            self.k.show_place(mask, places, self.noted.position, self.noted.value, self.g)
        else:
            self.k.corner_places(places, self.g)
        self.k.place_forward(x, places, y, self.g)

    def backward(self, top, propagate_down, bottom):
        dy, dx = top[0].diff, bottom[0].diff
        if propagate_down[0] and self.method == "PLACES":
            self.k.place_backward(dy, self.places.data, dx, self.g)
        elif propagate_down[0]:
            self.k.spread_backward(dy, dx, self.g, int(self.method == "MEAN"))

    def verify(self):
        found = self.noted.take(self.places.shape) if self.masked else None
        if found is not None:
            value, place = found
            raise DataError(
                f"{value:.9g} at {place} of bottom 1, the mask, is none of the {self.g.oh * self.g.ow} places"
                f" of a plane of {self.g.oh} x {self.g.ow}",
                hint="the mask is top 1 of the Pooling layer whose input was as large as this top",
            )

    def forward_operations(self, bottom, top):
        return top[0].count if self.method != "PLACES" else 0

    def backward_operations(self, bottom, top, propagate_down, params):
        return top[0].count * propagate_down[0] if self.method != "PLACES" else 0
