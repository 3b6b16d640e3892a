"""ChannelScale: all channels of a position times one factor."""

from __future__ import annotations

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import broadcast
from ..foreign import refuse_others
from .broadcasting import pair_of

READ = ("do_forward", "do_backward_feature", "do_backward_scale")


class ChannelScale(Layer):
    """y = s x, with one s for every position of every image: what undoes a Normalize, whose norms s are.

    Param     channel_scale_param: do_forward (true), else y = x; do_backward_feature (true), else dx = dy;
              do_backward_scale (true), else ds = 0.
    Shapes    bottom[0] x: (n, c, ...); bottom[1] s: n values for each position, as in (n, 1, ...); top[0]:
              like x.
    Backward  dx = s dy; ds = sum over the channels of x dy; whatever forward does.  Reads x and s.
    Source    ChannelScale of happynear's Caffe; Wang et al. 2017 (NormFace).
    Differs   global_scale is refused: one number for all, which the fork keeps in a blob of the layer.
    Raises    ShapeError for another number of factors.
    """

    type = "ChannelScale"
    bottoms = 2
    kernels = broadcast
    backward_reads = frozenset({"bottom.data"})

    def setup(self, bottom, top):
        refuse_others(self, "channel_scale_param", READ)
        conf = self.param.channel_scale_param
        self.scales, self.down, self.learns = (
            conf.do_forward,
            conf.do_backward_feature,
            conf.do_backward_scale,
        )

    def reshape(self, bottom, top):
        x, s = bottom
        if len(x.shape) < 2 or s.shape[:1] != x.shape[:1] or s.count * x.shape[1] != x.count:
            raise ShapeError(
                f"bottom 1 must have a factor for each position of bottom 0, {x.shape}; got {s.shape}"
            )
        top[0].reshape(*x.shape)
        shape = x.shape[0], x.shape[1], x.count_over(2)
        self.g = pair_of(shape, (shape[0], 1, shape[2]), shape)

    def forward(self, bottom, top):
        if self.scales:
            self.k.broadcast_forward(bottom[0].data, bottom[1].data, top[0].data, self.g, 1)
        else:
            self.device.copy(bottom[0].data, top[0].data)

    def backward(self, top, propagate_down, bottom):
        dy, (x, s) = top[0].diff, bottom
        if propagate_down[0] and self.down:
            self.k.broadcast_forward(dy, s.data, x.diff, self.g, 1)
        elif propagate_down[0]:
            self.device.copy(dy, x.diff)
        if propagate_down[1] and self.learns:
            self.k.broadcast_gradient(dy, x.data, s.diff, self.g.turned, 1, 0)
        elif propagate_down[1]:
            self.device.fill(s.diff, 0)

    def forward_operations(self, bottom, top):
        return top[0].count * self.scales

    def backward_operations(self, bottom, top, propagate_down, params):
        return top[0].count * (propagate_down[0] * self.down + propagate_down[1] * self.learns)

    def read_by_backward(self, bottom, top, propagate_down, params):
        x, s = bottom
        return s.count * (propagate_down[0] and self.down) + x.count * (propagate_down[1] and self.learns)
