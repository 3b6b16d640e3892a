"""Labels as a bottom of layers that are no losses, and numbers that change from pass to pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.blob import Blob
from ...core.layer import Layer
from ...core.noted import Noted
from ...errors import DataError, ShapeError
from ...kernels import angular, reindex

MOST = 3e38  # no limit; float32 holds it


class Labelled(Layer):
    """Items of bottom 0 with a class each, in bottom 1."""

    bottoms = 2
    tops = (1, 2)
    kernels = angular
    not_differentiable = frozenset({1})
    detached_tops = frozenset({1})

    def setup(self, bottom, top):
        self.reader = self.device.bind(reindex)
        self.noted = Noted(self.device)

    def expect_labels(self, labels: Blob, count: int, classes: int) -> None:
        """In reshape: so many labels of so many classes; ShapeError for another number."""
        if labels.count != count:
            raise ShapeError(f"bottom 1 must hold {count} labels, one per item; got {labels.shape}")
        self.rows, self.classes, self.shape = reindex.Picks(count, classes, 1), classes, labels.shape
        self.picked = self.saved((count,), np.int32)

    def read_labels(self, labels: Blob) -> None:
        """In forward: self.picked = the class of every item, -1 for none."""
        noted = self.noted
        self.reader.read_index(labels.data, self.picked.data, noted.position, noted.value, self.rows)

    def verify(self):
        bad = self.noted.take(self.shape)
        if bad is not None:
            raise DataError(
                f"label {bad[0]:.9g} at {bad[1]} of bottom 1 is none of the {self.classes} classes 0 to"
                f" {self.classes - 1}",
                hint="correct the label, or give bottom 0 more classes",
            )


class Annealed:
    """A number on the device that follows a schedule, counted in passes of its layer: from 0 whenever the
    layer's state is reset, and where a run is resumed, from there."""

    def __init__(self, layer: Layer, fixed: float) -> None:
        self.layer = layer
        self.steps: tuple[Any, ...] = ()
        self.value = layer.device.empty((1,))
        layer.device.fill(self.value, fixed)

    def follow(
        self, iteration: int, before: int, schedule: Sequence[float], low=-MOST, high=MOST, product=0
    ) -> None:
        """The arguments of the kernel `anneal`; schedule: gamma, power, base."""
        self.layer.carries = True
        self.layer.state = [self.layer.device.zeros((1,))]
        finite = [min(max(v, -MOST), MOST) for v in (*schedule, low, high)]
        if any(map(math.isnan, finite)):
            self.layer.require(False, "a schedule must be of numbers; got NaN")
        self.steps = (iteration, before, *finite, product)

    def advance(self) -> None:
        """In forward, once."""
        if self.steps:
            self.layer.k.anneal(self.layer.state[0], self.value, *self.steps)


class OwnScore(Labelled):
    """Scores (n, ...), whose axes behind the first are the classes together, in which an item's own class is
    treated by a number that changes from pass to pass; top[1], optional, is that number."""

    def reshape(self, bottom, top):
        x = bottom[0]
        self.g = angular.Items(x.count_over(0, 1), x.count_over(1), 0)
        self.expect_labels(bottom[1], self.g.count, self.g.classes)
        if top[0] is not x:
            top[0].reshape_like(x)
        for blob in top[1:]:
            blob.reshape(1)

    def advance(self, number: Annealed, top: Sequence[Blob]) -> None:
        """In forward, first: the number of this pass, into top[1] as well."""
        number.advance()
        for blob in top[1:]:
            self.device.copy(number.value, blob.data)
