"""SmoothL1Loss: squares of small differences, sizes of large ones."""

from __future__ import annotations

from ...proto.schema import enum_name
from .smooth_l1 import SmoothL1


class SmoothL1Loss(SmoothL1):
    """loss = sum of w_out f(w_in (x - t)) / n, where f(d) = s d^2 / 2 if |d| < 1 / s, else |d| - 1 / (2 s).

    s = sigma^2; weights that are not there are 1.

    Param     smooth_l1_loss_param: sigma (1).  loss_param: normalization NONE leaves out the 1 / n.
    Shapes    bottom[0] x: (n, ...); bottom[1] t: as many elements with the same n; bottom[2] w_in and
              bottom[3] w_out, optional: as many weights; top[0]: ().
    Backward  dx = w_out w_in f'(w_in (x - t)) dloss / n, dt = -dx; dw_in and dw_out likewise.  Forward saves
              the slope; with weights, reads the bottoms.
    Source    SmoothL1Loss of Fast R-CNN's and SSD's Caffe (2 or 3 bottoms), and of Faster R-CNN's (2 or 4);
              Girshick 2015.
    Differs   all forks' variants in one.  With three bottoms the forks forget the factor w_in in the
              gradient, which makes no difference where weights are 0 or 1.  Weights have a gradient too.
              Without loss_weight it is 1, as for every loss; in Faster R-CNN's line of forks it is then 0,
              and the loss trains nothing.  abssum, of Synopsys' fork, must be false.
    Raises    ShapeError for shapes that do not fit.
    """

    type = "SmoothL1Loss"
    bottoms = (2, 4)

    def setup(self, bottom, top):
        super().setup(bottom, top)
        conf = self.param.smooth_l1_loss_param
        self.require(conf.sigma > 0, f"smooth_l1_loss_param.sigma must be greater than 0; got {conf.sigma:g}")
        self.require(
            not (conf.HasField("abssum") and conf.abssum),
            "smooth_l1_loss_param.abssum: true, which leaves weights out of gradients, is not supported",
            hint="set it to false, or remove it",
        )
        self.sharpness = float(conf.sigma) ** 2
        loss = self.param.loss_param
        none = loss.HasField("normalization") and enum_name(loss, "normalization") == "NONE"
        self.normalization = "NONE" if none else "BATCH_SIZE"

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        self.compare(bottom, top, (bottom[0].count, 1, 1))
