"""SoftmaxWithLossOHEM: SoftmaxWithLoss that also shows the loss of every example."""

from __future__ import annotations

from ...kernels import hard_examples
from .softmax_with_loss import SoftmaxWithLoss


class SoftmaxWithLossOHEM(SoftmaxWithLoss):
    """loss = -sum over positions of log(max(p[label], 2^-126)) / Z, p = softmax(x) along one axis.

    Param     as SoftmaxWithLoss: softmax_param: axis (1); loss_param: ignore_label (none), normalization
              (VALID), also PRE_FIXED, where Z is pre_fixed_normalizer (1), at least 1.
    Shapes    bottom[0] and bottom[1]: as SoftmaxWithLoss; top[0]: (); top[1], optional: p, shaped like
              bottom[0]; top[2], optional: the loss of every position, not divided, 0 where the label is
              ignored; shaped like bottom[1].
    Backward  dx = (p - [class is the label]) * (dloss / Z + the gradient by its position's loss), 0 where the
              label is ignored; through top[1] as Softmax.  Reads nothing, or the tops if there are several.
    Source    SoftmaxWithLossOHEM of R-FCN's Caffe; Shrivastava, Gupta & Girshick 2016.
    Differs   runs on every device.  The second and third top pass gradients back; a single loss_weight is
              that of the loss.  A label that is no class is an error, where the fork reads other memory.
    Raises    ShapeError for a wrong number of labels, DataError for a label that is no class.
    """

    type = "SoftmaxWithLossOHEM"
    tops = (1, 3)
    fork_fields = frozenset({"loss_param.pre_fixed_normalizer", "loss_param.normalization: PRE_FIXED"})

    def setup(self, bottom, top):
        super().setup(bottom, top)
        self.examples = self.device.bind(hard_examples)

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        if len(top) == 3:
            top[2].reshape(*bottom[1].shape)

    def forward(self, bottom, top):
        super().forward(bottom, top)
        if len(top) == 3:
            self.examples.position_losses(self.p.data, self.target.data, top[2].data, self.g)

    def backward(self, top, propagate_down, bottom):
        super().backward(top, propagate_down, bottom)
        if len(top) == 3 and propagate_down[0]:
            dx = bottom[0].diff
            self.examples.position_losses_backward(self.p.data, self.target.data, top[2].diff, dx, self.g)
