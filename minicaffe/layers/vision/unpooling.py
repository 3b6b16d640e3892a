"""Unpooling: what pooling made of a window goes back to it."""

from __future__ import annotations

from ...proto.schema import enum_name
from .enlarging import Enlarging
from .window import values_of


class Unpooling(Enlarging):
    """y is 0 but where windows, `stride` apart, get what became of them.

    MAX    y[mask] = x in every plane; without a mask x goes to the first pixel of its window.
    AVE    x / area is added to every pixel of the window, where the area is that inside of y.
    TILE   x is added to every pixel of the window.

    Param     unpooling_param: unpool (MAX); kernel_size or kernel_h and kernel_w; stride (1) likewise; pad,
              which must be 0; unpool_size or unpool_h and unpool_w, the size of the top: by default
              max((h - 1) stride + kernel, h stride + 1).  engine is read and means nothing here.
    Shapes    bottom[0]: x (n, c, h, w); bottom[1], optional and for MAX: the mask, alike, as Pooling's second
              top gives it: row * width + column in the top; top[0]: (n, c, unpool_h, unpool_w).
    Backward  dx = dy where x went (MAX), the mean (AVE) or sum (TILE) of dy over the window; reads nothing.
    Source    Unpooling of DeconvNet; Noh, Hong & Han 2015.
    Differs   AVE and TILE start from 0, where the fork adds to what the top's memory holds.  The gradient of
              TILE is that of what it computes, where the fork's is divided by the area.  A place outside of
              the plane is an error when the host looks, and stays empty until then.
    Raises    ShapeError for another mask or a top that is too small, DataError for a place outside of the
              plane.
    """

    type = "Unpooling"
    bottoms = (1, 2)

    def setup(self, bottom, top):
        super().setup(bottom, top)
        conf = self.param.unpooling_param
        unpool = enum_name(conf, "unpool")
        self.method = {"MAX": "PLACES", "AVE": "MEAN", "TILE": "SUM"}[unpool]
        self.require(
            unpool == "MAX" or len(bottom) == 1, "a second bottom, the mask, is for unpool: MAX", "remove it"
        )
        self.kernel = values_of(conf, "kernel_size", "kernel", 2, None)
        self.stride = values_of(conf, "stride", "stride", 2, 1)
        pad = values_of(conf, "pad", "pad", 2, 0)
        self.require(not any(pad), f"unpooling_param.pad must be 0; got {pad}")
        sized = any(conf.HasField(name) for name in ("unpool_size", "unpool_h", "unpool_w"))
        self.size = values_of(conf, "unpool_size", "unpool", 2, None) if sized else None

    def reshape(self, bottom, top):
        shape = self.planes(bottom)
        default = [
            max((extent - 1) * s + k, extent * s + 1)
            for extent, k, s in zip(shape[2:], self.kernel, self.stride)
        ]
        self.enlarge(bottom, top, self.size or (default[0], default[1]), self.kernel, self.stride)
