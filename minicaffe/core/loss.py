"""Bases of layers that make one number of a batch: losses, and measures that are not trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from weakref import proxy

import numpy as np

from ..errors import DataError, ShapeError
from ..kernels import loss
from ..proto.schema import Message, enum_name
from .blob import Blob
from .layer import Count, Layer
from .noted import Noted


class Measure(Layer):
    """A sum over the positions of a batch, divided by a count.

    In reshape a measure asks for its partial sums (`allot`); in forward one of its kernels fills them, and
    `divide` makes the result of them.  Nothing of this asks the host, so that a pass can be captured.
    """

    bottoms: Count = 2
    kernels = loss
    measures = True

    def allot(self, positions: int) -> None:
        """Ask for the buffers that kernels/loss.py describes, and for the divisor that backward reads."""
        self.chunks = loss.chunks(positions)
        self.sums = self.saved((self.chunks,))
        self.tally = self.saved((2 * self.chunks,), np.int32)
        self.divisor = self.saved((1,))

    def note(self, noted: Noted, labels: Blob) -> None:
        """Call after the kernel that filled the tally: note the first of `labels` that is none."""
        self.k.note_label(labels.data, self.tally.data, noted.position, noted.value, self.chunks)

    def divide(self, top: Blob, fixed: float) -> None:
        """top = the sum, divided by `fixed`, or by how many positions count (at least 1) if that is 0."""
        self.k.divide_sum(self.sums.data, self.tally.data, top.data, self.divisor.data, self.chunks, fixed)


class Loss(Measure):
    """Predictions and targets in, one number out.

    The scalar top has no axes.  Without a top one is made up, and is then no output of the net.  Bottom 1,
    the targets, gets no gradient unless a loss says otherwise.
    """

    tops: Count = 1
    loss_weight = 1.0
    auto_top = True
    not_differentiable = frozenset({1})

    def reshape(self, bottom, top):
        first, second = bottom[0].shape, bottom[1].shape
        if not first or first[:1] != second[:1]:
            raise ShapeError(
                f"bottoms 0 and 1 must have the same batch size in axis 0; got {first}, {second}"
            )
        top[0].reshape()

    def require_equal_counts(self, bottom: Sequence[Blob], hint: str = "") -> None:
        """ShapeError unless every element of bottom 0 has one of bottom 1 beside it."""
        first, second = bottom[0].shape, bottom[1].shape
        if bottom[0].count != bottom[1].count:
            raise ShapeError(f"bottoms 0 and 1 must have equal counts; got {first} and {second}", hint=hint)


class NormalizedLoss(Loss):
    """A loss that divides its sum by a count chosen in loss_param.normalization:

    FULL        every position of the batch
    VALID       positions whose label is not ignore_label (all, if none is given)
    BATCH_SIZE  the product of the axes before the class axis
    NONE        1

    The divisor is never below 1.  Without `normalization`, the old flag `normalize` means VALID (true) or
    BATCH_SIZE (false); without either, `default_normalization` holds.
    """

    default_normalization = "VALID"

    def setup(self, bottom, top):
        conf = self.param.loss_param
        if conf.HasField("normalization"):
            self.normalization = enum_name(conf, "normalization")
        elif conf.HasField("normalize"):
            self.normalization = "VALID" if conf.normalize else "BATCH_SIZE"
        else:
            self.normalization = self.default_normalization

    def fixed_divisor(self, g: loss.Labels) -> float:
        """The divisor where it does not depend on the labels; 0 where it does (VALID with ignore_label)."""
        if self.normalization == "VALID" and g.ignoring:
            return 0.0
        all_of = {"FULL": g.positions, "VALID": g.positions, "BATCH_SIZE": g.outer, "NONE": 1}
        return float(max(1, all_of[self.normalization]))


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
        scores, axis, conf = bottom[0], bottom[0].axis(axis), getattr(self.layer.param, self.field)
        outer, classes, inner = scores.count_over(0, axis), scores.shape[axis], scores.count_over(axis + 1)
        g = loss.Labels(outer, classes, inner, *ignored(conf))
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


class ItemLoss(Loss):
    """A loss of whole items: the axes of bottom 0 behind the first are the classes together, bottom 1 holds a
    label per item, and the sum is divided by the number of items.

    A subclass fills slope, sums and tally in `measure`.
    """

    backward_reads = frozenset()

    def setup(self, bottom, top):
        self.labels = LabelReader(self)

    def reshape(self, bottom, top):
        shape = bottom[0].shape  # the top's own comes next: in place, refused only later, they are one
        super().reshape(bottom, top)
        self.g = self.labels.expect(bottom, loss.Labels(shape[0], math.prod(shape[1:]), 1, 0, 0))
        self.allot(shape[0])
        self.slope = self.saved(shape)

    def measure(self, bottom: Sequence[Blob]) -> None:
        """Run the kernel."""
        raise NotImplementedError

    def forward(self, bottom, top):
        self.measure(bottom)
        self.divide(top[0], max(1, self.g.outer))
        self.note(self.labels, bottom[1])

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            dloss, divisor = top[0].diff, self.divisor.data
            self.k.loss_backward(self.slope.data, dloss, divisor, bottom[0].diff, 1, 0)

    def verify(self):
        self.labels.verify()
