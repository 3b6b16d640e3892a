"""Central differences of a function against its gradient, along one direction, and what to make of a
mismatch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

STEPS = (1e-5, 1e-6, 1e-7)  # times the size of the values; a smaller one crosses fewer kinks, but rounds more
TOLERANCE = 1e-5  # relative; what a third derivative leaves is far below, a wrong formula far above
BEND = 1e-5  # an output whose slopes to the right and to the left differ by more, relative, has a kink
ROUNDING = 16 * float(np.finfo(np.float64).eps)
SMALL = 1e-3  # errors of a partial derivative are relative to at least this part of the largest one

OK, KINK, FAIL = "ok", "kink", "FAIL"
Arrays = Sequence[np.ndarray]


class Outcome(NamedTuple):
    """A verdict, the relative error it rests on, and what explains it."""

    verdict: str
    error: float
    note: str = ""


class Probe(NamedTuple):
    """A function of one array at a point, and a claim about its gradient.

    value     x, what is moved
    tops      the function's values at x
    evaluate  the function's values at another x
    slopes    s: the gradient is that of sum(s * tops)
    gradient  by x
    backward  the gradient by x for other slopes
    """

    value: np.ndarray
    tops: Arrays
    evaluate: Callable[[np.ndarray], Arrays]
    slopes: Arrays
    gradient: np.ndarray
    backward: Callable[[Arrays], np.ndarray]


def compare(probe: Probe, direction: np.ndarray) -> Outcome:
    """Whether gradient . v equals (f(x + h v) - f(x - h v)) / 2h.

    ok    at one of the steps
    kink  at none, but outputs that have other slopes to the right than to the left explain it (ReLU at 0,
          ties of a maximum): without them it holds, or the derivative lies between the two sides
    FAIL  otherwise
    """
    if not np.isfinite(probe.gradient).all():
        return Outcome(FAIL, math.nan, "the gradient is not finite, or not written")
    size = math.sqrt(float(np.mean(np.square(probe.value)))) or 1.0
    sides = None
    for step in STEPS:
        h = step * size
        up, down = probe.evaluate(probe.value + h * direction), probe.evaluate(probe.value - h * direction)
        if not _alike(up, down, probe.tops):
            return Outcome(KINK, 0.0, "the shapes of the tops change with the values")
        sides = _Sides(probe.tops, up, down, h)
        error, tolerated = _mismatch(sides, probe.slopes, probe.gradient, direction)
        if error <= tolerated:
            return Outcome(OK, error)
    assert sides is not None
    return _explain(probe, direction, sides)


class Culprit(NamedTuple):
    """An element whose partial derivative is wrong: its index, what differences give, what backward gives."""

    element: tuple[int, ...]
    numeric: float
    analytic: float


def culprit(probe: Probe, direction: np.ndarray) -> Culprit | None:
    """The element that is most to blame for a mismatch along `direction`: of halves of the elements that move
    it is in the one that is further off.  None if the tops change their shapes on the way."""
    moved = np.flatnonzero(direction)
    unwritten = np.flatnonzero(~np.isfinite(probe.gradient))
    moved = unwritten[:1] if unwritten.size else moved
    while len(moved) > 1:
        halves = np.array_split(moved, 2)
        pairs = [_derivatives(probe, half, direction) for half in halves]
        if None in pairs:
            return None
        moved = max(zip(halves, pairs), key=lambda half: _off(half[1]))[0]
    found = _derivatives(probe, moved, np.ones(direction.shape))
    return found and Culprit(tuple(map(int, np.unravel_index(moved[0], direction.shape))), *found)


def _derivatives(probe: Probe, moved: np.ndarray, direction: np.ndarray) -> tuple[float, float] | None:
    """The numeric and the analytic derivative along the part of a direction that moves these elements,
    without the outputs that have a kink."""
    part = np.zeros(direction.shape)
    part.flat[moved] = direction.flat[moved]
    h = STEPS[0] * (math.sqrt(float(np.mean(np.square(probe.value)))) or 1.0)
    up, down = probe.evaluate(probe.value + h * part), probe.evaluate(probe.value - h * part)
    if not _alike(up, down, probe.tops):
        return None
    sides = _Sides(probe.tops, up, down, h)
    slopes, gradient, _ = _without_kinks(probe, sides)
    return sides.central(slopes), float((gradient.flat[moved] * part.flat[moved]).sum())


def _off(pair: tuple[float, float] | None) -> float:
    error = abs(pair[0] - pair[1]) if pair else 0.0
    return math.inf if math.isnan(error) else error


def _alike(*tops: Arrays) -> bool:
    return all(len({array.shape for array in same}) == 1 for same in zip(*tops))


def _mismatch(
    sides: _Sides, slopes: Arrays, gradient: np.ndarray, direction: np.ndarray
) -> tuple[float, float]:
    """The relative error of gradient . v, and how much of it is tolerable.

    What it is relative to: the derivative itself, or what is typical of the direction: |gradient| for one
    that moves all elements, a part of the largest element for one that moves a single one.
    """
    numeric, analytic = sides.central(slopes), float((gradient * direction).sum())
    if np.count_nonzero(direction) == 1:
        typical = SMALL * float(np.abs(gradient).max(initial=0))
    else:
        typical = math.sqrt(float(np.square(gradient).sum()))
    scale = max(abs(numeric), abs(analytic), typical)
    if scale == 0:
        return 0.0, TOLERANCE
    return abs(numeric - analytic) / scale, TOLERANCE + sides.rounding(slopes) / scale


def _explain(probe: Probe, direction: np.ndarray, sides: _Sides) -> Outcome:
    """Whether kinks explain a mismatch, or it is an error.

    Outputs with a kink are left out (if that leaves any); the rest must agree, but for kinks too small to
    see, which leave a gap between the derivatives of the two sides.
    """
    slopes, gradient, note = _without_kinks(probe, sides)
    error, tolerated = _mismatch(sides, slopes, gradient, direction)
    if error <= tolerated:
        return Outcome(KINK, error, f"{note}, the others agree")
    analytic = float((gradient * direction).sum())
    low, high = sides.between(slopes)
    slack = TOLERANCE * max(abs(low), abs(high)) + sides.rounding(slopes)
    if high - low > slack and low - slack <= analytic <= high + slack:
        return Outcome(KINK, 0.0, f"{note}; the derivative lies between the sides")
    return Outcome(FAIL, error)


def _without_kinks(probe: Probe, sides: _Sides) -> tuple[Arrays, np.ndarray, str]:
    """Slopes that leave the outputs out that have a kink, unless all have one, the gradient for them, and how
    many there are, in words."""
    bent = sides.bent()
    count, total = sum(int(b.sum()) for b in bent), sum(b.size for b in bent)
    slopes, gradient = probe.slopes, probe.gradient
    if 0 < count < total:
        slopes = [np.where(b, 0.0, s) for b, s in zip(bent, slopes)]
        gradient = probe.backward(slopes)
    return slopes, gradient, f"{count} of {total} outputs have a kink here"


class _Sides:
    """The slopes of every output along a direction, to the right and to the left of a point."""

    def __init__(self, middle: Arrays, up: Arrays, down: Arrays, h: float) -> None:
        self.h = h
        self.right = [(u - m) / h for u, m in zip(up, middle)]
        self.left = [(m - d) / h for m, d in zip(middle, down)]
        changed = [(u != m) | (m != d) for u, m, d in zip(up, middle, down)]
        self.sizes = [np.where(c, np.abs(m) + np.abs(u), 0.0) for c, m, u in zip(changed, middle, up)]

    def central(self, slopes: Arrays) -> float:
        return math.fsum(float((s * (r + l)).sum()) / 2 for s, r, l in zip(slopes, self.right, self.left))

    def rounding(self, slopes: Arrays) -> float:
        """How far rounding of the outputs may move `central`."""
        total = math.fsum(float(np.square(s * size).sum()) for s, size in zip(slopes, self.sizes))
        return ROUNDING * math.sqrt(total) / self.h

    def bent(self) -> list[np.ndarray]:
        """For every output whether it has a kink."""
        result = []
        for right, left, size in zip(self.right, self.left, self.sizes):
            most = max(np.abs(right).max(initial=0), np.abs(left).max(initial=0))
            result.append(np.abs(right - left) > BEND * most + ROUNDING * size / self.h)
        return result

    def between(self, slopes: Arrays) -> tuple[float, float]:
        """The least and the greatest derivative if every output takes its slope from one of the sides."""
        pairs = [(s * r, s * l) for s, r, l in zip(slopes, self.right, self.left)]
        low = math.fsum(float(np.minimum(a, b).sum()) for a, b in pairs)
        return low, math.fsum(float(np.maximum(a, b).sum()) for a, b in pairs)
