"""BatchReindex: items of a batch chosen by number."""

from __future__ import annotations

import math

import numpy as np

from ...core.layer import Layer
from ...core.noted import Noted
from ...errors import DataError, ShapeError
from ...kernels import reindex


class BatchReindex(Layer):
    """y_i = item t_i of x, counting from 0; an item may come often, or never.

    Shapes    bottom[0]: x (items, ...); bottom[1]: t (picks), cut to whole numbers; top[0]: (picks, ...).
    Backward  dx = the sum of dy over the picks of each item, 0 for one without; reads nothing but t, which is
              saved.
    Source    Caffe's BatchReindex layer.
    Differs   a t that is NaN is an error; Caffe makes some integer of it.
    Raises    DataError for a t that is no item; y is NaN there.
    """

    type = "BatchReindex"
    bottoms = 2
    kernels = reindex
    backward_reads = frozenset()
    not_differentiable = frozenset({1})
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        self.missing = Noted(self.device)

    def reshape(self, bottom, top):
        x, t = bottom[0], bottom[1].shape
        x.axis(0)  # a scalar has no items
        if len(t) != 1:
            raise ShapeError(f"bottom 1 must have one axis, that of the picks; got {t}")
        top[0].reshape(*t, *x.shape[1:])
        self.g = reindex.Picks(t[0], x.shape[0], x.count_over(1))
        self.picked = self.saved(t, np.int32)

    def forward(self, bottom, top):
        self.k.read_index(bottom[1].data, self.picked.data, self.missing.position, self.missing.value, self.g)
        self.k.take_rows(bottom[0].data, self.picked.data, top[0].data, math.nan, self.g)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.k.return_rows(top[0].diff, self.picked.data, bottom[0].diff, self.g)

    def verify(self):
        missing = self.missing.take(self.picked.shape)
        if missing is None:
            return
        value, place = missing
        raise DataError(
            f"index {value:.9g} at {place} of bottom 1 is none of the {self.g.rows} items of bottom 0",
            hint="items are counted from 0: look at what fills bottom 1",
        )

    def backward_operations(self, bottom, top, propagate_down, params):
        return top[0].count * propagate_down[0]

    def read_by_forward(self, bottom, top):
        return top[0].count + bottom[1].count
