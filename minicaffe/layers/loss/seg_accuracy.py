"""SegAccuracy: how well a segmentation agrees with the labels of its pixels."""

from __future__ import annotations

import numpy as np

from ...core.layer import Layer
from ...kernels import confusion
from ..foreign import refuse_others
from .labels import LabelReader
from .measure import Measure


class SegAccuracy(Measure):
    """y = (pixel accuracy, mean recall, mean intersection over union) of highest scores and labels.

    Pixel accuracy is the share of pixels that agree.  Recall of a class is that share of the pixels with its
    label; the mean is over the labels that occur.  Intersection over union of a class are the pixels where
    both name it over those where one does, 1 where none does; the mean is over all classes.

    Param     seg_accuracy_param: ignore_label (none), any number of labels whose pixels do not count; reset
              (true): of each batch by itself, else of all pixels since the net was built or its states were
              reset.
    Shapes    bottom[0]: scores (n, classes, ...); bottom[1]: labels, one for each position, cut to whole
              numbers; top[0]: (1, 1, 1, 3).
    Source    SegAccuracy of DeepLab's and PSPNet's Caffe.
    Differs   runs on every device.  Of equal scores the last one is the highest, as for ArgMax.  metric,
              which the forks do not read, is refused.
    Raises    ShapeError for a wrong number of labels, DataError for a label that is no class.
    """

    type = "SegAccuracy"
    kernels = confusion
    backward_reads = frozenset()
    not_differentiable = Layer.ALL
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        conf = self.param.seg_accuracy_param
        refuse_others(self, "seg_accuracy_param", {"ignore_label", "reset"})
        self.noted = self.labels = LabelReader(self)
        self.carries, ignored = not conf.reset, list(conf.ignore_label)
        self.ignores = len(ignored)
        classes = bottom[0].shape[bottom[0].axis(1)]
        self.matrix = self.device.zeros((classes * classes,), np.int32)
        self.ignored = self.device.zeros((max(1, self.ignores),), np.int32)
        if ignored:
            self.device.put(np.array(ignored, np.int32), self.ignored)
        if self.carries:
            self.state = [self.matrix]

    def reshape(self, bottom, top):
        self.g = self.labels.geometry(bottom, 1)
        self.require(
            self.g.classes**2 == self.matrix.size,
            f"bottom 0 has {self.g.classes} classes, and had others at first",
        )
        self.found = self.saved((self.g.positions,), np.int32)
        top[0].reshape(1, 1, 1, 3)

    def forward(self, bottom, top):
        labels, found, noted = bottom[1].data, self.found.data, self.noted
        if not self.carries:
            self.device.fill(self.matrix, 0)
        self.k.best_classes(bottom[0].data, found, self.g)
        self.k.count_pairs(labels, found, self.ignored, self.matrix, noted.position, self.g, self.ignores)
        self.k.matrix_scores(self.matrix, labels, noted.position, noted.value, top[0].data, self.g)

    def backward(self, top, propagate_down, bottom):
        pass  # force_backward runs it; there is nothing to pass down

    def verify(self):
        self.labels.verify()
