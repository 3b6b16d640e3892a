"""FlowWarp: an image read where a flow says (FlowNet)."""

from __future__ import annotations

import math

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import flow_warp
from ...proto.schema import enum_name


class FlowWarp(Layer):
    """y_rs = x at row r + v_rs and column s + u_rs, from the four pixels around it; a value outside.

    Outside is what lies not in [0, h) x [0, w); between the last row or column and the end the last one
    counts.

    Param     flow_warp_param: fill_value, ZERO or NOT_A_NUMBER, what stands outside.
    Shapes    bottom[0]: x (n, c, h, w); bottom[1]: the flow (n, 2, h, w), u and v; top[0]: like x.
    Backward  dx = dy, shared among the four pixels; du, dv = sum over channels of dy times the slope of x
              between them; 0 outside.  Reads x and the flow.
    Source    FlowWarp of FlowNet 2's Caffe; Ilg et al. 2017.
    Differs   places are of the net's type; in the fork of float32.
    Raises    ShapeError for a flow that does not fit.
    """

    type = "FlowWarp"
    bottoms = 2
    kernels = flow_warp
    backward_reads = frozenset({"bottom.data"})

    def reshape(self, bottom, top):
        shape, flow = bottom[0].shape, bottom[1].shape
        if len(shape) != 4 or flow != (shape[0], 2, *shape[2:]):
            raise ShapeError(
                f"bottom 0 must have 4 axes (n, c, h, w), and bottom 1 be (n, 2, h, w); got {shape} and"
                f" {flow}"
            )
        top[0].reshape(*shape)
        self.g = flow_warp.Warp(*shape)
        zero = enum_name(self.param.flow_warp_param, "fill_value") == "ZERO"
        self.absent = 0.0 if zero else math.nan

    def forward(self, bottom, top):
        self.k.warp_forward(bottom[0].data, bottom[1].data, top[0].data, self.g, self.absent)

    def backward(self, top, propagate_down, bottom):
        dy, (x, flow) = top[0].diff, bottom
        if propagate_down[0]:
            self.k.warp_backward_image(dy, flow.data, x.diff, self.g)
        if propagate_down[1]:
            self.k.warp_backward_flow(x.data, dy, flow.data, flow.diff, self.g)

    def forward_operations(self, bottom, top):
        return 6 * top[0].count

    def backward_operations(self, bottom, top, propagate_down, params):
        return (4 * propagate_down[0] + 6 * propagate_down[1]) * top[0].count

    def read_by_backward(self, bottom, top, propagate_down, params):
        either = bool(propagate_down[0] or propagate_down[1])
        return bottom[0].count * propagate_down[1] + bottom[1].count * either
