"""Filter: the items of a batch that a selector lets through."""

from __future__ import annotations

import numpy as np

from ...core.layer import Layer
from ...core.workload import elements
from ...errors import ShapeError
from ...kernels import reindex


class Filter(Layer):
    """y = the items x_i, in their order, whose selector s_i is not 0.

    Shapes    bottom[i]: x (items, ...), any number of blobs; the last bottom: s (items, 1, ...); top[i]:
              (kept, ...), where kept, which may be 0, is known only when forward runs: the layers behind take
              on the new shape in every pass.
    Backward  dx_i = dy of the item where it was kept, 0 where it was not; reads nothing but the choice, which
              is saved.
    Source    Caffe's Filter layer.
    Differs   with no item kept Caffe dies in backward (division by zero); here tops are empty, gradients 0.
              A selector that is NaN keeps its item, as in Caffe.
    """

    type = "Filter"
    settles = True
    bottoms = (2, None)
    tops = (1, None)
    kernels = reindex
    backward_reads = frozenset()
    not_differentiable = frozenset({-1})
    capturable = False
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        if len(top) != len(bottom) - 1:
            raise ShapeError(f"{len(bottom) - 1} bottoms are filtered, but there are {len(top)} tops")

    def reshape(self, bottom, top):
        items, selector = bottom[-1].shape[:1], bottom[-1]
        if not items or selector.count != items[0]:
            raise ShapeError(
                f"the last bottom, the selector, must have one value per item; got {selector.shape}"
            )
        for i, blob in enumerate(bottom[:-1]):
            if blob.shape[:1] != items:
                raise ShapeError(f"the selector is for {items[0]} items, bottom {i} has {blob.shape}")
        for x, y in zip(bottom, top):
            y.reshape(*x.shape)  # until forward knows
        self.taken = self.saved(items, np.int32)  # of each item kept, its place in x
        self.places = self.saved(items, np.int32)  # of each item of x, its place in y, or -1

    def forward(self, bottom, top):
        kept = np.flatnonzero(self.device.get(bottom[-1].data))
        self.kept = len(kept)
        if any(y.shape[0] != self.kept for y in top):
            for y in top:
                y.reshape(self.kept, *y.shape[1:])
            self.settle()
        taken, places = np.zeros(self.taken.shape, np.int32), np.full(self.places.shape, -1, np.int32)
        taken[: self.kept] = kept
        places[kept] = np.arange(self.kept)
        self.device.put(taken, self.taken.data)
        self.device.put(places, self.places.data)
        for x, y in zip(bottom, top):
            g = reindex.Picks(self.kept, x.shape[0], x.count_over(1))
            self.k.take_rows(x.data, self.taken.data, y.data, 0.0, g)

    def backward(self, top, propagate_down, bottom):
        for x, y, wanted in zip(bottom, top, propagate_down):
            if wanted:
                g = reindex.Picks(x.shape[0], self.kept, x.count_over(1))
                self.k.take_rows(y.diff, self.places.data, x.diff, 0.0, g)

    def read_by_forward(self, bottom, top):
        return elements(top) + bottom[-1].count
