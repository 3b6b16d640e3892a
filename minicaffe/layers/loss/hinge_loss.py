"""HingeLoss: one against all, with a margin."""

from __future__ import annotations

from ...kernels import margin
from ...proto.schema import enum_name
from .labels import ItemLoss


class HingeLoss(ItemLoss):
    """loss = sum over items and classes of m (L1) or m^2 (L2) / n.

    m = max(0, 1 - x) at the label's class, max(0, 1 + x) at every other.

    Param     hinge_loss_param: norm (L1).
    Shapes    bottom[0]: scores (n, ...), whose axes behind the first are the classes together; bottom[1]:
              n labels, cut to whole numbers; top[0]: ().
    Backward  dx = -[m > 0] at the label, [m > 0] elsewhere (L2: 2 m times that) * dloss / n; 0 at m = 0.
              Reads nothing: forward saves the slope.
    Source    Caffe's HingeLoss layer.
    Differs   runs on every device; a label that is no class is an error, where Caffe writes other memory.
    Raises    ShapeError for a wrong number of labels, DataError for a label that is no class.
    """

    type = "HingeLoss"
    operations = (1, 1, 0)

    def setup(self, bottom, top):
        super().setup(bottom, top)
        self.squared = int(enum_name(self.param.hinge_loss_param, "norm") == "L2")
        self.margin = self.device.bind(margin)

    def forward(self, bottom, top):
        x, labels, results = bottom[0].data, bottom[1].data, self.results(top[0])
        self.margin.hinge_loss_forward(
            x, labels, self.slope.data, *results, self.g, self.squared, self.fixed_divisor(self.g)
        )
