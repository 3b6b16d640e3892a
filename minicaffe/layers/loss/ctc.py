"""The base of losses of lines of text, read step by step: connectionist temporal classification."""

from __future__ import annotations

import numpy as np

from ...errors import ShapeError
from ...kernels import ctc
from .labels import LabelReader
from .measure import Loss


class Ctc(Loss):
    """loss = sum over sequences of -log(likelihood of the line) / N, whose gradient is that of the sum.

    A subclass sets self.blank in reshape, before it calls this one's.
    """

    backward_reads = frozenset()
    blank: int

    def setup(self, bottom, top):
        self.ctc = self.device.bind(ctc)
        self.noted = self.labels = LabelReader(self)
        self.undivided = self.device.zeros((1,))
        self.device.fill(self.undivided, 1)

    def reshape(self, bottom, top):
        steps, n, classes = self.extents(bottom)
        if not 0 <= self.blank < classes:
            raise ShapeError(
                f"the blank must be one of the {classes} classes of bottom 0, {bottom[0].shape};"
                f" got {self.blank}"
            )
        length = bottom[1].count_over(1)
        self.labels.shape, self.labels.classes = bottom[1].shape, classes
        self.g = ctc.Lines(steps, n, classes, length, self.blank)
        places = 2 * length + 1
        top[0].reshape()
        self.slope = self.saved(bottom[0].shape)
        self.path = self.saved((n, length), np.int32)
        self.level, self.alpha, self.beta = (
            self.saved(shape, np.float64) for shape in ((n, steps), (n, steps, places), (n, 2, places))
        )
        self.allot(max(n, 1))

    def extents(self, bottom) -> tuple[int, int, int]:
        """Steps, sequences and classes of bottom 0; ShapeError if a sequence has no line in bottom 1."""
        shape, lines = bottom[0].shape, bottom[1].shape
        if len(shape) < 3 or not shape[0] or not bottom[0].count_over(2):
            raise ShapeError(
                f"bottom 0 must have the axes steps (1 or more), sequences and classes; got {shape}"
            )
        if lines[:1] != shape[1:2]:
            raise ShapeError(
                f"bottom 1 must have a line of labels for each of the {shape[1]} sequences; got {lines}"
            )
        return shape[0], shape[1], bottom[0].count_over(2)

    def forward(self, bottom, top):
        rooms = (room.data for room in (self.path, self.level, self.alpha, self.beta, self.slope))
        self.ctc.ctc_forward(
            bottom[0].data, bottom[1].data, *rooms, *self.results(top[0]), self.g, max(1, self.g.n)
        )

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.k.loss_backward(self.slope.data, top[0].diff, self.undivided, bottom[0].diff, 1, 0)

    def verify(self):
        self.labels.verify()

    def forward_operations(self, bottom, top):
        places = self.g.steps * self.g.n * (2 * self.g.length + 1)
        return 3 * bottom[0].count + 20 * places  # softmax; twice the three ways to a place, and their share

    def backward_operations(self, bottom, top, propagate_down, params):
        return bottom[0].count * propagate_down[0]
