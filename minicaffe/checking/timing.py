"""Times the passes of a net layer by layer, and relates them to what the layers compute and move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..graph.splits import is_automatic
from ..net import Net


class Spread(NamedTuple):
    """Times of the iterations, in milliseconds: quartiles p25, median, p75, the least, and the mean."""

    median: float
    min: float
    p25: float
    p75: float
    mean: float

    @staticmethod
    def of(seconds: np.ndarray) -> Spread:
        ms = 1e3 * np.asarray(seconds, np.float64)
        p25, median, p75 = np.percentile(ms, (25, 50, 75))
        return Spread(*map(float, (median, ms.min(), p25, p75, ms.mean())))


@dataclass
class Times:
    """Seconds per iteration.

    forward, backward            (layers, iterations); layers that do not run backward take next to nothing
    forward_pass, backward_pass  (iterations): the passes they make up, with the clock's own share
    stage                        (iterations): between passes, the next batch put in place
    total                        of everything
    """

    forward: np.ndarray
    backward: np.ndarray
    forward_pass: np.ndarray
    backward_pass: np.ndarray
    stage: np.ndarray
    total: float = 0.0

    @staticmethod
    def empty(layers: int, iterations: int) -> Times:
        each, whole = (layers, iterations), iterations
        return Times(np.zeros(each), np.zeros(each), np.zeros(whole), np.zeros(whole), np.zeros(whole))


def measure(
    net: Net,
    iterations: int,
    after: Callable[[int, float], None] = lambda number, seconds: None,
    clock: Callable[[], Any] | None = None,
) -> Times:
    """Run forward and backward `iterations` times, every layer by itself; `after` is told the number of each
    iteration, from 1, and the seconds of its two passes.  Times are the device's own.  A net that is for
    forward passes only runs no other."""
    layers, mark, apart = range(len(net.layers)), clock or net.device.clock(), net.device.seconds
    times = Times.empty(len(layers), iterations)

    def around(run: Callable[[int, int], None], i: int) -> tuple[Any, Any]:
        before = mark()
        run(i, i)
        return before, mark()

    begun = mark()
    for j in range(iterations):
        staging = mark()
        net.stage()
        start = mark()
        forward = [around(net.run_forward, i) for i in layers]
        middle = mark()
        backward = [] if net.forward_only else [around(net.run_backward, i) for i in reversed(layers)]
        end = mark()
        # Only now: on a GPU each of these waits for the device.
        for i, marks in enumerate(forward):
            times.forward[i, j] = apart(*marks)
        for i, marks in zip(reversed(layers), backward):
            times.backward[i, j] = apart(*marks)
        times.stage[j] = apart(staging, start)
        times.forward_pass[j] = apart(start, middle)
        times.backward_pass[j] = apart(middle, end)
        after(j + 1, apart(start, end))
    times.total = apart(begun, mark())
    return times


class Throughput(NamedTuple):
    """One direction of a layer, or of all: its time, and per iteration operations (two per multiply-add) and
    bytes, None where they are not known."""

    ms: Spread
    flops: int | None
    bytes: int | None

    @property
    def gflop_per_s(self) -> float | None:
        return self._rate(self.flops)

    @property
    def gbyte_per_s(self) -> float | None:
        return self._rate(self.bytes)

    def _rate(self, amount: int | None) -> float | None:
        """In 10^9 per second."""
        return None if amount is None or self.ms.median <= 0 else amount / self.ms.median / 1e6


class LayerTime(NamedTuple):
    """A layer; automatic: a Split that no file asked for; backward: None if training does not run it."""

    name: str
    type: str
    automatic: bool
    tops: list[tuple[int, ...]]
    forward: Throughput
    backward: Throughput | None

    @property
    def ms(self) -> float:
        """The median of forward and that of backward."""
        return self.forward.ms.median + (self.backward.ms.median if self.backward else 0.0)


def per_layer(net: Net, times: Times) -> list[LayerTime]:
    """Every layer that runs, in the order of the net; shapes are those of the last pass."""
    rows = []
    itemsize = net.device.dtype.itemsize

    def work(seconds: np.ndarray, multiply_adds: int | None, elements: int | None) -> Throughput:
        counts = ((2, multiply_adds), (itemsize, elements))
        return Throughput(Spread.of(seconds), *(None if n is None else each * n for each, n in counts))

    for i, (layer, bottom, top, wanted) in enumerate(zip(net.layers, net.bottoms, net.tops, net.gradients)):
        forward = work(
            times.forward[i], layer.forward_operations(bottom, top), layer.forward_traffic(bottom, top)
        )
        backward = None
        if wanted.runs and not net.forward_only:
            gradients = bottom, top, wanted.propagate, wanted.params
            backward = work(
                times.backward[i], layer.backward_operations(*gradients), layer.backward_traffic(*gradients)
            )
        shapes = [blob.shape for blob in top]
        rows.append(LayerTime(layer.name, layer.type, is_automatic(layer.param), shapes, forward, backward))
    return rows


def in_all(rows: list[LayerTime], times: Times) -> tuple[Throughput, Throughput]:
    """The forward and the backward pass; what they compute and move is known if it is of every layer."""
    forward = [row.forward for row in rows]
    backward = [row.backward for row in rows if row.backward]
    return _sum(times.forward_pass, forward), _sum(times.backward_pass, backward)


def _sum(seconds: np.ndarray, parts: list[Throughput]) -> Throughput:
    flops, moved = ([getattr(part, what) for part in parts] for what in ("flops", "bytes"))
    return Throughput(
        Spread.of(seconds), *(None if None in every else sum(every) for every in (flops, moved))
    )
