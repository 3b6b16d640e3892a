"""Pen strokes drawn by program: the symbols of arithmetic, and scrawls that are no character at all.

A stroke is a polyline, (N, 2) of x and y with y down, and a width; a picture of strokes is the distance to
the nearest of them, so edges are smooth at any size.  Sizes are in units of a digit's height.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

Point = tuple[float, float]


class Stroke(NamedTuple):
    points: np.ndarray  # (N, 2)
    width: float


def ink(strokes: Sequence[Stroke], height_px: float, margin_px: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """The strokes at `height_px` pixels a digit: how much of each pixel is ink, (H, W) from 0 to 1, and where
    its top left corner is, (x, y) in units of a digit's height."""
    reach = np.array([s.width / 2 for s in strokes])[:, None]
    low = np.min([s.points.min(0) - r for s, r in zip(strokes, reach)], axis=0) * height_px - margin_px
    high = np.max([s.points.max(0) + r for s, r in zip(strokes, reach)], axis=0) * height_px + margin_px
    low = np.floor(low)
    width, height = np.ceil(high - low).astype(int)
    y, x = np.mgrid[:height, :width].astype(np.float32) + 0.5
    covered = np.zeros((height, width), np.float32)
    for stroke in strokes:
        points = (stroke.points * height_px - low).astype(np.float32)
        nearest = np.full((height, width), np.inf, np.float32)
        for (x0, y0), (x1, y1) in pairwise(points):
            dx, dy = x1 - x0, y1 - y0
            length2 = max(dx * dx + dy * dy, 1e-6)
            t = np.clip(((x - x0) * dx + (y - y0) * dy) / length2, 0, 1)
            np.minimum(nearest, (x - x0 - t * dx) ** 2 + (y - y0 - t * dy) ** 2, out=nearest)
        soft = np.clip(stroke.width * height_px / 2 - np.sqrt(nearest) + 0.5, 0, 1)
        np.maximum(covered, soft, out=covered)
    return covered, low / height_px


def line(rng: np.random.Generator, start: Point, end: Point, width: float, shake: float = 0.02) -> Stroke:
    """A line as a hand draws it: bent a little, and not of quite the length that was meant."""
    a, b = np.array(start), np.array(end)
    along = b - a
    length = float(np.hypot(*along)) or 1e-6
    across = np.array([-along[1], along[0]]) / length
    a = a + along * rng.normal(0, 0.04)
    b = b + along * rng.normal(0, 0.04)
    t = np.linspace(0, 1, 8)[:, None]
    bend = rng.normal(0, 1.6 * shake) * 4 * t * (1 - t) + rng.normal(0, shake) * np.sin(2 * np.pi * t)
    return Stroke(a + (b - a) * t + across * bend * length, width * rng.uniform(0.88, 1.12))


def _dot(rng: np.random.Generator, at: Point, width: float) -> Stroke:
    """A dot of a pen: round, or a short dash."""
    size = width * rng.uniform(1.0, 1.7)
    length = size * rng.choice([0.05, 0.5, 0.9], p=[0.6, 0.25, 0.15])
    angle = rng.uniform(-0.6, 1.2)
    step = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    return Stroke(np.array([at - step, at + step]), size)


def _turned(strokes: list[Stroke], angle: float) -> list[Stroke]:
    c, s = np.cos(angle), np.sin(angle)
    return [Stroke(p @ np.array([[c, s], [-s, c]]), w) for p, w in strokes]


def _plus(rng: np.random.Generator, width: float) -> list[Stroke]:
    w, h = rng.uniform(0.2, 0.34, 2)
    x, y = rng.normal(0, 0.025, 2)  # where the strokes cross
    return [
        line(rng, (-w, y), (w, y + rng.normal(0, 0.03)), width),
        line(rng, (x, -h), (x + rng.normal(0, 0.03), h), width),
    ]


def _minus(rng: np.random.Generator, width: float) -> list[Stroke]:
    w = rng.uniform(0.2, 0.36)
    return [line(rng, (-w, 0), (w, rng.normal(0, 0.03)), width, 0.035)]


def _times(rng: np.random.Generator, width: float) -> list[Stroke]:
    w, h = rng.uniform(0.17, 0.3, 2)
    x, y = rng.normal(0, 0.02, 2)
    return [
        line(rng, (-w, -h), (w + x, h), width),
        line(rng, (w, -h + y), (-w - x, h), width),
    ]


def _divided(rng: np.random.Generator, width: float) -> list[Stroke]:
    w = rng.uniform(0.22, 0.36)
    above, below = rng.uniform(0.15, 0.27, 2) + width / 2
    x = rng.normal(0, 0.03, 2)
    return [
        line(rng, (-w, 0), (w, rng.normal(0, 0.025)), width, 0.03),
        _dot(rng, (x[0], -above), width),
        _dot(rng, (x[1], below), width),
    ]


def _equals(rng: np.random.Generator, width: float) -> list[Stroke]:
    w = rng.uniform(0.22, 0.36)
    gap = rng.uniform(0.09, 0.17) + width / 2
    shift, tilt = rng.normal(0, 0.04), rng.normal(0, 0.02)
    return [
        line(rng, (-w, -gap), (w, -gap + tilt), width, 0.025),
        line(rng, (-w + shift, gap), (w * rng.uniform(0.85, 1.15) + shift, gap + tilt), width, 0.025),
    ]


SYMBOLS: dict[str, Callable[[np.random.Generator, float], list[Stroke]]] = {
    "+": _plus,
    "-": _minus,
    "×": _times,
    "÷": _divided,
    "=": _equals,
}


def symbol(rng: np.random.Generator, name: str, width: float) -> list[Stroke]:
    """One of `SYMBOLS`, drawn as a hand might, about its centre, with a pen of `width`."""
    return _turned(SYMBOLS[name](rng, width), rng.normal(0, 0.06))


def scribble(rng: np.random.Generator, width: float) -> list[Stroke]:
    """A smooth line to and fro that means nothing."""
    knots = rng.uniform(-0.5, 0.5, (int(rng.integers(6, 12)), 2)) * rng.uniform(0.4, 1.0, 2)
    t = np.linspace(0, len(knots) - 1, 12 * len(knots))
    path = np.stack([np.interp(t, np.arange(len(knots)), knots[:, axis]) for axis in (0, 1)], 1)
    kernel = np.hanning(13) / np.hanning(13).sum()
    smooth = np.stack([np.convolve(path[:, axis], kernel, "valid") for axis in (0, 1)], 1)
    return [Stroke(smooth, width)]
