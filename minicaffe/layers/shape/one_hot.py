"""OneHot: class numbers as a target for every class."""

from __future__ import annotations

import math

import numpy as np

from ...core.layer import Layer
from ...core.noted import Noted
from ...errors import DataError
from ...kernels import one_hot, reindex


class OneHot(Layer):
    """y_ij = 1 where j = t_i, and 0 elsewhere: what a loss wants that has a target for every class.

    Param     one_hot_param: num_output, the number of classes.
    Shapes    bottom[0]: t (...), cut to whole numbers; top[0]: (..., num_output).
    Backward  nothing: t has no gradient.
    Source    an extension; Caffe lacks it, and its nets with SigmoidCrossEntropyLoss read such targets from
              HDF5 files.
    Raises    DataError for a t that is no class, NaN too; y is NaN there.
    """

    type = "OneHot"
    kernels = one_hot
    backward_reads = frozenset()
    not_differentiable = Layer.ALL
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        self.classes = self.param.one_hot_param.num_output
        self.require(
            self.classes > 0,
            "one_hot_param.num_output must be at least 1",
            hint="it is the number of classes",
        )
        self.rows_kernels = self.device.bind(reindex)
        self.missing = Noted(self.device)

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape, self.classes)
        self.g = reindex.Picks(bottom[0].count, self.classes, 1)
        self.labels = bottom[0].shape
        self.picked = self.saved(self.labels, np.int32)

    def forward(self, bottom, top):
        picked = self.picked.data
        self.rows_kernels.read_index(
            bottom[0].data, picked, self.missing.position, self.missing.value, self.g
        )
        self.k.one_hot(picked, top[0].data, math.nan, self.g)

    def backward(self, top, propagate_down, bottom):
        pass  # force_backward runs it; there is nothing to pass down

    def verify(self):
        missing = self.missing.take(self.labels)
        if missing is None:
            return
        value, place = missing
        raise DataError(
            f"label {value:.9g} at {place} of bottom 0 is none of the {self.classes} classes",
            hint="classes are counted from 0: raise one_hot_param.num_output, or look at the labels",
        )
