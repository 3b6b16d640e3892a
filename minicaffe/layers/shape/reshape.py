"""Reshape: the same elements under another shape."""

from __future__ import annotations

import math

from ...core.layer import Layer
from ...errors import ShapeError


class Reshape(Layer):
    """y = x in a new shape.

    Param     reshape_param: shape, where dim 0 copies the bottom's extent at the same place and dim -1, once
              at most, takes what is left; axis (0) and num_axes (-1: to the end) tell which axes of the
              bottom `shape` replaces.  A negative axis counts from one behind the last: -1 appends.
    Shapes    bottom[0] (a..., b..., c...) with b... the axes replaced; top[0] (a..., shape..., c...), of
              equal count.  Data and diff are shared.
    Backward  dx = dy; nothing to do.
    Source    Caffe's Reshape layer.
    """

    type = "Reshape"
    backward_reads = frozenset()
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        conf = self.param.reshape_param
        self.dims = list(conf.shape.dim)
        self.require(
            min(self.dims, default=0) >= -1, f"reshape_param.shape: dims are -1 and up; got {self.dims}"
        )
        self.require(self.dims.count(-1) <= 1, f"reshape_param.shape: -1 may stand once; got {self.dims}")
        self.require(conf.num_axes >= -1, f"reshape_param.num_axes must be -1 or more; got {conf.num_axes}")

    def reshape(self, bottom, top):
        conf, shape = self.param.reshape_param, bottom[0].shape
        first = bottom[0].axis(conf.axis, insert=True)
        last = len(shape) if conf.num_axes == -1 else first + conf.num_axes
        if last > len(shape):
            raise ShapeError(
                f"{conf.num_axes} axes from axis {first} on: bottom 0 of shape {shape} has not so many"
            )
        dims = list(self.dims)
        for i, dim in enumerate(dims):
            if dim == 0:
                if first + i >= len(shape):
                    raise ShapeError(
                        f"dim {i} of {self.dims} is 0: bottom 0 of shape {shape} has no axis {first + i}"
                    )
                dims[i] = shape[first + i]
        if -1 in dims:
            known = math.prod(shape[:first]) * math.prod(shape[last:]) * math.prod(d for d in dims if d != -1)
            if known == 0 or bottom[0].count % known:
                raise ShapeError(
                    f"dim -1 of {self.dims}: the {bottom[0].count} elements of bottom 0, {shape}, cannot be"
                    f" divided by {known}"
                )
            dims[dims.index(-1)] = bottom[0].count // known
        result = (*shape[:first], *dims, *shape[last:])
        if math.prod(result) != bottom[0].count:
            raise ShapeError(
                f"{shape} has {bottom[0].count} elements, the new shape {result} has {math.prod(result)}"
            )
        top[0].reshape(*result)
        top[0].share_data(bottom[0])
        top[0].share_diff(bottom[0])

    def forward(self, bottom, top):
        pass

    def backward(self, top, propagate_down, bottom):
        pass
