"""Add: the sum of two blobs, aligned at their last axes."""

from __future__ import annotations

from .broadcasting import Broadcasting


class Add(Broadcasting):
    """y = a + b, each repeated along axes that it lacks in front, or that have extent 1.

    Shapes    bottom[0] a, bottom[1] b: any two in which axes, counted from the last one, are equal or 1;
              top[0]: the greater of each.
    Backward  da, db = dy, summed over the axes along which the blob is repeated; reads nothing.
    Source    Add of Synopsys' Caffe; NumPy's broadcasting.
    Differs   has a gradient, where the fork has none.  Extents that do not fit are refused for blobs of
              different numbers of axes too.
    Raises    ShapeError for shapes that do not fit, and where repeated and other axes take turns more than
              5 times.
    """

    type = "Add"
    bottoms = (2, 2)
    backward_reads = frozenset()
