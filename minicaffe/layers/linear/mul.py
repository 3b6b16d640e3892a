"""Mul: the product of two blobs, aligned at their last axes."""

from __future__ import annotations

from ...proto.schema import FillerParameter
from .broadcasting import Broadcasting


class Mul(Broadcasting):
    """y = a b, each repeated along axes that it lacks in front, or that have extent 1.

    Param     mul_param: mul_shape, of b, if it is a parameter; none is a single number.
    Params    b, with one bottom.
    Shapes    bottom[0] a, bottom[1] b: any two in which axes, counted from the last one, are equal or 1;
              top[0]: the greater of each.
    Backward  da = dy b, db = dy a, summed over the axes along which the blob is repeated; reads a and b.
    Source    Mul of Synopsys' Caffe; NumPy's broadcasting.
    Differs   has a gradient, where the fork has none.  A parameter that no weights are given for is 1; in
              the fork 0.  Extents that do not fit are refused for blobs of different numbers of axes too.
    Raises    ShapeError for shapes that do not fit, and where repeated and other axes take turns more than
              5 times.
    """

    type = "Mul"
    product = True
    has_params = True
    backward_reads = frozenset({"bottom.data"})

    def setup(self, bottom, top):
        given = list(self.param.mul_param.mul_shape)
        if len(bottom) == 1:
            self.add_param(given, FillerParameter(type="constant", value=1))
        else:
            self.require(
                not given, "mul_param.mul_shape is for one bottom; there are two", hint="remove mul_shape"
            )
