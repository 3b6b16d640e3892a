"""Correlation: what places of two feature maps have in common (FlowNet)."""

from __future__ import annotations

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import correlation
from ...proto.schema import enum_name
from ..foreign import refuse_others

READ = ("pad", "kernel_size", "max_displacement", "stride_1", "stride_2", "correlation_type")


class Correlation(Layer):
    """y_qij = mean over a window and the channels of a b, or |a - b|, with b's window displaced by q.

    With both maps padded by zeros, window (i, j) of k * k places begins at row i stride_1 + max_displacement
    of a, columns likewise; q runs over displacements from -max_displacement to max_displacement, those down
    outside and those to the right inside, by multiples of stride_2.

    Param     correlation_param: kernel_size, k, odd; max_displacement; pad (0), stride_1 (1), stride_2 (1);
              correlation_type, MULTIPLY or SUBTRACT (|a - b|).
    Shapes    bottom[0] a, bottom[1] b: (n, c, h, w), equal; top[0]: (n, s^2, oh, ow) with s = 2 floor(
              max_displacement / stride_2) + 1, oh = (h + 2 pad - 2 max_displacement - k + 1) / stride_1,
              rounded up.
    Backward  da, db: the derivative, the mean's 1 / (k^2 c) in it; reads a and b.
    Source    Correlation of FlowNet 2's Caffe; Dosovitskiy et al. 2015.
    Differs   runs on every device.  Of |a - b| the fork's gradient takes both values from one place; this is
              the derivative.  do_abs and single_direction are refused.
    Raises    ShapeError for maps of different shapes, and where no window is left.
    """

    type = "Correlation"
    bottoms = 2
    kernels = correlation
    backward_reads = frozenset({"bottom.data"})

    def setup(self, bottom, top):
        refuse_others(self, "correlation_param", READ)
        conf = self.param.correlation_param
        self.require(
            conf.kernel_size % 2 == 1, f"correlation_param.kernel_size must be odd; got {conf.kernel_size}"
        )
        for name in ("stride_1", "stride_2"):
            self.require(getattr(conf, name) > 0, f"correlation_param.{name} must be at least 1; got 0")

    def reshape(self, bottom, top):
        conf, shape = self.param.correlation_param, bottom[0].shape
        if len(shape) != 4 or bottom[1].shape != shape:
            raise ShapeError(
                f"bottoms 0 and 1 must have one shape of 4 axes (n, c, h, w); got {shape} and"
                f" {bottom[1].shape}"
            )
        reach = 2 * conf.max_displacement + conf.kernel_size - 1
        out = [-(-(extent + 2 * conf.pad - reach) // conf.stride_1) for extent in shape[2:]]
        if min(out) < 1:
            raise ShapeError(
                f"windows that reach over {reach + 1} do not fit {shape[2]} x {shape[3]} with padding"
                f" {conf.pad}"
            )
        side = 2 * (conf.max_displacement // conf.stride_2) + 1
        top[0].reshape(shape[0], side * side, *out)
        sizes = int(enum_name(conf, "correlation_type") == "SUBTRACT")
        steps = conf.kernel_size, conf.max_displacement - conf.pad, conf.stride_1, conf.stride_2
        self.g = correlation.Grid(*shape, *out, side, *steps, sizes)

    def forward(self, bottom, top):
        self.k.correlation_forward(bottom[0].data, bottom[1].data, top[0].data, self.g)

    def backward(self, top, propagate_down, bottom):
        for i, (own, other) in enumerate((bottom, bottom[::-1])):
            if propagate_down[i]:
                self.k.correlation_gradient(own.data, other.data, top[0].diff, own.diff, self.g, i)

    def forward_operations(self, bottom, top):
        return top[0].count * self.g.window**2 * self.g.c

    def backward_operations(self, bottom, top, propagate_down, params):
        """A product for every displacement, of a sum over the windows that hold the place."""
        windows = self.g.window**2 // self.g.step**2 + 1
        return bottom[0].count * self.g.side**2 * windows * sum(propagate_down)

    def read_by_backward(self, bottom, top, propagate_down, params):
        return sum(blob.count for blob in bottom) if self.g.sizes else bottom[0].count * sum(propagate_down)
