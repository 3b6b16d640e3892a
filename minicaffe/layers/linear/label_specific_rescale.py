"""LabelSpecificRescale: another factor for the score of an item's own class than for the others."""

from __future__ import annotations

from ...proto.schema import TRAIN
from ..foreign import refuse_others
from .labelled import MOST, Annealed, OwnScore

NAME = "label_specific_rescale_param"
READ = frozenset(
    """positive_weight negative_weight rescale_test for_ip positive_weight_base gamma power
    positive_weight_min positive_weight_max iteration bias_fix power_on_positive""".split()
)


class LabelSpecificRescale(OwnScore):
    """y = p x at the item's class, y = q x at the others; in TEST y = x.

    Param     label_specific_rescale_param: positive_weight p (1), negative_weight q (1); rescale_test
              (false): in TEST too; bias_fix (false): y = p x + 1 - p; power_on_positive (false): y = |x|^p
              with the sign of x; for_ip (false): y = x at the item's class where x is not above 0.  Or
              positive_weight_base: in TRAIN p = positive_weight_base (1 + gamma t)^-power, no less than
              positive_weight_min and no more than positive_weight_max where they are set, with gamma (0),
              power (1) and t = iteration (0) + 1 in the first pass.
    Shapes    bottom[0]: x (n, ...), whose axes behind the first are the classes together; bottom[1]: n
              labels; top[0]: like x, may be in place unless x is read; top[1], optional: p (1), which has no
              gradient.
    Backward  dx = dy times p, p |x|^(p - 1), q or 1.  Reads x with for_ip and power_on_positive, else
              nothing.
    Source    LabelSpecificRescale of happynear's Caffe.
    Differs   a label that is no class is an error; positive_lower_bound and negative_upper_bound, which the
              fork does not use, are refused.
    Raises    ShapeError for a wrong number of labels, DataError for a label that is no class.
    """

    type = "LabelSpecificRescale"
    backward_reads = frozenset({"bottom.data"})  # narrowed in setup
    in_place_ok = True
    operations = (1, 1, 0)
    not_in_onnx = "it is for training: in TEST it changes nothing"

    def setup(self, bottom, top):
        super().setup(bottom, top)
        refuse_others(self, NAME, READ)
        conf = getattr(self.param, NAME)
        self.works = self.phase == TRAIN or conf.rescale_test
        self.how = int(conf.for_ip), int(conf.bias_fix), int(conf.power_on_positive)
        self.others = conf.negative_weight
        if not self.works or not (conf.for_ip or conf.power_on_positive):
            self.backward_reads = frozenset()
        self.own = Annealed(self, conf.positive_weight)
        if conf.HasField("positive_weight_base") and self.phase == TRAIN:
            schedule = conf.gamma, -conf.power, conf.positive_weight_base
            low = conf.positive_weight_min if conf.HasField("positive_weight_min") else -MOST
            high = conf.positive_weight_max if conf.HasField("positive_weight_max") else MOST
            self.own.follow(conf.iteration, 1, schedule, low=low, high=high, product=1)

    def forward(self, bottom, top):
        self.advance(self.own, top)
        if self.works:
            self.read_labels(bottom[1])
            given = bottom[0].data, self.picked.data, top[0].data, self.own.value, self.g
            self.k.rescale_own(*given, self.others, *self.how)
        elif top[0] is not bottom[0]:
            self.device.copy(bottom[0].data, top[0].data)

    def backward(self, top, propagate_down, bottom):
        if not propagate_down[0]:
            return
        dy, dx = top[0].diff, bottom[0].diff
        above, _, powers = self.how
        if self.works:
            x = bottom[0].data if above or powers else dy
            self.k.rescale_own_backward(
                x, self.picked.data, dy, dx, self.own.value, self.g, self.others, above, powers
            )
        elif top[0] is not bottom[0]:
            self.device.copy(dy, dx)
