"""CenterLoss: items near the centre of their class."""

from __future__ import annotations

from ...errors import ShapeError
from ...kernels import centres
from ...kernels.partial_sums import chunks
from .labels import LabelReader
from .measure import Loss


class CenterLoss(Loss):
    """loss = sum of (x - c_y)^2 / (2 n), or |x - c_y| / n, with c_y the learned centre of the item's class.

    Param     center_loss_param: num_output, the number of classes; axis (1), the first of an item's axes;
              center_filler; distance_type, of happynear's fork: "L2", or "L1".
    Params    centres (num_output, K), K the numbers of an item.
    Shapes    bottom[0]: x (n..., k...); bottom[1]: a label per item, cut to whole numbers; top[0]: ().
    Backward  dx = (x - c_y) dloss / n (L1: its sign); dc_j += the sum of c_j - x over the items of class j,
              over 1 + their number, whatever loss_weight is: an update, not a derivative.  With distance_type
              so many times as much as there are items, as in happynear's fork.  Reads the labels: forward
              saves x - c_y.
    Source    CenterLoss of caffe-face; Wen, Zhang, Li & Qiao 2016.
    Differs   a label that is no class is an error.
    Raises    ShapeError for a wrong number of labels or of inputs, DataError for a label that is no class.
    """

    type = "CenterLoss"
    has_params = True
    backward_reads = frozenset({"bottom.data"})
    not_differentiable = frozenset({1})

    def setup(self, bottom, top):
        conf = self.param.center_loss_param
        self.require(conf.num_output > 0, "center_loss_param.num_output must be at least 1")
        kind = conf.distance_type
        self.require(kind in ("L1", "L2"), f"center_loss_param.distance_type must be L1 or L2; got {kind!r}")
        self.absolute, self.each = int(kind == "L1"), int(conf.HasField("distance_type"))
        self.length = bottom[0].count_over(bottom[0].axis(conf.axis))
        self.add_param((conf.num_output, self.length), conf.center_filler)
        self.noted = self.labels = LabelReader(self)
        self.centres = self.device.bind(centres)

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        conf, x, labels = self.param.center_loss_param, bottom[0], bottom[1]
        axis = x.axis(conf.axis)
        if x.count_over(axis) != self.length:
            raise ShapeError(
                f"bottom 0 has {x.count_over(axis)} numbers per item; the centres have {self.length}"
            )
        count = x.count_over(0, axis)
        if labels.count != count:
            raise ShapeError(f"bottom 1 must hold {count} labels, one per item; got {labels.shape}")
        self.g = centres.Centres(count, conf.num_output, self.length, self.absolute, self.each)
        self.labels.shape, self.labels.classes = labels.shape, conf.num_output
        self.allot(chunks(count))
        self.slope = self.saved(x.shape)

    def forward(self, bottom, top):
        given = bottom[0].data, bottom[1].data, self.params[0].data, self.slope.data
        self.centres.center_loss_forward(*given, *self.results(top[0]), self.g, max(1, self.g.count))

    def backward(self, top, propagate_down, bottom):
        if self.param_gradient[0]:
            self.centres.center_steps(self.slope.data, bottom[1].data, self.params[0].diff, self.g)
        if propagate_down[0]:
            self.k.loss_backward(self.slope.data, top[0].diff, self.outcome, bottom[0].diff, 1, 0)

    def verify(self):
        self.labels.verify()

    def forward_operations(self, bottom, top):
        return 2 * bottom[0].count

    def backward_operations(self, bottom, top, propagate_down, params):
        return bottom[0].count * (propagate_down[0] + params[0])

    def read_by_forward(self, bottom, top):
        """Of the centres those that are asked for."""
        return 2 * bottom[0].count + bottom[1].count

    def read_by_backward(self, bottom, top, propagate_down, params):
        return bottom[1].count * params[0]
