"""Split: one blob for several readers."""

from __future__ import annotations

from ...core.layer import Layer
from ...kernels import eltwise


class Split(Layer):
    """y_i = x.

    A net inserts it wherever a blob is read more than once, so that every blob has one reader, which may
    overwrite its diff.

    Shapes    bottom[0], top[i]: any, equal; the tops' data is the bottom's.
    Backward  dx = sum of dy_i, where a top that nobody differentiates counts as zero; reads nothing.
    Source    Caffe's Split layer.
    """

    type = "Split"
    tops = (1, None)
    kernels = eltwise
    backward_reads = frozenset()
    splits = adds = True
    operations = (0, 0, 0)

    def reshape(self, bottom, top):
        for blob in top:
            blob.reshape_like(bottom[0])
            blob.share_data(bottom[0])
        if len(top) == 1:
            top[0].share_diff(bottom[0])

    def forward(self, bottom, top):
        pass

    def backward(self, top, propagate_down, bottom):
        if not propagate_down[0] or (len(top) == 1 and not self.adding[0]):
            return
        dx, behind = bottom[0].diff, list(top)
        if not self.adding[0]:
            self.k.sum_pair(behind.pop(0).diff, behind.pop(0).diff, dx, 1, 1, 0)
        for blob in behind:
            self.k.sum_add(blob.diff, dx, 1, 0)

    def backward_operations(self, bottom, top, propagate_down, params):
        return (len(top) - 1) * bottom[0].count * propagate_down[0]
