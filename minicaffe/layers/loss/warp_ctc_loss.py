"""WarpCTCLoss: how well scores, step by step, spell lines of labels."""

from __future__ import annotations

from ..foreign import refuse_others
from .ctc import Ctc


class WarpCTCLoss(Ctc):
    """loss = sum over sequences of -log(p(line)) / N, p(line) the sum over all paths that say the line.

    A path says a class at each of T steps, with the probability softmax(x) there; what it says is read by
    leaving out repetitions, then blanks.

    Param     ctc_loss_param: blank_index (0), the class that says nothing; negative: the last one.
    Shapes    bottom[0] x: (T, N, classes); bottom[1]: labels (N, length), cut to whole numbers; those that
              equal the blank are left out, wherever they stand; top[0]: ().
    Backward  dx = (softmax(x) - the share of p(line) whose paths say the class) * dloss: the gradient of the
              sum over sequences, which is not divided by N.  0 for a line that T steps cannot say, whose loss
              is 0 too.  Reads nothing: forward saves it.
    Source    WarpCTCLoss of caffe_ocr, with Baidu's warp-ctc; Graves, Fernandez, Gomez & Schmidhuber 2006.
    Differs   the gradient is multiplied by the loss weight, which caffe_ocr leaves out.  A loss that is not
              finite is not left out of the mean, so that a net that diverges is seen.  A label that is no
              class is an error, where warp-ctc reads other memory.  Three or four bottoms, for sequences
              of different lengths, are refused.
    Raises    ShapeError for bottoms that do not fit each other, DataError for a label that is no class.
    """

    type = "WarpCTCLoss"

    def setup(self, bottom, top):
        refuse_others(self, "ctc_loss_param", ("blank_index",))
        super().setup(bottom, top)

    def reshape(self, bottom, top):
        index = self.param.ctc_loss_param.blank_index
        self.blank = index if index >= 0 else self.extents(bottom)[2] - 1
        super().reshape(bottom, top)
