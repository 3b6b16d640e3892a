"""Reverse: the last slice of an axis first."""

from __future__ import annotations

import itertools
import math

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import shape as kernels

MOST = 4  # runs of axes that a box has beside its innermost one, which goes forward


class Reverse(Layer):
    """y[i] = x[extent - 1 - i], i the index of one axis, or of several.

    Param     reverse_param: axis (0), one or more; negative ones count from the end.
    Shapes    bottom[0], top[0]: any, equal.
    Backward  dx = dy reversed; reads nothing.
    Source    Reverse of caffe_ocr, for nets that read a line from both ends; that of Synopsys' Caffe takes
              several axes.
    Raises    ConfigError for an axis named twice, ShapeError for one that x does not have, and where more
              than 4 runs of axes that go forward or back alternate.
    """

    type = "Reverse"
    kernels = kernels
    backward_reads = frozenset()
    operations = (0, 0, 0)

    def reshape(self, bottom, top):
        x = bottom[0]
        self.axes = [x.axis(axis) for axis in self.param.reverse_param.axis or [0]]
        self.require(
            len(set(self.axes)) == len(self.axes),
            f"reverse_param.axis must name an axis once; got {self.axes}",
        )
        top[0].reshape(*x.shape)
        # Neighbours that go the same way are one axis; what goes back has negative steps.
        runs = [
            (back, math.prod(extent for _, extent in group))
            for back, group in itertools.groupby(
                ((axis in self.axes, extent) for axis, extent in enumerate(x.shape)), lambda item: item[0]
            )
        ]
        length = 1 if not runs or runs[-1][0] else runs.pop()[1]
        if len(runs) > MOST:
            raise ShapeError(
                f"reverse_param.axis {self.axes} makes {len(runs)} runs of the axes of bottom 0, {x.shape};"
                f" at most {MOST} can be reversed at once",
                hint="use two Reverse layers, one behind the other",
            )
        runs = [(False, 1)] * (MOST - len(runs)) + runs
        start, step, steps = 0, length, []
        for back, extent in reversed(runs):
            steps.insert(0, -step if back else step)
            start += (extent - 1) * step if back else 0
            step *= extent
        self.g = kernels.Box(*(extent for _, extent in runs), length, start, *steps)

    def forward(self, bottom, top):
        self.k.take_box(bottom[0].data, top[0].data, self.g)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.k.take_box(top[0].diff, bottom[0].diff, self.g)
