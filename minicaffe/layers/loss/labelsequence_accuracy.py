"""LabelsequenceAccuracy: how many lines are read without a mistake."""

from __future__ import annotations

import numpy as np

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import spelling
from .measure import Measure


class LabelsequenceAccuracy(Measure):
    """y = sequences whose best classes, without repetitions and then blanks, are their line of labels / N.

    Param     labelsequence_accuracy_param: blank_label (0), the class that says nothing.
    Shapes    bottom[0]: scores (N, T, classes), sequence by sequence; bottom[1]: labels (N, length), cut to
              whole numbers, of which those that equal the blank do not count; top[0]: ().
    Source    LabelsequenceAccuracy of CRNN's Caffe.
    Differs   a score that is NaN is never the best.  As in the fork, of equal ones the first is.
    """

    type = "LabelsequenceAccuracy"
    backward_reads = frozenset()
    not_differentiable = Layer.ALL
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        self.spelling = self.device.bind(spelling)

    def reshape(self, bottom, top):
        shape, blank = bottom[0].shape, self.param.labelsequence_accuracy_param.blank_label
        if len(shape) < 3 or not bottom[0].count_over(2):
            raise ShapeError(f"bottom 0 must have the axes sequences, steps and classes; got {shape}")
        n, steps, classes = shape[0], shape[1], bottom[0].count_over(2)
        if bottom[1].shape[:1] != (n,):
            raise ShapeError(
                f"bottom 1 must have a line of labels for each of the {n} sequences; got {bottom[1].shape}",
                hint="axis 0 of bottom 0 are the sequences here, axis 1 their steps",
            )
        if not 0 <= blank < classes:
            raise ShapeError(
                f"labelsequence_accuracy_param.blank_label {blank} is none of the {classes} classes"
                f" of bottom 0, {shape}"
            )
        self.g = spelling.Readings(steps, n, classes, 1, steps, bottom[1].count_over(1), blank, 1)
        self.best = self.saved((n, steps), np.int32)
        self.allot(max(n, 1))
        top[0].reshape()

    def forward(self, bottom, top):
        x, labels, results = bottom[0].data, bottom[1].data, self.results(top[0])
        self.spelling.line_accuracy(x, labels, self.best.data, *results, self.g, max(1, self.g.n))

    def backward(self, top, propagate_down, bottom):
        pass  # force_backward runs it; there is nothing to pass down
