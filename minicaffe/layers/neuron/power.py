"""Power: a power of a linear function."""

from __future__ import annotations

import numpy as np

from ...kernels import power
from .neuron import Neuron


class Power(Neuron):
    """y = (shift + scale * x)^power.

    Param     power_param: power (1), scale (1), shift (0).
    Shapes    bottom[0], top[0]: any, equal.  May run in place if power is 1 or power * scale is 0.
    Backward  dx = dy * power * scale * (shift + scale * x)^(power - 1); reads x unless it may run in place.
              With power * scale = 0 the layer is constant: y = shift^power (1 for power 0), dx = 0.
    Source    Caffe's Power layer.
    Differs   the gradient where shift + scale * x is 0 is right (0 for a power above 1), where Caffe's is
              NaN; other powers are refused in place, where Caffe returns a wrong gradient, as it does for
              power 1, which is right here.
    """

    type = "Power"
    kernels = power

    def setup(self, bottom, top):
        conf = self.param.power_param
        self.power, self.scale, self.shift = conf.power, conf.scale, conf.shift
        self.constant = self.power * self.scale == 0
        self.linear = self.power == 1
        self.operations = (2, 0 if self.constant else 1 if self.linear else 4, 0)
        if self.constant or self.linear:
            self.backward_reads = frozenset()
        else:
            self.backward_reads = frozenset({"bottom.data"})
        with np.errstate(all="ignore"):  # 0 to a negative power is infinite, a root of -1 NaN
            self.level = float(np.power(self.shift, self.power))

    def forward(self, bottom, top):
        if self.constant:
            self.device.fill(top[0].data, self.level)
        else:
            self.k.power_forward(bottom[0].data, top[0].data, self.power, self.scale, self.shift)

    def backward(self, top, propagate_down, bottom):
        if not propagate_down[0]:
            return
        dy, dx = top[0].diff, bottom[0].diff
        if self.constant:
            self.device.fill(dx, 0)
        elif self.linear:  # dx = dy * scale
            self.k.power_forward(dy, dx, 1, self.scale, 0)
        else:
            self.k.power_backward(bottom[0].data, dy, dx, self.power, self.scale, self.shift)
