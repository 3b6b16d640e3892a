"""ResizeBilinear: images of another size, interpolated, with TensorFlow's places."""

from __future__ import annotations

import numpy as np

from ..foreign import refuse_others
from .resizing import Places, Resizing

MODES = ("align_corners", "half_pixel_centers", "pytorch_half_pixel")
SIZES = ("output_height", "output_width", "scale_height", "scale_width", "data_format")


class ResizeBilinear(Resizing):
    """y_ij = x at row i h / oh and column j w / ow, from the four pixels around it.

    Param     resize_bilinear_param: output_height and output_width, or scale_height and scale_width (1), by
              which x is multiplied and rounded down; data_format ("NHWC", or "NCHW"); align_corners (false):
              row i (h - 1) / (oh - 1), where oh is not 1; half_pixel_centers (false): row (i + 1/2) h / oh -
              1/2; pytorch_half_pixel (false): the same, and the first row where oh is 1.
    Shapes    bottom[0]: x (n, h, w, c) or (n, c, h, w), as data_format says; top[0]: the same with oh and ow.
    Backward  dx = dy, shared among the four pixels; reads nothing.
    Source    ResizeBilinear of Synopsys' Caffe, from TensorFlow.
    Differs   has a gradient, where the fork has none.  Places are found in float32, in nets of float64 too.
              Three spatial axes and quantised numbers are refused.
    Raises    ShapeError where nothing would be left.
    """

    type = "ResizeBilinear"

    def setup(self, bottom, top):
        refuse_others(self, "resize_bilinear_param", (*MODES, *SIZES))
        self.take(self.param.resize_bilinear_param, MODES)

    def places(self, extent, out):
        step, half = self.step(extent, out), np.float32(0.5)
        at = np.arange(out, dtype=np.float32)
        if self.mode == "pytorch_half_pixel" and out == 1:
            at = np.float32([-0.5])
        elif self.mode in ("half_pixel_centers", "pytorch_half_pixel"):
            at = (at + half) * step - half
        else:
            at = at * step
        below = np.floor(at)
        first, second = np.maximum(below, 0), np.minimum(np.ceil(at), extent - 1)
        return Places(np.minimum(first, extent - 1), second, at - below)

    def forward_operations(self, bottom, top):
        return 3 * top[0].count

    def backward_operations(self, bottom, top, propagate_down, params):
        return 4 * top[0].count * propagate_down[0]
