"""Resample: images of another size, from all pixels around a place, as nets of optical flow have it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import resample
from ...proto.schema import enum_name
from ..foreign import refuse_others
from .filters import FILTERS, weights


class Resample(Layer):
    """y_ij = the mean of x around row i f + g / 2 - 1/2, weighted by how near a pixel is; columns likewise.

    f = h / oh and, which is the fork's way, g = w / ow; for columns f and g are exchanged.  NEAREST: the
    pixel there.  LINEAR: the weights are a triangle that ends a pixel away; CUBIC: Keys' kernel, with a =
    -1/2, that ends two pixels away.  Where an image gets smaller along either axis, each is f times as wide.
    Weights of pixels inside of x are divided by their sum.

    Param     resample_param: width and height, unless bottom 1 tells them; type (LINEAR, or CUBIC or
              NEAREST); antialias (true): with false weights are never wider.
    Shapes    bottom[0]: x (n, c, h, w); bottom[1], optional: any values (..., oh, ow); top[0]: (n, c, oh,
              ow).
    Backward  dx = dy, shared as the pixels were; bottom 1's gradient is 0: only its shape counts.  Reads
              nothing.
    Source    Resample of FlowNet 2's Caffe; Ilg et al. 2017.
    Differs   has a gradient, and runs on every device.  The size follows bottom 1 when that changes, in the
              fork it stays.  A place outside of x, where axes change by different factors, counts as the
              pixel next to it for NEAREST; the fork reads other memory.  factor, which the fork does not
              read, and AREA are refused.  Places are found in float32, in nets of float64 too.
    Raises    ShapeError for bottoms that do not fit.
    """

    type = "Resample"
    bottoms = (1, 2)
    kernels = resample
    backward_reads = frozenset()
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        conf = self.param.resample_param
        refuse_others(self, "resample_param", ("width", "height", "type", "antialias"))
        self.method = enum_name(conf, "type")
        self.require(
            self.method in FILTERS,
            f"resample_param.type must be one of {', '.join(FILTERS)}; got {self.method}",
        )
        self.require(
            len(bottom) == 2 or (conf.width > 0 and conf.height > 0),
            "resample_param does not say how large the top is",
            hint="set width and height, or give a blob of that size as bottom 1",
        )
        self.made_for: tuple[int, ...] = ()

    def reshape(self, bottom, top):
        conf, shape, like = self.param.resample_param, bottom[0].shape, bottom[-1].shape
        if len(shape) != 4 or len(like) < 2 or 0 in shape[2:] or 0 in like[-2:]:
            raise ShapeError(
                f"bottom 0 must have 4 axes (n, c, h, w), bottom 1 rows and columns; got {shape}, {like}"
            )
        h, w = shape[2:]
        oh, ow = like[-2:] if len(bottom) > 1 else (conf.height, conf.width)
        top[0].reshape(*shape[:2], oh, ow)
        if (h, w, oh, ow) != self.made_for:
            self.made_for = h, w, oh, ow
            tables = [_taps(shares) for shares in self.weights()]
            self.taps = [values.shape[1] for _, values, _ in tables]
            if self.allocate:
                self.rows, self.columns = ([self._there(a) for a in table] for table in tables)
        self.g = resample.Taps(shape[0] * shape[1], h, w, oh, ow, *self.taps)

    def weights(self) -> list[np.ndarray]:
        """Of rows and of columns, what every input counts in every output."""
        h, w, *out = self.made_for
        return weights((h, w), out, self.method, self.param.resample_param.antialias)

    def _there(self, values: np.ndarray) -> Any:
        """Flat on the device."""
        dtype = [np.int32] if values.dtype == np.int32 else []
        array = self.device.empty((values.size,), *dtype)
        self.device.put(values.reshape(-1), array)
        return array

    def forward(self, bottom, top):
        (rows, down, _), (columns, across, _) = self.rows, self.columns
        self.k.resample_forward(bottom[0].data, top[0].data, rows, columns, down, across, self.g)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            (rows, down, row_uses), (columns, across, column_uses) = self.rows, self.columns
            tables = rows, columns, down, across, row_uses, column_uses
            self.k.resample_backward(top[0].diff, bottom[0].diff, *tables, self.g)
        if any(propagate_down[1:]):
            self.device.fill(bottom[1].diff, 0)

    def read_by_forward(self, bottom, top):
        return bottom[0].count

    def forward_operations(self, bottom, top):
        return top[0].count * self.taps[0] * self.taps[1]

    def backward_operations(self, bottom, top, propagate_down, params):
        return self.forward_operations(bottom, top) * propagate_down[0]


def _taps(shares: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of weights (outputs, inputs): of each output the first input and the weights from there on, equally
    many; of each input the first and the last output that uses it, or none."""
    used = shares != 0
    count = shares.shape[1]
    spans = [(u[0], u[-1] + 1) if u.size else (0, 0) for u in map(np.flatnonzero, used)]
    taps = max(1, *(end - first for first, end in spans))
    first = np.array([min(start, count - taps) for start, _ in spans], np.int32)
    values = np.stack([row[at : at + taps] for row, at in zip(shares, first)])
    users = [(u[0], u[-1]) if u.size else (0, -1) for u in map(np.flatnonzero, used.T)]
    return first, values, np.array(users, np.int32)
