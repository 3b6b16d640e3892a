"""The base of losses: a scalar top, a default weight of 1, and the ways to normalize a sum over a batch."""

from __future__ import annotations

from ..errors import ShapeError
from ..proto.schema import enum_name
from .layer import Layer


class Loss(Layer):
    """Predictions and targets in, one number out.

    The scalar top has no axes.  Without a top one is made up, and is then no output of the net.  Bottom 1,
    the targets, gets no gradient unless a loss says otherwise.
    """

    bottoms = 2
    tops = 1
    loss_weight = 1.0
    auto_top = True
    not_differentiable = frozenset({1})

    def reshape(self, bottom, top):
        if bottom[0].shape[:1] != bottom[1].shape[:1]:
            raise ShapeError(
                f"bottom 0 and 1 must have the same batch size; got {bottom[0].shape} and {bottom[1].shape}"
            )
        top[0].reshape()


class NormalizedLoss(Loss):
    """A loss that divides its sum by a count chosen in loss_param.normalization:

    FULL        every position of the batch, outer * inner
    VALID       positions whose label is not ignore_label (all, if none is given)
    BATCH_SIZE  outer, the product of the axes before the class axis
    NONE        1

    The divisor is never below 1.  Without `normalization`, the old flag `normalize` means VALID (true) or
    BATCH_SIZE (false); without either, `default_normalization` holds.
    """

    default_normalization = "VALID"

    def setup(self, bottom, top):
        loss = self.param.loss_param
        if not loss.HasField("normalization") and loss.HasField("normalize"):
            self.normalization = "VALID" if loss.normalize else "BATCH_SIZE"
        elif loss.HasField("normalization"):
            self.normalization = enum_name(loss, "normalization")
        else:
            self.normalization = self.default_normalization
        self.ignore = loss.ignore_label if loss.HasField("ignore_label") else None

    def fixed_divisor(self, outer: int, inner: int) -> float:
        """The divisor where it does not depend on the labels; 0 where it does (VALID with ignore_label)."""
        if self.normalization == "VALID" and self.ignore is not None:
            return 0.0
        count = {"FULL": outer * inner, "VALID": outer * inner, "BATCH_SIZE": outer, "NONE": 1}[
            self.normalization
        ]
        return float(max(1, count))
