"""The base of layers that give every channel mean 0 and variance 1: BatchNorm and BN."""

from __future__ import annotations

from typing import Any

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import batch_norm


class Normalizing(Layer):
    """z = (x - mean[c]) / sqrt(variance[c] + eps), and what factors and summands make of it.

    A layer calls `prepare` in setup, and says where its moments are, where they go, and what its factors are.
    """

    carries = True
    has_params = True
    kernels = batch_norm
    backward_reads = frozenset({"bottom.data"})
    in_place_ok = True
    ends_in_relu = True

    def prepare(self, bottom, top, frozen: bool, eps: float, reads_x: bool) -> None:
        """What setup has to settle beside parameters.  frozen: the moments do not depend on x; reads_x:
        backward may read it."""
        self._check(bottom[0])
        self.frozen, self.eps, self.reads_x = frozen, eps, reads_x
        self.operations = (2, 1, 0) if frozen else (4, 6, 0)
        self.in_place = top[0] is bottom[0]
        if self.in_place or not reads_x:
            self.backward_reads = frozenset()
        if self.allocate:
            self.ones, self.zeros, a, b = (self.device.zeros((bottom[0].shape[1],)) for _ in range(4))
            self.fold = a, b
            self.device.fill(self.ones, 1)

    def leave_alone(self, i: int) -> None:
        """Parameter i is not trained, whatever lr_mult says."""
        while len(self.param.param) <= i:
            self.param.param.add()
        self.param.param[i].lr_mult = self.param.param[i].decay_mult = 0

    def reshape(self, bottom, top):
        self._check(bottom[0])
        x = bottom[0]
        if x.shape[1] != self.params[0].count:
            raise ShapeError(
                f"bottom 0 has {x.shape[1]} channels; the statistics are of {self.params[0].count}"
            )
        if not self.in_place:
            top[0].reshape_like(x)
        self.g = batch_norm.Channels(x.shape[0], x.shape[1], x.count_over(2), int(self.frozen))
        count = self.g.n * self.g.inner
        self.unbias = count / (count - 1) if count > 1 else 1.0
        self.mean, self.variance = self.saved((x.shape[1],)), self.saved((x.shape[1],))
        self.x = self.saved(x.shape) if self.in_place and self.reads_x else x

    def takes(self, behind: Layer) -> bool:
        """Whether it can do the work of a layer that reads its top, as a Scale."""
        return False

    def running(self) -> tuple[Any, Any, Any]:
        """Means and variances that do not depend on x, and a number by which both are too large."""
        raise NotImplementedError

    def accumulate(self, mean: Any, variance: Any) -> None:
        """Take a batch's moments into the running ones."""

    def factors(self, scale: Any = None) -> tuple[Any, Any]:
        """By what z is multiplied and what is added then; scale: a Scale behind this layer."""
        raise NotImplementedError

    def keeps_x(self) -> bool:
        """Whether a copy of x has to be made, which is to be overwritten."""
        return self.in_place and self.reads_x

    def folded(self, scale: Any = None, bias: Any = None) -> tuple[Any, Any]:
        """If frozen: arrays a and b (C), a x + b being what this layer and `scale` behind it make
        of x + bias, the bias of a layer in front.  Computed anew by every call, into the same arrays."""
        before = self.zeros if bias is None else bias
        self.k.fold(before, *self.running(), *self.factors(scale), *self.fold, self.g, self.eps)
        return self.fold

    def forward(self, bottom, top, scale: Any = None, relu: bool = False):
        """Also that of a Scale behind this layer and, with `relu`, of a ReLU behind both."""
        mean, variance = self.mean.data, self.variance.data
        if self.keeps_x():
            self.device.copy(bottom[0].data, self.x.data)
        if self.frozen:
            self.k.running_moments(*self.running(), mean, variance, self.g)
        else:
            self.k.channel_moments(bottom[0].data, mean, variance, self.g)
            self.accumulate(mean, variance)
        given = bottom[0].data, mean, variance, *self.factors(scale)
        self.k.batch_norm_forward(*given, top[0].data, self.g, self.eps, int(relu or self.relu))

    def _check(self, bottom) -> None:
        if len(bottom.shape) < 2:
            raise ShapeError(f"bottom 0 must have a channel axis; its shape is {bottom.shape}")
