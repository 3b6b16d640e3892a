"""LabelSpecificAdd: a margin for the score of an item's own class (AM-Softmax)."""

from __future__ import annotations

from ...proto.schema import TEST
from .labelled import Annealed, OwnScore


class LabelSpecificAdd(OwnScore):
    """y = x, + b at the item's class where x > -b; in TEST y = x.

    Param     label_specific_add_param: bias (0); or bias_base: b = bias_base + (1 + bias_gamma t)^bias_power
              - 1, between bias_min (0) and bias_max (0), with bias_gamma (0), bias_power (1) and t =
              iteration (0) in the first pass.
    Shapes    bottom[0]: x (n, ...), whose axes behind the first are the classes together; bottom[1]: n
              labels; top[0]: like x, may be in place; top[1], optional: b (1), which has no gradient.
    Backward  dx = dy; reads nothing.
    Source    LabelSpecificAdd of happynear's Caffe; Wang et al. 2018.
    Differs   a label that is no class is an error.  transform_test, which has no effect in the fork, has
              none here.
    Raises    ShapeError for a wrong number of labels, DataError for a label that is no class.
    """

    type = "LabelSpecificAdd"
    backward_reads = frozenset()
    in_place_ok = True
    operations = (1, 0, 0)
    not_in_onnx = "it is for training: in TEST it changes nothing"

    def setup(self, bottom, top):
        super().setup(bottom, top)
        conf = self.param.label_specific_add_param
        self.bias = Annealed(self, conf.bias)
        if conf.HasField("bias_base") and self.phase != TEST:
            schedule = conf.bias_gamma, conf.bias_power, conf.bias_base
            self.bias.follow(conf.iteration, 0, schedule, low=conf.bias_min, high=conf.bias_max)

    def forward(self, bottom, top):
        self.advance(self.bias, top)
        if self.phase != TEST:
            self.read_labels(bottom[1])
            self.k.shift_own(bottom[0].data, self.picked.data, top[0].data, self.bias.value, self.g)
        elif top[0] is not bottom[0]:
            self.device.copy(bottom[0].data, top[0].data)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0] and top[0] is not bottom[0]:
            self.device.copy(top[0].diff, bottom[0].diff)
