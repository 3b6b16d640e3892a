"""CtcLoss: WarpCTCLoss with its sizes in the net."""

from __future__ import annotations

from ...errors import ShapeError
from ..foreign import refuse_others
from .ctc import Ctc


class CtcLoss(Ctc):
    """loss = sum over sequences of -log(p(line)) / N, p(line) the sum over all paths that say the line.

    A path says a class at each of T steps, with the probability softmax(x) there; what it says is read by
    leaving out repetitions, then blanks.

    Param     ctc_loss_param: alphabet_size, the number of classes with the blank, and time_step T, which must
              both be given; blank_label (0), the class that says nothing.
    Shapes    bottom[0] x: (T, N, classes); bottom[1]: labels (N, length), cut to whole numbers; those that
              equal the blank are left out, wherever they stand; top[0]: ().
    Backward  dx = (softmax(x) - the share of p(line) whose paths say the class) * dloss: the gradient of the
              sum over sequences, which is not divided by N.  0 for a line that T steps cannot say, whose loss
              is 0 too.  Reads nothing: forward saves it.
    Source    CtcLoss of CRNN's Caffe, with Baidu's warp-ctc; Graves, Fernandez, Gomez & Schmidhuber 2006.
    Differs   a label that is no class is an error, where warp-ctc reads other memory.
    Raises    ConfigError without sizes, ShapeError for bottoms that do not fit them or each other, DataError
              for a label that is no class.
    """

    type = "CtcLoss"

    def setup(self, bottom, top):
        refuse_others(self, "ctc_loss_param", ("alphabet_size", "time_step", "blank_label"))
        conf = self.param.ctc_loss_param
        for field in ("alphabet_size", "time_step"):
            self.require(getattr(conf, field) > 0, f"ctc_loss_param.{field} must be at least 1")
        self.blank = conf.blank_label
        super().setup(bottom, top)

    def extents(self, bottom):
        steps, n, classes = super().extents(bottom)
        conf = self.param.ctc_loss_param
        if (steps, classes) != (conf.time_step, conf.alphabet_size):
            raise ShapeError(
                f"bottom 0 must have time_step {conf.time_step} steps and alphabet_size {conf.alphabet_size}"
                f" classes; got {bottom[0].shape}",
                hint="its axes are steps, sequences and classes",
            )
        return steps, n, classes
