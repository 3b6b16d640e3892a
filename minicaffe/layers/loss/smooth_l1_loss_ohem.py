"""SmoothL1LossOHEM: SmoothL1Loss that also shows the loss of every example."""

from __future__ import annotations

from ...errors import ShapeError
from .smooth_l1 import SmoothL1


class SmoothL1LossOHEM(SmoothL1):
    """loss = sum of f(w (x - t)) / Z, where f(d) = d^2 / 2 if |d| < 1, else |d| - 1 / 2.

    Param     loss_param: normalization (VALID), which chooses Z: VALID and FULL, n h w; BATCH_SIZE, n; NONE,
              1; PRE_FIXED, pre_fixed_normalizer (1).  Z is at least 1.
    Shapes    bottom[0] x: (n, c, h, w), or without the last axes; bottom[1] t and, optional, bottom[2] w: as
              many elements with the same n; top[0]: (); top[1], optional: (n, 1, h, w), the sum over channels
              for every position, not divided.
    Backward  dx = w f'(w (x - t)) (dloss / Z + the gradient by its position's loss), dt = -dx; dw likewise.
              Forward saves the slope; with weights, reads the bottoms.
    Source    SmoothL1LossOHEM of R-FCN's Caffe; Dai, Li, He & Sun 2016.
    Differs   the fork forgets the factor w in the gradient, which makes no difference where weights are 0 or
              1.  Weights have a gradient, and the second top passes one back.  Without loss_weight that of
              the loss is 1, as for every loss; in the fork it is then 0, and the loss trains nothing.
    Raises    ShapeError for shapes that do not fit.
    """

    type = "SmoothL1LossOHEM"
    bottoms = (2, 3)
    tops = (1, 2)
    fork_fields = frozenset({"loss_param.pre_fixed_normalizer", "loss_param.normalization: PRE_FIXED"})

    def reshape(self, bottom, top):
        shape = bottom[0].shape
        super().reshape(bottom, top)
        if len(shape) < 2:
            raise ShapeError(f"bottom 0 must have channels on axis 1; got {shape}")
        self.compare(bottom, top, (shape[0], shape[1], bottom[0].count_over(2)))
        if len(top) == 2:
            top[1].reshape(shape[0], 1, *shape[2:])
