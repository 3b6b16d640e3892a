"""What a picture of curves shows: panels, and in each the points of every run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from .. import log
from ..errors import ConfigError, DataError
from .curves import Curves, Row

T = TypeVar("T")
LOSS, RATE = "loss", "learning rate"
MOST = 24  # outputs in panels of their own, and losses in theirs: more nobody reads, and they take minutes
MOST_ELEMENTS = 64  # of one output that are drawn line by line
LEAST = 4  # points of a curve, from which on its beginning may be left out
PRESSED = 4  # times as wide as what follows is what the beginning makes of an axis that is cut
LARGEST = 1e100  # beyond it axes overflow: drawn as what is not finite


class Points(NamedTuple):
    """Points of a series: x and y of equal length; y may be NaN."""

    x: np.ndarray
    y: np.ndarray

    @property
    def finite(self) -> np.ndarray:
        return np.abs(self.y) < LARGEST

    @property
    def gaps(self) -> list[tuple[float, float]]:
        """The first and the last x of each stretch of values that are not finite."""
        bad = np.concatenate([[False], ~self.finite, [False]])
        edges = np.flatnonzero(bad[1:] != bad[:-1])
        return [(float(self.x[a]), float(self.x[b - 1])) for a, b in edges.reshape(-1, 2)]

    @property
    def alone(self) -> Points:
        """The finite points between two that are not: a line does not show them."""
        good = np.concatenate([[False], self.finite, [False]])
        lonely = good[1:-1] & ~good[:-2] & ~good[2:]
        return Points(self.x[lonely], self.y[lonely])

    @property
    def last(self) -> tuple[float, float] | None:
        """The last finite point."""
        good = np.flatnonzero(self.finite)
        return (float(self.x[good[-1]]), float(self.y[good[-1]])) if good.size else None

    def best(self, falls: bool) -> tuple[float, float] | None:
        """The first of the highest finite points, or of the lowest if what is good `falls`."""
        if not self.finite.any():
            return None
        values = np.where(self.finite, -self.y if falls else self.y, -math.inf)
        i = int(values.argmax())
        return float(self.x[i]), float(self.y[i])

    def smoothed(self, window: int) -> Points:
        """The mean over `window` points around each, fewer at the ends; where a point is not finite there is
        none."""
        count = len(self.y)
        ones = np.ones(min(window, 2 * count))  # as wide as that, it is over all points everywhere
        behind = len(ones) // 2
        # Sums of their own for every point: in running sums one huge loss would drown all that follow.
        sums, counts = (
            np.convolve(values, ones)[behind : behind + count]
            for values in (np.where(self.finite, self.y, 0), self.finite.astype(float))
        )
        return Points(self.x, np.where(self.finite, sums / np.maximum(counts, 1), np.nan))


class Drawn(NamedTuple):
    """What one run has in one panel.  `tests` are by name: the losses of test nets are drawn together.
    `elements` are those of a test output that has more than one (`width` of them), or the lowest and the
    highest where they are many; the curve is their mean."""

    train: Points
    tests: dict[str, Points]
    elements: list[Points]
    span: tuple[Points, Points] | None
    width: int = 1

    def same(self, other: Drawn) -> bool:
        """Whether the curves of tests, or of training where there are none, lie on each other."""
        mine, others = ([*run.tests.values()] or [run.train] for run in (self, other))
        return len(mine) == len(others) and all(
            np.array_equal(p.x, q.x) and np.array_equal(p.y, q.y, equal_nan=True)
            for p, q in zip(mine, others)
        )


class Panel(NamedTuple):
    """What is drawn together: the loss, the learning rate, or an output of a test net."""

    title: str
    runs: list[Drawn]  # as many as there are runs
    falls: bool = False  # whether it is better, the lower it is

    @property
    def focus(self) -> tuple[float, float] | None:
        """The range of y to show, where the beginning would press all that follows into a line: that of the
        last three quarters of every curve, and a margin.  None where all of it is to be shown: that of loss
        and learning rate, and what does not spread so much.
        """
        if self.title in (LOSS, RATE):
            return None
        values = [points.y[points.finite] for points in self.series]
        late = [points.y[len(points.y) // 4 :][points.finite[len(points.y) // 4 :]] for points in self.series]
        whole, part = np.concatenate(values), np.concatenate(late)
        if not part.size or any(0 < len(y) < LEAST for y in values):
            return None
        spread, spans = np.ptp(whole), np.ptp(part)
        if spread < PRESSED * spans or not spread:
            return None
        margin = 0.08 * spans or 0.02 * spread
        return float(part.min() - margin), float(part.max() + margin)

    @property
    def tests(self) -> list[str]:
        """The names of what tests gave, over all runs."""
        return list(dict.fromkeys(name for run in self.runs for name in run.tests))

    @property
    def series(self) -> Iterator[Points]:
        for run in self.runs:
            yield from (run.train, *run.tests.values())


def panels(runs: Sequence[Curves], x: str) -> list[Panel]:
    """The panels that the runs fill; x is iteration or seconds.

    Raises DataError if there is none, or times are asked for and missing.
    """
    across = _abscissa(runs, x)
    nets = sorted({net for run in runs for net in run.tests})
    found = [Panel(LOSS, [_loss(run, nets, across) for run in runs], falls=True)]
    kinds: list[int | None] = [*nets]
    outputs: list[tuple[int | None, str]] = []
    for net in kinds or [None]:  # without a test the outputs of training remain
        rows = [row for run in runs for row in (run.train if net is None else run.tests.get(net, []))]
        names = dict.fromkeys(name for row in rows for name in row.outputs)
        outputs += [(net, name) for name in names if not any(run.is_loss(name) for run in runs)]
    for net, name in _at_most(outputs, "outputs"):
        title = name if len(nets) < 2 else f"{name} (test net {net})"
        drawn = [_output(run, net, name, across) for run in runs]
        found.append(Panel(title, drawn, any(run.falls(name) for run in runs)))
    rates = [Drawn(_points(run.train, across, lambda row: row.lr), {}, [], None) for run in runs]
    found.append(Panel(RATE, rates))
    filled = [panel for panel in found if any(points.x.size for points in panel.series)]
    if not filled:
        raise DataError(f"{', '.join(run.name for run in runs)}: no loss, output or learning rate to draw")
    return filled


def _abscissa(runs: Sequence[Curves], x: str) -> Callable[[Row], float]:
    if x not in ("iteration", "seconds"):
        raise ConfigError(f"x must be iteration or seconds; got {x!r}")
    if x == "iteration":
        return lambda row: float(row.iteration)
    for run in runs:
        if any(row.seconds is None for rows in (run.train, *run.tests.values()) for row in rows):
            raise DataError(f"{run.name} does not say when its lines were written", hint="--x iteration")
    return lambda row: float(row.seconds or 0)


def _loss(run: Curves, nets: Sequence[int], across: Callable[[Row], float]) -> Drawn:
    """Training and tests of all nets; of a test net its total loss if it is stated, or else its losses."""
    chosen: list[tuple[int, str | None]] = []
    for net, tests in run.tests.items():
        if any(row.loss is not None for row in tests):
            chosen.append((net, None))
        else:
            names = dict.fromkeys(name for row in tests for name in row.outputs if run.is_loss(name))
            chosen += [(net, name) for name in names]
    shown = {}
    for net, name in _at_most(chosen, "test losses"):
        of_net = f" of net {net}" if len(nets) > 1 else ""
        value = (lambda row: row.loss) if name is None else _mean_of(name)
        shown[(name or LOSS) + of_net] = _points(run.tests[net], across, value)
    span = None
    if any(row.span for row in run.train):
        low = _points(run.train, across, lambda row: row.span[0] if row.span else row.loss)
        span = low, _points(run.train, across, lambda row: row.span[1] if row.span else row.loss)
    return Drawn(_points(run.train, across, lambda row: row.loss), shown, [], span)


def _output(run: Curves, net: int | None, name: str, across: Callable[[Row], float]) -> Drawn:
    tests = [] if net is None else run.tests.get(net, [])
    width = max((len(row.outputs.get(name, [])) for row in tests), default=0)
    elements = []
    if width > MOST_ELEMENTS:
        elements = [_points(tests, across, _end_of(name, end)) for end in (min, max)]
    elif width > 1:
        elements = [_points(tests, across, _element_of(name, i)) for i in range(width)]
    mean = _mean_of(name)
    shown = _points(tests, across, mean)
    drawn = {name: shown} if shown.x.size else {}
    return Drawn(_points(run.train, across, mean), drawn, elements, None, width)


def _mean_of(name: str) -> Callable[[Row], float | None]:
    """The mean of an output's elements, without complaint where they are not finite."""

    def mean(row: Row) -> float | None:
        values = row.outputs.get(name)
        return None if not values else sum(values) / len(values)

    return mean


def _element_of(name: str, index: int) -> Callable[[Row], float | None]:
    def element(row: Row) -> float | None:
        values = row.outputs.get(name, [])
        return values[index] if index < len(values) else None

    return element


def _end_of(name: str, end: Callable[[Sequence[float]], float]) -> Callable[[Row], float | None]:
    """The lowest or the highest element that is finite."""

    def chosen(row: Row) -> float | None:
        values = [value for value in row.outputs.get(name, []) if math.isfinite(value)]
        return end(values) if values else None

    return chosen


def _at_most(found: list[T], what: str) -> list[T]:
    if len(found) > MOST:
        log.warning(f"of {len(found)} {what} the first {MOST} are drawn")
    return found[:MOST]


def _points(
    rows: Sequence[Row], across: Callable[[Row], float], value: Callable[[Row], float | None]
) -> Points:
    """The points of rows that state a value; infinities as NaN, so that they neither stretch an axis nor end
    a line."""
    pairs = [(across(row), y) for row in rows if (y := value(row)) is not None]
    x, y = np.array(pairs, dtype=float).reshape(-1, 2).T
    return Points(x, np.where(np.abs(y) < LARGEST, y, math.nan))
