"""PReLU: ReLU with a learned slope."""

from __future__ import annotations

from ...errors import ShapeError
from ...kernels import prelu
from ...proto.schema import FillerParameter
from .neuron import Neuron


class PReLU(Neuron):
    """y = x where x > 0, a[c] * x elsewhere, with a slope a for every channel c.

    Param     prelu_param: filler of a (constant 0.25); channel_shared (false), one slope for all channels.
    Params    a: (channels), or () if shared.
    Shapes    bottom[0], top[0]: (n, channels, ...), equal.  May run in place: it then keeps a copy of x.
    Backward  da[c] += sum of dy * x over x <= 0; dx = dy where x > 0, a[c] * dy elsewhere; reads x.
    Source    Caffe's PReLU layer; He, Zhang, Ren, Sun 2015.
    Raises    ShapeError for a bottom of fewer than two axes.
    """

    type = "PReLU"
    kernels = prelu
    has_params = True
    backward_reads = frozenset({"bottom.data"})
    operations = (1, 1, 1)

    def setup(self, bottom, top):
        conf = self.param.prelu_param
        self._check(bottom[0])
        filler = conf.filler if conf.HasField("filler") else FillerParameter(type="constant", value=0.25)
        self.shared = conf.channel_shared
        self.add_param(() if self.shared else bottom[0].shape[1:2], filler)
        self.in_place = top[0] is bottom[0]
        if self.in_place:
            self.backward_reads = frozenset()

    def reshape(self, bottom, top):
        self._check(bottom[0])
        super().reshape(bottom, top)
        n, channels = bottom[0].shape[:2]
        if not self.shared and (channels,) != self.params[0].shape:
            raise ShapeError(f"bottom 0 has {channels} channels; there are {self.params[0].count} slopes")
        self.g = prelu.Planes(n, channels, bottom[0].count_over(2), int(self.shared))
        self.sums = self.saved((channels,))
        self.x = self.saved(bottom[0].shape) if self.in_place else bottom[0]

    def forward(self, bottom, top):
        if self.in_place:
            self.device.copy(bottom[0].data, self.x.data)
        self.k.prelu_forward(self.x.data, self.params[0].data, top[0].data, self.g)

    def backward(self, top, propagate_down, bottom):
        slope, dy = self.params[0], top[0].diff
        if self.param_gradient[0]:
            self.k.prelu_sums(self.x.data, dy, self.sums.data, self.g)
            self.k.prelu_add_sums(self.sums.data, slope.diff, self.g)
        if propagate_down[0]:
            self.k.prelu_backward(self.x.data, slope.data, dy, bottom[0].diff, self.g)

    def _check(self, bottom) -> None:
        if len(bottom.shape) < 2:
            raise ShapeError(f"bottom 0 must have a channel axis; its shape is {bottom.shape}")

    def read_by_backward(self, bottom, top, propagate_down, params):
        slopes = self.params[0].count * propagate_down[0]
        return super().read_by_backward(bottom, top, propagate_down, params) + slopes
