"""InfogainLoss: cross entropy in which some mistakes cost more than others."""

from __future__ import annotations

import numpy as np

from ...errors import DataError, ShapeError, locate
from ...kernels import likelihood
from ...kernels.partial_sums import chunks
from ...proto import binary
from ...proto.schema import BlobProto
from .labels import CrossEntropy


class InfogainLoss(CrossEntropy):
    """loss = -sum over positions and classes c of H[label, c] log(max(p_c, 1e-20)) / Z.

    p = softmax(x) along one axis.  With H the unit matrix it is SoftmaxWithLoss.

    Param     infogain_loss_param: source, a binary BlobProto that holds H, needed without a bottom 2; axis
              (1), that of the classes.  loss_param: ignore_label (none) and normalization (VALID), which
              chooses Z (layers/loss/measure.py).
    Shapes    bottom[0]: scores (outer..., classes, inner...); bottom[1]: labels, outer * inner of them with
              the same axis 0, cut to whole numbers; bottom[2], optional: H, classes^2 elements; top[0]: ();
              top[1], optional: p, shaped like bottom[0].
    Backward  dx = (p sum(H[label]) - H[label]) * dloss / Z, 0 where the label is ignored; through top[1] as
              Softmax; H gets no gradient.  Reads nothing, or top[1] where there is one.
    Source    Caffe's InfogainLoss layer.
    Differs   runs on every device; a label that is no class is an error, where Caffe reads other memory.
              force_backward leaves H out, where Caffe aborts.  With two tops Caffe wants two loss_weights;
              here there may be none, or one, that of the loss.  source and a bottom 2 together are refused.
    Raises    ShapeError for a wrong number of labels or size of H, DataError for a label that is no class or
              a source that cannot be read.
    """

    type = "InfogainLoss"
    message = "infogain_loss_param"
    bottoms = (2, 3)
    not_differentiable = frozenset({1, 2})
    operations = (2, 1, 0)

    def setup(self, bottom, top):
        super().setup(bottom, top)
        self.require(
            not self.param.loss_param.HasField("normalize"),
            "loss_param.normalize is not for InfogainLoss",
            "use loss_param { normalization: VALID } or BATCH_SIZE",
        )
        self.likelihood = self.device.bind(likelihood)
        source = self.param.infogain_loss_param.source
        if len(bottom) == 2:
            self.gain = self._read(source)
        else:
            self.require(not source, "infogain_loss_param.source is not read with a bottom 2", "remove one")

    def _read(self, source: str):
        """H from a file, on the device."""
        self.require(
            bool(source), "infogain_loss_param.source must be set", "name a binaryproto, or add a bottom 2"
        )
        with locate(f"infogain matrix {source}"):
            host = binary.to_array(binary.read(source, BlobProto))
            if not np.isfinite(host).all():
                raise DataError("not every element is a finite number")
        gain = self.device.empty((host.size,))
        self.device.put(host.ravel(), gain)
        return gain

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        elements = bottom[2].count if len(bottom) == 3 else self.gain.size
        if elements != self.g.classes**2:
            raise ShapeError(
                f"the infogain matrix must have {self.g.classes} x {self.g.classes} elements, one per pair of"
                f" classes; got {elements}"
            )
        self.allot(chunks(self.g.positions))
        self.slope = self.saved(bottom[0].shape)

    def forward(self, bottom, top):
        p, labels, slope = self.p.data, bottom[1].data, self.slope.data
        gain = bottom[2].data if len(bottom) == 3 else self.gain
        self.softmax.softmax_forward(bottom[0].data, p, self.columns)
        self.likelihood.infogain_loss_forward(
            p, labels, gain, slope, *self.results(top[0]), self.g, self.fixed_divisor(self.g)
        )
