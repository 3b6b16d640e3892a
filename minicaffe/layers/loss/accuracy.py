"""Accuracy: how often the label is among the highest scores."""

from __future__ import annotations

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels.partial_sums import chunks
from .labels import LabelReader
from .measure import Measure


class Accuracy(Measure):
    """y = positions whose label has one of the top_k highest scores / positions that count; 0 if none do.

    Param     accuracy_param: top_k (1); axis (1), that of the classes; ignore_label (none), a label whose
              positions do not count.
    Shapes    bottom[0]: scores (outer..., classes, inner...); bottom[1]: labels, outer * inner of them, cut
              to whole numbers; top[0]: (); top[1], optional: (classes), the accuracy of each class, 0 for one
              that does not occur.
    Source    Caffe's Accuracy layer.
    Differs   a score that is NaN is not right, and reaches every other; for Caffe a NaN is always right.  A
              label that is no class is an error, where Caffe reads other memory.  top_k 0 is refused.  As in
              Caffe ties count against the label.
    Raises    ShapeError for a wrong number of labels, DataError for a label that is no class.
    """

    type = "Accuracy"
    tops = (1, 2)
    backward_reads = frozenset()
    not_differentiable = Layer.ALL
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        self.top_k = self.param.accuracy_param.top_k
        self.require(self.top_k > 0, "accuracy_param.top_k must be at least 1")
        self.noted = self.labels = LabelReader(self, "accuracy_param")

    def reshape(self, bottom, top):
        self.g = self.labels.geometry(bottom, self.param.accuracy_param.axis)
        if self.top_k > self.g.classes:
            raise ShapeError(f"accuracy_param.top_k is {self.top_k}; bottom 0 has {self.g.classes} classes")
        self.allot(chunks(self.g.positions))
        top[0].reshape()
        if len(top) == 2:
            top[1].reshape(self.g.classes)

    def forward(self, bottom, top):
        x, labels = bottom[0].data, bottom[1].data
        self.k.accuracy_forward(x, labels, *self.results(top[0]), self.g, self.top_k, 0)
        if len(top) == 2:
            self.k.class_accuracy_forward(x, labels, top[1].data, self.g, self.top_k)

    def backward(self, top, propagate_down, bottom):
        pass  # force_backward runs it; there is nothing to pass down

    def verify(self):
        self.labels.verify()
