"""Bases of layers that make one number of a batch: losses, and measures that are not trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...core.blob import Blob, Buffer
from ...core.layer import Count, Layer
from ...core.noted import Noted
from ...device.base import Device
from ...errors import ShapeError
from ...kernels import loss, partial_sums
from ...proto.schema import Message, enum_name


class Measure(Layer):
    """A sum over the positions of a batch, divided by a count.

    In reshape a measure asks for its partial sums (`allot`); its forward is one kernel, to which it hands
    `results`.  Nothing of this asks the host, so that a pass can be captured.

    outcome  what the sum of the last forward was divided by, which backward reads, and the result
    noted    complains of a label that is none; a subclass that reads labels puts its own in place
    """

    bottoms: Count = 2
    kernels = loss
    measures = True

    def __init__(self, param: Message, device: Device, phase: int) -> None:
        super().__init__(param, device, phase)
        self.outcome = device.zeros((partial_sums.OUTCOME,))
        self.noted = Noted(device)

    def allot(self, pieces: int) -> None:
        """Ask for room for so many partial sums."""
        self.sums = self.saved((pieces,))
        self.tally = self.saved((2 * pieces,), np.int32)

    def results(self, top: Blob) -> tuple:
        """The arguments `sums` to `value` of a kernel, which kernels/partial_sums.py describes."""
        noted = self.noted
        return self.sums.data, self.tally.data, top.data, self.outcome, noted.position, noted.value


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
    PRE_FIXED   loss_param.pre_fixed_normalizer, of forks: for losses that declare to know it

    The divisor is never below 1.  Without `normalization`, the old flag `normalize` means VALID (true) or
    BATCH_SIZE (false); without either, what the class says holds.

    A subclass saves the gradient of the sum by bottom 0 as self.slope, unless it has its own `pass_down`.
    """

    normalization = "VALID"
    slope: Buffer

    def setup(self, bottom, top):
        conf = self.param.loss_param
        if conf.HasField("normalization"):
            self.normalization = enum_name(conf, "normalization")
        elif conf.HasField("normalize"):
            self.normalization = "VALID" if conf.normalize else "BATCH_SIZE"

    def fixed_divisor(self, g: loss.Labels) -> float:
        """The divisor where it does not depend on the labels; 0 where it does (VALID with ignore_label)."""
        if self.normalization == "VALID" and g.ignoring:
            return 0.0
        if self.normalization == "PRE_FIXED":
            return max(1.0, self.param.loss_param.pre_fixed_normalizer)
        all_of = {"FULL": g.positions, "VALID": g.positions, "BATCH_SIZE": g.outer, "NONE": 1}
        return float(max(1, all_of[self.normalization]))

    def pass_down(self, dloss, dx, add: int = 0) -> None:
        """dx = slope * dloss / the divisor, or added to dx if `add` is 1."""
        self.k.loss_backward(self.slope.data, dloss, self.outcome, dx, 1, add)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.pass_down(top[0].diff, bottom[0].diff)
