"""Axpy: a weighted branch is added."""

from __future__ import annotations

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import scale


class Axpy(Layer):
    """y = a x + b, with one a for every channel of every image.

    Shapes    bottom[0]: a (n, c), or with ones behind; bottom[1]: x (n, c, ...); bottom[2]: b, like x;
              top[0]: like x.
    Backward  da = sum of dy * x over the plane, dx = a dy, db = dy; reads a and x.
    Source    Axpy of SENet's Caffe; Hu, Shen & Sun 2018.
    Differs   x may have any axes behind the channels.
    Raises    ShapeError for shapes that do not fit.
    """

    type = "Axpy"
    bottoms = 3
    kernels = scale
    backward_reads = frozenset({"bottom.data"})

    def reshape(self, bottom, top):
        a, x, b = (blob.shape for blob in bottom)
        if len(x) < 2 or a != (*x[:2], *[1] * (len(a) - 2)):
            raise ShapeError(f"bottom 0 must have one factor for each channel of bottom 1, {x}; got {a}")
        if b != x:
            raise ShapeError(f"bottom 2 must have the shape of bottom 1, {x}; got {b}")
        top[0].reshape(*x)
        self.g = scale.Extent(1, bottom[0].count, bottom[1].count_over(2))

    def forward(self, bottom, top):
        a, x, b = (blob.data for blob in bottom)
        self.k.scale_add_forward(x, a, b, top[0].data, self.g)

    def backward(self, top, propagate_down, bottom):
        dy, (a, x, b) = top[0].diff, bottom
        if propagate_down[0]:
            self.k.scale_gradient(x.data, dy, a.diff, self.g, 0)
        if propagate_down[1]:
            self.k.scale_forward(dy, a.data, x.diff, self.g, 0)
        if propagate_down[2]:
            self.device.copy(dy, b.diff)

    def forward_operations(self, bottom, top):
        return top[0].count

    def backward_operations(self, bottom, top, propagate_down, params):
        return top[0].count * sum(propagate_down[:2])

    def read_by_backward(self, bottom, top, propagate_down, params):
        a, x, _ = bottom
        return a.count * propagate_down[1] + x.count * propagate_down[0]
