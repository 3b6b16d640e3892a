"""ResizeNearestNeighbor: images of another size, each pixel a copy of one, with TensorFlow's places."""

from __future__ import annotations

import numpy as np

from ..foreign import refuse_others
from .resizing import Places, Resizing

MODES = ("align_corners", "half_pixel_centers", "half_pixel_onnx")
SIZES = ("output_height", "output_width", "scale_height", "scale_width", "data_format")


class ResizeNearestNeighbor(Resizing):
    """y_ij = x at row floor(i h / oh) and column floor(j w / ow).

    Param     resize_nearest_neighbor_param: output_height and output_width, or scale_height and scale_width
              (1), by which x is multiplied and rounded down; data_format ("NHWC", or "NCHW"); align_corners
              (false): the row nearest to i (h - 1) / (oh - 1), where oh is not 1; half_pixel_centers (false):
              row floor((i + 1/2) h / oh); half_pixel_onnx (false): row floor((i + 1/2) h / oh - 1/2); each
              cut to the rows there are.
    Shapes    bottom[0]: x (n, h, w, c) or (n, c, h, w), as data_format says; top[0]: the same with oh and ow.
    Backward  dx = the sum of dy over the copies; reads nothing.
    Source    ResizeNearestNeighbor of Synopsys' Caffe, from TensorFlow.
    Differs   has a gradient, where the fork has none.  Places are found in float32, in nets of float64 too.
    Raises    ShapeError where nothing would be left.
    """

    type = "ResizeNearestNeighbor"

    def setup(self, bottom, top):
        refuse_others(self, "resize_nearest_neighbor_param", (*MODES, *SIZES))
        self.take(self.param.resize_nearest_neighbor_param, MODES)

    def places(self, extent, out):
        step, half = self.step(extent, out), np.float32(0.5)
        at = np.arange(out, dtype=np.float32)
        if self.mode == "half_pixel_centers":
            at = (at + half) * step
        elif self.mode == "half_pixel_onnx":
            at = (at + half) * step - half
        else:
            at = at * step
        if self.mode == "align_corners":
            at = at.astype(np.float64) + 0.5  # exact, so that halves alone are rounded up
        row = np.clip(np.floor(at), 0, extent - 1)
        return Places(row, row, np.zeros(out))

    def backward_operations(self, bottom, top, propagate_down, params):
        return top[0].count * propagate_down[0]
