"""Dropout: a random part of the elements set to 0 while training."""

from __future__ import annotations

from ...kernels import random
from ...proto.schema import TRAIN
from .neuron import Neuron


class Dropout(Neuron):
    """y = x / (1 - p) with probability 1 - p, else 0, in TRAIN; y = x in TEST.

    Param     dropout_param: dropout_ratio p (0.5), from 0 to 1; scale_train (true), of Faster R-CNN's Caffe:
              with false y = x or 0 in TRAIN, and y = (1 - p) x in TEST.
    Shapes    bottom[0], top[0]: (n, ...), equal: n samples.  May run in place.
    Backward  dx = dy / (1 - p), or dy, where x was kept, else 0; reads nothing: it draws the mask again.
    Source    Caffe's Dropout layer; Srivastava, Hinton et al. 2014.
    Differs   the mask is a function of seed, layer and sample (kernels/random.py), equal on every device;
              p = 1 gives 0, where Caffe gives NaN; a p outside 0 to 1 is refused.
    """

    type = "Dropout"
    kernels = random
    backward_reads = frozenset()
    keeps_sign = True  # a positive element may become 0, but then its gradient is 0
    stochastic = True
    operations = (0, 0, 0)
    fork_fields = frozenset({"dropout_param.scale_train"})

    def setup(self, bottom, top):
        conf = self.param.dropout_param
        self.ratio = conf.dropout_ratio
        self.require(
            0 <= self.ratio <= 1,
            f"dropout_param.dropout_ratio must be from 0 to 1; got {self.ratio:g}",
            hint="it is the part that is set to 0",
        )
        self.identity = self.phase != TRAIN and conf.scale_train
        if self.phase != TRAIN:  # all are kept
            self.scale, self.ratio = 1 - self.ratio, 0.0
        elif conf.scale_train:
            self.scale = 1 / (1 - self.ratio) if self.ratio < 1 else 0.0
        else:
            self.scale = 1.0

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        self.batch, self.width = bottom[0].count_over(0, 1), bottom[0].count_over(1)

    def forward(self, bottom, top):
        self.pass_on(bottom[0].data, top[0].data)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.pass_on(top[0].diff, bottom[0].diff)

    def pass_on(self, source, out):
        """From x to y and from dy to dx alike."""
        if not self.identity:
            self.k.dropout(source, out, self.random.data, self.batch, self.width, self.ratio, self.scale)
        elif source is not out:
            self.device.copy(source, out)

    def forward_traffic(self, bottom, top):
        return 0 if self._does_nothing(bottom, top) else super().forward_traffic(bottom, top)

    def backward_traffic(self, bottom, top, propagate_down, params):
        if self._does_nothing(bottom, top):
            return 0
        return super().backward_traffic(bottom, top, propagate_down, params)

    def _does_nothing(self, bottom, top) -> bool:
        return self.identity and top[0] is bottom[0]
