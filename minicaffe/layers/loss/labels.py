"""Class labels as a bottom, and the bases of losses that read them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from weakref import proxy

from ...core.blob import Blob
from ...core.noted import Noted
from ...errors import DataError, ShapeError
from ...kernels import loss, softmax
from ...kernels.partial_sums import chunks
from ...proto.schema import Message
from .measure import Measure, NormalizedLoss


def ignored(conf: Message) -> tuple[int, int]:
    """(1, ignore_label) of a layer's parameters, or (0, 0): the last two fields of a Labels."""
    return int(conf.HasField("ignore_label")), conf.ignore_label


class LabelReader(Noted):
    """Bottom 1 as class labels, one for each position of the scores in bottom 0; complains of those that are
    no class (`verify`).

    field  the message of the layer's parameters that holds ignore_label, if there is one
    """

    def __init__(self, layer: Measure, field: str = "") -> None:
        super().__init__(layer.device)
        self.layer: Measure = proxy(layer)  # it owns this
        self.field = field

    def geometry(self, bottom: Sequence[Blob], axis: int) -> loss.Labels:
        """The positions of the scores with the classes on `axis`; ShapeError unless each has a label."""
        scores, axis = bottom[0], bottom[0].axis(axis)
        outer, classes, inner = scores.count_over(0, axis), scores.shape[axis], scores.count_over(axis + 1)
        none = ignored(getattr(self.layer.param, self.field)) if self.field else (0, 0)
        g = loss.Labels(outer, classes, inner, *none)
        shape = scores.shape[:axis] + scores.shape[axis + 1 :]
        return self.expect(bottom, g, f" with classes on axis {axis}", f", as in the shape {shape}")

    def expect(self, bottom: Sequence[Blob], g: loss.Labels, how: str = "", example: str = "") -> loss.Labels:
        """The same for a given geometry."""
        scores, shape = bottom[0].shape, bottom[1].shape
        if bottom[1].count != g.positions:
            raise ShapeError(
                f"bottom 1 must hold {g.positions} labels, for scores of shape {scores}{how};"
                f" got {bottom[1].count} in shape {shape}",
                hint=f"labels are class numbers, one per position{example}",
            )
        self.shape, self.classes = shape, g.classes
        return g

    def verify(self) -> None:
        """DataError for the label noted, if there is one; it is then forgotten."""
        bad = self.take(self.shape)
        if bad is None:
            return
        label, place = bad
        if abs(label) < 2**31:
            hint = "correct the label, or give bottom 0 more classes"
            if self.field:
                none = f"{self.field} {{ ignore_label: {math.trunc(label)} }}"
                hint += f"; if the label stands for none, set {none}"
        else:
            hint = "labels must be whole numbers: look at what fills bottom 1"
        raise DataError(
            f"label {label:.9g} at {place} of bottom 1 is none of the {self.classes} classes 0 to"
            f" {self.classes - 1}",
            hint=hint,
        )


class LabelLoss(NormalizedLoss):
    """A loss of scores in bottom 0 and class labels in bottom 1.

    A subclass sets self.labels, which is self.noted, in setup, and self.g in reshape.
    """

    backward_reads = frozenset()

    def verify(self):
        self.labels.verify()


class ItemLoss(LabelLoss):
    """A loss of whole items: the axes of bottom 0 behind the first are the classes together, bottom 1 holds a
    label per item, and the sum is divided by the number of items.

    A subclass fills self.slope too.
    """

    normalization = "BATCH_SIZE"

    def setup(self, bottom, top):
        self.noted = self.labels = LabelReader(self)  # whatever loss_param says

    def reshape(self, bottom, top):
        shape = bottom[0].shape  # the top's own comes next: in place, refused only later, they are one
        super().reshape(bottom, top)
        self.g = self.labels.expect(bottom, loss.Labels(shape[0], math.prod(shape[1:]), 1, 0, 0))
        self.allot(chunks(shape[0]))
        self.slope = self.saved(shape)


class CrossEntropy(LabelLoss):
    """A loss of p = softmax(scores) along the classes' axis, which top 1 shows if there is one, and of a
    label per position.

    message  that of the layer's parameters that holds the axis
    """

    tops = (1, 2)
    message: str

    def setup(self, bottom, top):
        super().setup(bottom, top)
        self.softmax = self.device.bind(softmax)
        self.noted = self.labels = LabelReader(self, "loss_param")
        if len(top) > 1:
            self.backward_reads = frozenset({"top.data"})

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        self.g = self.labels.geometry(bottom, getattr(self.param, self.message).axis)
        self.columns = softmax.Columns(self.g.outer, self.g.classes, self.g.inner)
        if len(top) > 1:
            top[1].reshape_like(bottom[0])
        self.p = top[1] if len(top) > 1 else self.saved(bottom[0].shape)

    def backward(self, top, propagate_down, bottom):
        if not propagate_down[0]:
            return
        if len(top) > 1:
            self.softmax.softmax_backward(self.p.data, top[1].diff, bottom[0].diff, self.columns)
        self.pass_down(top[0].diff, bottom[0].diff, int(len(top) > 1))
